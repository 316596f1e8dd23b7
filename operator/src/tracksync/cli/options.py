"""Options that several commands share, and the words that their values may be."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DATABASE_PANEL = "Database"


class RunOutput(StrEnum):
    """How `tracksync run` ends its output."""

    TEXT = "text"
    JSON = "json"


class Deactivation(StrEnum):
    """What `tracksync run` does with tracks that vanished from the catalogue."""

    APPLY = "apply"
    WITHHOLD = "withhold"
    DISABLED = "disabled"


class ListOutput(StrEnum):
    """How `tracksync tracks` prints."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class PageOutput(StrEnum):
    """How `tracksync parse` prints."""

    TABLE = "table"
    JSON = "json"


class ReportOutput(StrEnum):
    """How `tracksync report` prints."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


class RunState(StrEnum):
    """How a run stands in the ledger."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ZeroTotalsChoice(StrEnum):
    """What `tracksync adopt` makes of a total of 0."""

    UNKNOWN = "unknown"
    KEEP = "keep"


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        show_default=False,
        rich_help_panel=DATABASE_PANEL,
        help="PostgreSQL URL, postgresql://USER:PASSWORD@HOST:5432/DATABASE. Better set TRACKSYNC_DATABASE_URL: "
        "other users of the machine can read a command's arguments. [default: an embedded database]",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        show_default=False,
        rich_help_panel=DATABASE_PANEL,
        help="Directory of the embedded database. [default: TRACKSYNC_DATA_DIR, else ~/.local/share/tracksync]",
    ),
]
WriterRole = Annotated[
    str | None,
    typer.Option(
        "--writer",
        metavar="ROLE",
        show_default=False,
        help="Role that workers connect as: it may do what a sync does, and nothing to what belongs to the admin.",
    ),
]
ReaderRole = Annotated[
    str | None,
    typer.Option("--reader", metavar="ROLE", show_default=False, help="Role that only reads."),
]
