"""One operator and one tenant for the whole level; every test uses names of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.cluster.select import select_cluster
from tests.support.installation import Tenant, demo_source, install_operator
from tracksync.api.identity import OPERATOR_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.contract import Cluster

NAMESPACE = "tracksync-e2e"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Return the running cluster of this checkout."""
    cluster = select_cluster()
    if not cluster.running():
        pytest.fail("no cluster is running: `make cluster image` starts one and loads the image")
    return cluster


@pytest.fixture(scope="session")
def tenant(cluster: Cluster) -> Iterator[Tenant]:
    """Return a namespace with operator, database, schema and simulator; it is removed afterwards."""
    tenant = Tenant(cluster, NAMESPACE)
    tenant.create_namespace()
    tenant.start_database()
    tenant.start_simulator()
    tenant.migrate()
    sources = [
        demo_source(NAMESPACE),
        demo_source(NAMESPACE, name="slow", requests_per_second=20, concurrency=4),
        demo_source(NAMESPACE, name="private", allow_private_addresses=False),
    ]
    install_operator(cluster, sources)
    tenant.wait_ready()
    yield tenant
    tenant.remove()


@pytest.fixture
def name() -> str:
    """Return a name that no other run has."""
    return f"run-{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def _operator_log_is_clean(tenant: Tenant) -> Iterator[None]:
    """Fail when the operator logged a traceback or an inconsistent patch during the test."""
    yield
    log = tenant.cluster.kubectl("-n", OPERATOR_NAMESPACE, "logs", "deployment/tracksync-operator", "--since=60s")
    assert "Traceback" not in log
    assert "inconsistencies" not in log
