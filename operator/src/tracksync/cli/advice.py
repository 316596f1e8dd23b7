"""What a person can do next about a run, by where it stands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracksync.api.identity import OPERATOR_FIELD_MANAGER, OPERATOR_NAMESPACE, ConditionType
from tracksync.api.job import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.cli.run_view import RunView


def next_steps(run: RunView) -> list[str]:
    """Return one line for each thing to do, the first one first."""
    if run.is_deleted and not run.is_ended:
        return ["It is being deleted: its worker rolls back, then it vanishes. Nothing to do."]
    if run.phase is None:
        return [
            (
                f"The operator has not taken it up. Is it there (`kubectl -n {OPERATOR_NAMESPACE} get deployment "
                f"{OPERATOR_FIELD_MANAGER}`), and does it watch this namespace?"
            )
        ]
    return [*_by_phase(run, run.phase), *_beside(run)]


def _command(run: RunView, verb: str, *options: str) -> str:
    return f"`tracksync {' '.join((verb, run.key.name, '-n', run.key.namespace, *options))}`"


def _by_phase(run: RunView, phase: Phase) -> Iterator[str]:
    match phase:
        case Phase.PENDING:
            yield f"It starts by itself; if a problem is named above, once that is gone. {_command(run, 'watch')}"
        case Phase.QUEUED:
            yield f"It starts by itself when it is its turn. {_command(run, 'cancel')} takes it out of the queue."
        case Phase.RUNNING:
            yield from _running(run)
        case Phase.SUSPENDED:
            yield f"{_command(run, 'resume')} goes on from what was fetched."
        case Phase.RETRYING:
            yield f"It tries again by itself. The failed attempt's log: {_command(run, 'logs', *_last_attempt(run))}"
        case Phase.CANCELLING:
            yield "Its worker is being stopped and rolls back; that is bounded in time. Nothing to do."
        case Phase.SUCCEEDED | Phase.COMPLETED_WITH_ERRORS:
            yield f"What it changed, track by track: `tracksync report {run.uid}` with the database's URL."
        case Phase.FAILED:
            yield f"Its worker's log: {_command(run, 'logs')}"
            yield f"Once the cause is gone, {_command(run, 'resume')} goes on from what was fetched."
        case Phase.CANCELLED:
            yield f"No track was changed. {_command(run, 'resume')} goes on from what was fetched."


def _running(run: RunView) -> Iterator[str]:
    if run.holds(ConditionType.STALLED):
        yield f"It is silent. Look at its worker's log: {_command(run, 'logs')}"
        yield f"If it hangs: {_command(run, 'suspend')}, then {_command(run, 'resume')} starts it anew where it was."
    else:
        yield f"Nothing. See it live: {_command(run, 'watch')}"


def _last_attempt(run: RunView) -> tuple[str, ...]:
    ended = [attempt.number for attempt in run.operator.attempts if attempt.completion_time is not None]
    return ("--attempt", str(ended[-1])) if ended else ()


def _beside(run: RunView) -> Iterator[str]:
    """Give what is to be done whatever the phase is."""
    if run.is_behind:
        yield "The operator has not looked at the latest change of the spec yet: ask again in a few seconds."
    withheld = run.worker.withheld
    if run.is_done and withheld is not None and withheld.count and run.holds(ConditionType.DEACTIVATION_WITHHELD):
        yield (
            f"{withheld.count} vanished tracks were left active. If they are really gone, create a run with "
            f"`--approved-ceiling {withheld.count}`."
        )
    if run.phase is Phase.COMPLETED_WITH_ERRORS:
        yield "The next run asks for the failed tracks again; nothing has to be done for them."
