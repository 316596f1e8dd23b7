"""An error as a person should see it: one line that says what happened, one that says what to do."""

from typing import Final

import typer

from tracksync.errors import FailureReason

_REMEDIES: Final = {
    FailureReason.UNEXPECTED: "This is a bug: please report it with the lines above.",
    FailureReason.CONFIGURATION: "Correct the named setting and run the command again.",
    FailureReason.SETTINGS: "Correct the named setting and run the command again; --help lists all of them.",
    FailureReason.SOURCE_NOT_ALLOWED: "Check --source-url: redirects and addresses outside of it are refused.",
    FailureReason.DATABASE_CREDENTIALS: "Check --database-url or TRACKSYNC_DATABASE_URL, "
    "in the form postgresql://USER:PASSWORD@HOST:5432/DATABASE.",
    FailureReason.SCHEMA_MISMATCH: "Run `tracksync migrate` with the same database options.",
    FailureReason.DATABASE_UNAVAILABLE: "Check that the database runs and can be reached, then run the command again.",
    FailureReason.DATABASE_CAPACITY: "Give the database what it lacks, then run the command again.",
    FailureReason.SOURCE_UNAVAILABLE: "Check that the source runs and can be reached, then run the command again.",
    FailureReason.SOURCE_OFF: "Ask whoever did it; `tracksync source on`, with the same database options, undoes it.",
    FailureReason.TOO_MANY_FAILED_ITEMS: "Run the command again when the source answers; nothing was changed.",
    FailureReason.SOURCE_INVALID: "Look at the catalogue page; nothing was changed.",
    FailureReason.CANCELLED: "Run the command again to start over; nothing was changed.",
    FailureReason.FENCED: "Another process works on this run; wait for it, or start a new run.",
    FailureReason.LEASE_HELD: "Wait for the named run, or stop it (Ctrl-C, or delete its TrackSyncJob), then run the "
    "command again. The lease of a run that died expires after a minute.",
}
_DEFAULT_REMEDY: Final = "Run the command again later."


def explain_failure(message: str, reason: str) -> None:
    """Write to standard error what happened and what to do about it."""
    remedy = _REMEDIES.get(FailureReason(reason), _DEFAULT_REMEDY)
    typer.echo(f"Error: {' '.join(message.split())}\n{remedy}", err=True)
