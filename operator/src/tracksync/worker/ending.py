"""How a run ended: its outcome, reason and message, and the exit code that says the same to whoever started it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import Reason
from tracksync.api.result import Outcome, WorkerResult
from tracksync.errors import (
    DatabaseCredentialsError,
    DatabaseUnavailableError,
    ExitCode,
    FailureReason,
    RunCancelledError,
    SchemaMismatchError,
    TrackSyncError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracksync.api.identity import Stage
    from tracksync.api.job import Results, WithheldStatus, WorkerStatus
    from tracksync.ports import RunIdentity

MAX_MESSAGE: Final = 1000
"""Characters; the status field holds 1,024."""
SOME_NAMES: Final = 5
"""Names in a message; the rest is counted."""

_DATABASE_ERRORS: Final = (DatabaseCredentialsError, DatabaseUnavailableError, SchemaMismatchError)
"""Errors for which a message also names the setting that the database's address came from."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run, in the words of its `Succeeded` condition."""

    outcome: Outcome
    reason: str
    message: str


def completed(
    results: Results,
    *,
    withheld: WithheldStatus | None = None,
    missing: int = 0,
    missing_names: Sequence[str] = (),
    is_plan: bool = False,
) -> Ending:
    """Return the end of a run whose merge was committed, or planned.

    A withheld deactivation and wanted tracks that are not listed are told; neither makes a run fail.

    Args:
        results: the run's counters.
        withheld: the deactivation that did not happen.
        missing: how many wanted tracks the catalogue does not have.
        missing_names: their slugs, as far as they are known.
        is_plan: whether the figures say what a merge would do.
    """
    parts = ["a plan, no track was touched"] if is_plan else []
    parts += [f"{results.listed} tracks listed: {_changes(results)}", _dashboards(results)]
    if results.failed_items:
        parts.append(f"{results.failed_items} could not be had, their stored metadata stays")
    if withheld is not None:
        tracks = "1 vanished track stays" if withheld.count == 1 else f"{withheld.count} vanished tracks stay"
        parts.append(f"{tracks} active ({', '.join(withheld.reasons)})")
    if missing:
        names = f": {name_some(missing_names)}" if missing_names else ""
        parts.append(f"{missing} wanted but not listed{names}")
    message = "; ".join(parts)[:MAX_MESSAGE]
    if results.failed_items:
        return Ending(Outcome.COMPLETED_WITH_ERRORS, Reason.COMPLETED_WITH_ERRORS, message)
    return Ending(Outcome.SUCCEEDED, Reason.PLANNED if is_plan else Reason.COMPLETED, message)


def name_some(names: Sequence[str]) -> str:
    """Return the first few names and how many more there are."""
    more = len(names) - SOME_NAMES
    return ", ".join(names[:SOME_NAMES]) + (f" and {more} more" if more > 0 else "")


def _changes(results: Results) -> str:
    """Return what the merge did; what does not happen every day is told when it did."""
    parts = [f"{results.inserted} inserted", f"{results.updated} updated", f"{results.unchanged} unchanged"]
    parts += [f"{results.reactivated} reactivated"] if results.reactivated else []
    parts += [f"{results.deactivated} deactivated"] if results.deactivated else []
    return ", ".join(parts)


def _dashboards(results: Results) -> str:
    """Return what became of the dashboards, failed ones left out."""
    others = results.listed - results.fetched - results.not_modified - results.failed_items
    parts = [f"{results.fetched} fetched"]
    parts += [f"{results.not_modified} not modified"] if results.not_modified else []
    parts += [f"{others} not due"] if others > 0 else []
    return f"dashboards: {', '.join(parts)}"


def ending_of(error: Exception, *, stage: Stage | None, database_setting: str, merged: bool = False) -> Ending:
    """Return the end of a run that this error ended; an unexpected error's text is left out, it may hold data."""
    outcome = Outcome.CANCELLED if isinstance(error, RunCancelledError) else Outcome.FAILED
    where = f"stage {stage}" if stage else "start"
    if isinstance(error, _DATABASE_ERRORS):
        reason, message = error.reason, f"{where}: {database_setting}: {error}"
    elif isinstance(error, TrackSyncError):
        reason, message = error.reason, f"{where}: {error}"
    else:
        reason = FailureReason.UNEXPECTED
        message = f"{where}: unexpected {type(error).__name__}; the traceback is in the worker's log"
    # A failed close of the ledger is the one way to get here after the commit: nobody should believe in a rollback.
    told = f"{message} (the tracks were already merged)" if merged else message
    return Ending(outcome, reason, told[:MAX_MESSAGE])


def result_of(ending: Ending, identity: RunIdentity, status: WorkerStatus) -> WorkerResult:
    """Return the last word of this attempt."""
    return WorkerResult(
        run_id=identity.run_id,
        attempt=identity.attempt,
        outcome=ending.outcome,
        reason=ending.reason,
        message=ending.message,
        status=status,
    )


def exit_code_of(result: WorkerResult, *, item_errors: ExitCode) -> ExitCode:
    """Return the process's exit code; CompletedWithErrors has `item_errors` (0 in a pod, 10 on a terminal)."""
    match result.outcome:
        case Outcome.SUCCEEDED:
            return ExitCode.DONE
        case Outcome.COMPLETED_WITH_ERRORS:
            return item_errors
        case Outcome.FAILED | Outcome.CANCELLED:
            codes = {kind.reason: kind.exit_code for kind in _error_classes(TrackSyncError)}
            return codes.get(FailureReason(result.reason), ExitCode.UNEXPECTED)


def _error_classes(kind: type[TrackSyncError]) -> Iterator[type[TrackSyncError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _error_classes(narrower)
