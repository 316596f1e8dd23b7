"""How long from `kubectl apply` of a TrackSyncJob to the worker's first request, against a bare Job of the same image.

Both sides are read from the pods' logs with the kubelet's time stamps, on the clock of this machine, run in turn.
"""

from __future__ import annotations

import statistics
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import yaml

from tests.cluster.names import TRACKSYNC_IMAGE
from tests.cluster.select import select_cluster
from tests.cluster.waiting import wait_until
from tests.support.installation import Tenant, demo_source, install_operator
from tracksync.api.identity import Label

if TYPE_CHECKING:
    from rich.console import Console

GOAL: Final = 1.3
NAMESPACE: Final = "tracksync-bench"
FIRST_REQUEST: Final = "first request sent"
BARE_LABEL: Final = "tracksync-bench-bare"


def measure_startup(console: Console, *, runs: int) -> bool:
    """Print seconds of both sides and their ratio; return whether the goal is met."""
    cluster = select_cluster()
    tenant = Tenant(cluster, NAMESPACE)
    tenant.create_namespace()
    tenant.start_database()
    tenant.start_simulator()
    tenant.migrate()
    install_operator(cluster, [demo_source(NAMESPACE)])
    tenant.wait_ready()
    try:
        rounds = [(bare_job(tenant), bare_job(tenant, "worker"), tracksync_job(tenant)) for _ in range(runs + 1)]
    finally:
        tenant.remove()
    bare, worker, ours = ([figures[side] for figures in rounds[1:]] for side in range(3))  # the first round warms up
    show(console, "bare Job of the image, create to first output", bare)
    show(console, "bare Job of `tracksync worker`, to first output", worker)
    show(console, "TrackSyncJob, apply to first request", ours)
    ratio = statistics.median(mine / peer for mine, peer in zip(ours, bare, strict=True))
    beside = statistics.median(mine / peer for mine, peer in zip(ours, worker, strict=True))
    console.print(f"ratio to the bare Job (median of rounds)         {ratio:.2f}   goal <= {GOAL}")
    console.print(f"ratio to the bare worker (what the operator adds) {beside:.2f}")
    return ratio <= GOAL


def show(console: Console, title: str, seconds: list[float]) -> None:
    """Print the figures of one side."""
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    line = f"{title:<48} min {low:.2f} s   median {middle:.2f} s   max {high:.2f} s   n={len(seconds)}"
    console.print(line, soft_wrap=True)


def bare_job(tenant: Tenant, *arguments: str) -> float:
    """Create a Job of the image, which prints its help without arguments; return seconds from the call to that."""
    name = f"bare-{uuid.uuid4().hex[:8]}"
    container = {
        "name": "bare",
        "image": TRACKSYNC_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"metadata": {"labels": {BARE_LABEL: name}}, "spec": pod}},
    }
    began = datetime.now(UTC)
    tenant.kubectl("create", "-f", "-", stdin=yaml.safe_dump(job))
    return seconds_to_line(tenant, f"{BARE_LABEL}={name}", "", began)


def tracksync_job(tenant: Tenant) -> float:
    """Apply a TrackSyncJob; return seconds from the call to the worker's first request."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    began = datetime.now(UTC)
    tenant.create(name, metadata={"enabled": False})
    seconds = seconds_to_line(tenant, f"{Label.JOB}={name}", FIRST_REQUEST, began)
    tenant.wait_terminal(name)
    return seconds


def seconds_to_line(tenant: Tenant, selector: str, text: str, began: datetime) -> float:
    """Wait for a log line that holds the text and return the seconds from `began` to its time stamp."""
    found: list[str] = []

    def arrived() -> bool:
        log = tenant.kubectl("logs", "-l", selector, "--timestamps", "--tail=-1") if started() else ""
        found[:] = [line for line in log.splitlines() if text in line]
        return bool(found)

    def started() -> bool:
        statuses = [
            status for pod in tenant.items("pods", selector) for status in pod["status"].get("containerStatuses", [])
        ]
        return any("running" in status["state"] or "terminated" in status["state"] for status in statuses)

    if not wait_until(arrived, seconds=60, every=0.5):
        raise TimeoutError(f"no log line with {text!r} from pods {selector} within 60 s")
    return (datetime.fromisoformat(found[0].split(" ", 1)[0]) - began).total_seconds()
