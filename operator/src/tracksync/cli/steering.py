"""What a person does to a run: cancel, delete, suspend, resume. Each is one request; the operator does the rest."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer

from tracksync.api.base import format_timestamp
from tracksync.api.identity import Annotation
from tracksync.api.job import Phase
from tracksync.cli.asking import Exit, TimeIsUp, UsageProblem
from tracksync.cli.following import follow
from tracksync.cli.render import printable
from tracksync.cli.run_view import view_of
from tracksync.cli.waiting import DELETED, Goal, refuse_ended, wait_for
from tracksync.core.runs.reading import text

if TYPE_CHECKING:
    from tracksync.cli.asking import Runs
    from tracksync.cli.run_view import RunView
    from tracksync.core.runs.model import Key, Manifest

_CANCELLED: Final = Phase.CANCELLED.value.lower()
_SUSPENDED: Final = Phase.SUSPENDED.value.lower()


async def cancel_run(runs: Runs, key: Key, *, wait: bool, seconds: float | None) -> int:
    """Ask the run to stop for good; the TrackSyncJob stays."""
    run = view_of(await runs.read(key))
    if run.phase is Phase.CANCELLED:
        typer.echo(f"{printable(key.name)} is cancelled already")
        return Exit.OK
    refuse_ended(run, "cancel")
    changed = await runs.change(key, {"metadata": {"uid": run.uid}, "spec": {"cancel": True}})
    typer.echo(f"{printable(key.name)}: its worker is asked to stop and roll back")
    return await wait_for(runs, key, Goal(_CANCELLED), seconds=seconds, first=changed) if wait else Exit.OK


async def delete_run(runs: Runs, key: Key, *, wait: bool, seconds: float | None) -> int:
    """Delete the TrackSyncJob; a run under way is cancelled by that."""
    run = view_of(await runs.read(key))
    await runs.delete(key, run.uid)
    rest = "" if run.is_ended else "; a worker that runs rolls back first"
    typer.echo(f"{printable(key.name)} is being deleted{rest}")
    return await wait_for(runs, key, Goal(DELETED), seconds=seconds) if wait else Exit.OK


async def suspend_run(runs: Runs, key: Key, *, wait: bool, seconds: float | None) -> int:
    """Ask the run to stop and keep what it has fetched."""
    run = view_of(await runs.read(key))
    refuse_ended(run, "suspend")
    if run.spec.get("cancel") is True:
        raise UsageProblem(f"the run {key.name!r} is being cancelled", "Wait for its end, then `tracksync resume`.")
    changed = await runs.change(key, {"metadata": {"uid": run.uid}, "spec": {"suspend": True}})
    already = run.spec.get("suspend") is True
    typer.echo(f"{printable(key.name)}: " + ("suspended already" if already else "its worker is asked to stop"))
    return await wait_for(runs, key, Goal(_SUSPENDED), seconds=seconds, first=changed) if wait else Exit.OK


async def resume_run(runs: Runs, key: Key, *, wait: bool, seconds: float | None) -> int:
    """Let a suspended run go on, or start the next attempt of one that failed or was cancelled."""
    run = view_of(await runs.read(key))
    patch = resume_patch(run)
    changed = await runs.change(key, {**patch, "metadata": {"uid": run.uid, **_metadata(patch)}})
    typer.echo(f"{printable(key.name)}: asked to go on; `tracksync watch {printable(key.name)}` shows it")
    if not wait:
        return Exit.OK
    first = await _until_taken_up(runs, key, changed, seconds)
    return await wait_for(runs, key, Goal(), seconds=seconds, first=first)


def resume_patch(run: RunView) -> Manifest:
    """Return the change that lets the run go on.

    Raises:
        UsageProblem: it is done, or on its way.
    """
    name, suspended = run.key.name, run.spec.get("suspend") is True
    if run.is_done:
        raise UsageProblem(
            f"the run {name!r} is done: there is nothing to resume", "`tracksync create` makes a new one."
        )
    if run.is_deleted:
        raise UsageProblem(f"the TrackSyncJob {name!r} is being deleted", "`tracksync create` makes a new one.")
    if not run.is_ended and not suspended:
        if run.spec.get("cancel") is True:
            raise UsageProblem(f"the run {name!r} is being cancelled", "Resume it when it has ended.")
        raise UsageProblem(
            f"the run {name!r} is {run.phase_word}, not suspended: there is nothing to resume",
            f"`tracksync watch {name}` shows where it is.",
        )
    patch: Manifest = {"spec": {"suspend": False}} if suspended else {}
    if run.is_ended:
        patch["metadata"] = {"annotations": {Annotation.RESUME.value: fresh_token()}}
    return patch


def fresh_token() -> str:
    """Return a text that no resume had before; it says when it was asked for."""
    return f"{format_timestamp(datetime.now(UTC))}-{secrets.token_hex(4)}"


def _metadata(patch: Manifest) -> Manifest:
    found = patch.get("metadata")
    return dict(found) if isinstance(found, dict) else {}


async def _until_taken_up(runs: Runs, key: Key, changed: Manifest, seconds: float | None) -> Manifest:
    """Return the run as it is when the operator has acted on the resume: before, it still looks ended."""
    token = text(changed, "metadata", "annotations", Annotation.RESUME.value)
    try:
        async with asyncio.timeout(seconds):
            async for manifest in follow(runs, key, first=changed):
                run = view_of(manifest)
                if not run.is_ended or (token and run.operator.last_handled_resume == token):
                    return manifest
    except TimeoutError:
        raise TimeIsUp(
            f"the operator did not take up {key.name!r} within {seconds:.0f} s", "Is it running? The wish stays."
        ) from None
    return changed
