"""The demo on the cluster: operator, PostgreSQL, simulator, one TrackSyncJob, watched live."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.cluster.image import build_images
from tests.cluster.select import select_cluster
from tests.support.installation import MANIFESTS, Tenant, demo_source, install_operator, wait_until_next_poll

if TYPE_CHECKING:
    from rich.console import Console

    from tests.cluster.contract import Cluster

NAMESPACE: Final = "tracksync-demo"
RUN: Final = "first"
DEADLINE_SECONDS: Final = 300


def run_on_cluster(console: Console) -> int:
    """Bring everything up, run the example, and return 0 only when it succeeded with every track stored.

    Ctrl-C stops what this call started: a cluster that ran before goes on running.
    """
    cluster = select_cluster()
    ran_before = cluster.running()
    try:
        return show(cluster, console)
    except KeyboardInterrupt:
        if ran_before:
            console.print("\nInterrupted. The cluster that ran before still runs; `make cluster-down` removes it.")
        else:
            console.print("\nInterrupted. Stopping the cluster that this demo started …")
            cluster.down()
        raise


def show(cluster: Cluster, console: Console) -> int:
    """Show the whole path from an empty cluster to rows in PostgreSQL; return the exit code."""
    console.rule("TrackSync on a real cluster")
    cluster.up()
    for archive in build_images():
        cluster.load_image(archive)
    with console.status("operator, PostgreSQL and simulator"):
        tenant = prepare(cluster)
    console.print("operator, PostgreSQL and simulator are ready")
    tenant.kubectl("delete", "tracksyncjob", RUN, "--ignore-not-found", "--wait", "--timeout=60s")
    sample = MANIFESTS / "samples" / "first.yaml"
    console.print(f"\n[bold]$ kubectl apply -f manifests/samples/{sample.name}[/]")
    console.print(tenant.kubectl("apply", "-f", str(sample)).strip())
    status = watch(tenant, console)
    return conclude(tenant, console, status)


def prepare(cluster: Cluster) -> Tenant:
    """Install the operator and the demo's namespace; everything starts at the same time."""
    tenant = Tenant(cluster, NAMESPACE)
    tenant.create_namespace()
    tenant.start_database()
    tenant.start_simulator()
    tenant.migrate()
    install_operator(cluster, [demo_source(NAMESPACE)])
    tenant.wait_ready()
    return tenant


def watch(tenant: Tenant, console: Console) -> dict[str, Any]:
    """Show the run's progress until its end and return its last status."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[phase]:<10} {task.description:<10}"),
        BarColumn(),
        TextColumn("{task.fields[text]:>10}  {task.fields[eta]}"),
        TimeElapsedColumn(),
    )
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen = ""
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, phase="Pending", text="", eta="")
        while True:
            status = tenant.status(RUN)
            progress = status.get("progress", {})
            phase, stage = status.get("phase", "Pending"), progress.get("stage", "")
            bar.update(
                task,
                description=stage,
                phase=phase,
                total=progress.get("total") or None,
                completed=progress.get("done", 0),
                text=progress.get("text", ""),
                eta=remaining(progress.get("eta")),
            )
            line = f"{phase} {stage} {progress.get('text', '')}"
            if not console.is_terminal and line != seen:
                console.print(f"  {line}")
                seen = line
            if "completionTime" in status or time.monotonic() > deadline:
                return status
            wait_until_next_poll()


def remaining(eta: str | None) -> str:
    """Return how long is left until the expected end, or nothing when it is not known."""
    if eta is None:
        return ""
    seconds = (datetime.fromisoformat(eta) - datetime.now(UTC)).total_seconds()
    return f"ETA {max(0, round(seconds))} s"


def conclude(tenant: Tenant, console: Console, status: dict[str, Any]) -> int:
    """Show the outcome, what is stored and what to try next; return the exit code."""
    console.print("\n[bold]$ kubectl get tracksyncjobs[/]")
    console.print(tenant.kubectl("get", "tracksyncjobs").rstrip(), markup=False)
    if status.get("phase") != "Succeeded":
        console.print(f"\n[red]The run did not succeed:[/] {status.get('message', 'no status arrived')}")
        show_trouble(tenant, console)
        return 1
    active = tenant.query("SELECT count(*) FROM tracks WHERE is_active")
    console.print(f"\nactive tracks in PostgreSQL: [bold]{active}[/]")
    kubectl = f".venv/bin/python -m tests.cluster kubectl -n {NAMESPACE}"
    psql = "psql -U tracksync -c 'SELECT slug, name, city FROM tracks LIMIT 5'"
    console.print("\nTry next:")
    for command in (
        f"{kubectl} get tracksyncjob {RUN} -o yaml",
        f"{kubectl} exec statefulset/postgres -- {psql}",
        "make cluster-down",
    ):
        console.print(f"  {command}", markup=False, soft_wrap=True)
    listed = status.get("results", {}).get("listed")
    return 0 if str(listed) == active else 1


def show_trouble(tenant: Tenant, console: Console) -> None:
    """Show what a person would look at next."""
    for command in (("get", "pods"), ("get", "events", "--sort-by=.lastTimestamp")):
        try:
            console.print(tenant.kubectl(*command)[-3000:], markup=False)
        except (subprocess.SubprocessError, OSError) as error:
            console.print(f"(kubectl {' '.join(command)}: {error})", markup=False)
