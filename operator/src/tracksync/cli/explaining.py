"""`tracksync get`, `status` and `describe`: from the cluster, and when the resource is gone, from the ledger."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer

from tracksync.adapters.kube.answers import ForbiddenError, NotFoundError, NotInstalledError
from tracksync.cli.asking import Exit
from tracksync.cli.cluster_options import ClusterOutput, StatusOutput
from tracksync.cli.run_view import RunView, view_of
from tracksync.cli.showing import write_document, write_run, write_runs, write_status
from tracksync.core.runs.model import Key

if TYPE_CHECKING:
    from tracksync.cli.asking import Runs
    from tracksync.cli.remembering import Memory

_RUN_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where the ledger is: a URL, or a Secret of the namespace that has it."""

    url: str | None = None
    secret: str | None = None


async def show_runs(runs: Runs, name: str | None, namespace: str | None, output: ClusterOutput) -> int:
    """Print one TrackSyncJob, or all of a namespace; None: of all namespaces."""
    now = datetime.now(UTC)
    if name is not None and namespace is not None:
        write_run(await runs.read(Key(namespace, name)), output, now=now)
        return Exit.OK
    found = await runs.find(namespace)
    if not found and output in {ClusterOutput.TABLE, ClusterOutput.WIDE}:
        where = f"in the namespace {namespace}" if namespace is not None else "in any namespace"
        typer.echo(f"there are no TrackSyncJobs {where}", err=True)
        return Exit.OK
    write_runs(found, output, with_namespace=namespace is None, now=now)
    return Exit.OK


async def show_status(runs: Runs, run: str, namespace: str, ledger: LedgerPlace, output: StatusOutput) -> int:
    """Print how the run stands; the exit code is 1 when it has failed.

    Raises:
        NotFoundError: neither the cluster nor the ledger, if one was named, knows it.
    """
    try:
        view = await find_run(runs, run, namespace)
    except NotFoundError as error:
        url = await _ledger_url(runs, namespace, ledger)
        if url is None:
            raise _gone(error) from error
        return await _show_memory(run, namespace, url, output, error)
    write_status(view, output, now=datetime.now(UTC))
    return Exit.RUN_FAILED if view.is_ended and not view.is_done else Exit.OK


async def describe_run(runs: Runs, run: str, namespace: str, output: StatusOutput) -> int:
    """Print how the run stands, and its Events in the order of time."""
    view = await find_run(runs, run, namespace)
    events = await runs.events(view.key.namespace, view.uid)
    write_status(view, output, now=datetime.now(UTC), events=events)
    return Exit.OK


async def find_run(runs: Runs, run: str, namespace: str) -> RunView:
    """Return the TrackSyncJob of this name in the namespace, or of this run id in any that may be looked into.

    Raises:
        NotFoundError: there is none.
    """
    try:
        return view_of(await runs.read(Key(namespace, run)))
    except NotInstalledError:
        raise
    except NotFoundError as error:
        if not _RUN_ID.fullmatch(run):
            raise
        found = await _find_id(runs, run, namespace)
        if found is None:
            raise NotFoundError(f"there is no TrackSyncJob with the run id {run}", error.remedy) from error
        return found


async def _find_id(runs: Runs, run_id: str, namespace: str) -> RunView | None:
    """Look through the whole cluster where that is allowed, else through the namespace."""
    try:
        found = await runs.find(None)
    except ForbiddenError:
        found = await runs.find(namespace)
    return next((view for view in map(view_of, found) if view.uid == run_id), None)


async def _ledger_url(runs: Runs, namespace: str, ledger: LedgerPlace) -> str | None:
    if ledger.secret is None:
        return ledger.url
    name, _, key = ledger.secret.partition("/")
    return await runs.secret_value(namespace, name, key or "url")


async def _show_memory(run: str, namespace: str, url: str, output: StatusOutput, cause: NotFoundError) -> int:
    from tracksync.cli.remembering import remember

    memory = await remember(run, namespace, url)
    if memory is None:
        raise NotFoundError(
            f"{cause}; nor does the ledger remember it", "`tracksync history` lists what the ledger remembers."
        ) from cause
    _write_memory(memory, output)
    return Exit.RUN_FAILED if memory.is_ended and not memory.is_done else Exit.OK


def _write_memory(memory: Memory, output: StatusOutput) -> None:
    from tracksync.cli.reports import as_text

    if output is StatusOutput.TEXT:
        typer.echo("The TrackSyncJob is gone; this is what the ledger remembers.", err=True)
        sys.stdout.write(as_text(memory.report))
    else:
        write_document(memory.document(), output)


def _gone(error: NotFoundError) -> NotFoundError:
    """Return the error with the way to the ledger; that the cluster has no TrackSync at all stays as it is."""
    if isinstance(error, NotInstalledError):
        return error
    return NotFoundError(
        str(error),
        "`tracksync get -A` lists what there is. If it was deleted, the ledger still has the run: set "
        "TRACKSYNC_DATABASE_URL, or give --from-secret NAME of a Secret with the database's URL.",
    )
