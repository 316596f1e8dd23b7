"""The verbs where only real pods will do: inside the operator's pod, and the log of a worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.starting import tracksync
from tracksync.api.identity import OPERATOR_FIELD_MANAGER, OPERATOR_NAMESPACE

if TYPE_CHECKING:
    from tests.support.installation import Tenant


def test_the_operators_pod_answers_without_a_kubeconfig(tenant: Tenant, name: str) -> None:
    tenant.create(name)
    tenant.wait_terminal(name)
    command = ("-n", OPERATOR_NAMESPACE, "exec", f"deployment/{OPERATOR_FIELD_MANAGER}", "--", "tracksync")
    told = tenant.cluster.kubectl(*command, "status", name, "-n", tenant.namespace, "-o", "json")
    assert json.loads(told)["succeeded"] is True
    assert name in tenant.cluster.kubectl(*command, "get", "-A")


def test_a_workers_log_is_followed_to_the_runs_end(tenant: Tenant, name: str) -> None:
    options = {"KUBECONFIG": str(tenant.cluster.kubeconfig)}
    place = ("-n", tenant.namespace)
    created = tracksync("create", "--name", name, "--secret", "tracksync-db", *place, seconds=60, **options)
    assert created.returncode == 0, created.stderr
    followed = tracksync("logs", name, "-f", *place, seconds=180, **options)
    assert followed.returncode == 0, followed.stderr
    printed = tracksync("logs", name, *place, seconds=60, **options)
    assert followed.stdout == printed.stdout
    assert printed.stdout.count("\n") > 1
    assert tracksync("wait", name, "--timeout", "60s", *place, seconds=90, **options).returncode == 0
