"""Tracks as table, JSON or CSV on standard output; text from the web steers neither a terminal nor a spreadsheet."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Final, assert_never

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tracksync.cli.options import ListOutput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TABLE_COLUMNS: Final = ("slug", "name", "city", "state", "country", "kind", "is_active", "phone", "email")
"""Columns of the table for people, as far as a row has them."""
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Cells that begin so are run as formulas by spreadsheet programs (OWASP, CSV Injection)."""
WIDE: Final = 1000
"""Characters of a table line where no terminal limits it, so that `grep` sees whole cells."""


def write_tracks(rows: Sequence[Mapping[str, object]], output: ListOutput) -> None:
    """Write the rows to standard output."""
    match output:
        case ListOutput.TABLE:
            _write_table(rows)
        case ListOutput.JSON:
            write_json(list(map(dict, rows)))
        case ListOutput.CSV:
            _write_csv(rows)
        case _:
            assert_never(output)


def write_json(document: object) -> None:
    """Write the document to standard output in ASCII: escapes keep control and direction characters away."""
    sys.stdout.write(json.dumps(document, indent=2, default=str).replace("\x7f", "\\u007f") + "\n")


def write_grid(headings: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table to standard output, each value on one line without control characters."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(value)) for value in row))
    console.print(table)


def printable(value: object) -> str:
    """Return the value as one line of text in which every control, format or separator character is escaped."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(character if character.isprintable() else _escaped(character) for character in str(value))


def csv_cell(value: object) -> str:
    """Return the value as a cell that no spreadsheet program runs: an apostrophe stands before a formula's sign."""
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    if isinstance(value, str) and text.startswith(FORMULA_STARTS):
        text = f"'{text}"
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _escaped(character: str) -> str:
    return " " if character.isspace() else character.encode("unicode_escape").decode("ascii")


def _write_table(rows: Sequence[Mapping[str, object]]) -> None:
    columns = [column for column in TABLE_COLUMNS if not rows or column in rows[0]]
    headings = [column.removeprefix("is_").replace("_", " ").upper() for column in columns]
    write_grid(headings, ([row[column] for column in columns] for row in rows))
    sys.stdout.write(f"{len(rows)} tracks\n")


def _write_csv(rows: Sequence[Mapping[str, object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if not rows:
        return
    writer.writerow(rows[0])
    writer.writerows([csv_cell(value) for value in row.values()] for row in rows)
