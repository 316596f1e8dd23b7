"""The clusters of this folder's tests: their own, so that the one that a person uses is left in peace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.paths import layout_of
from tests.cluster.select import select_cluster
from tests.cluster.system import docker_answers, obstacles
from tests.support.levels import TALLY, NotRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.contract import Cluster

USERS_KUBECONFIG = Path.home() / ".kube" / "config"

collect_ignore = []
if docker_answers():
    collect_ignore.append("test_processes.py")
    command = "stop the Docker engine and run as root: make test"
    TALLY.not_run.append(NotRun("tests/cluster/test_processes.py", "the cluster here is kind", command))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster of two nodes that only this module knows; it is gone afterwards."""
    found = obstacles()
    if found:
        pytest.fail("no cluster can be had here: " + "; ".join(found))
    own = select_cluster(layout_of(tmp_path_factory.mktemp("checkout")))
    try:
        own.up(2)
        yield own
    finally:
        own.down()


@pytest.fixture(scope="module", autouse=True)
def _users_kubeconfig_is_left_alone() -> Iterator[None]:
    before = USERS_KUBECONFIG.read_bytes() if USERS_KUBECONFIG.exists() else None
    yield
    after = USERS_KUBECONFIG.read_bytes() if USERS_KUBECONFIG.exists() else None
    assert after == before
