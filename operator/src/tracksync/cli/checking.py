"""Checking a saved page: read it, have it parsed where it can be killed, print what a sync would make of it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import typer

from tracksync.adapters.web.fetching import CATALOGUE_LIMITS, DASHBOARD_LIMITS, Page
from tracksync.adapters.web.parser import CPU_SECONDS, PageNotParsedError, Parser
from tracksync.cli.documents import (
    MASK,
    address_document,
    catalogue_document,
    dashboard_document,
    masked,
    time_document,
)
from tracksync.cli.options import PageOutput
from tracksync.cli.render import printable, write_grid, write_json
from tracksync.core.tracks.model import PERSONAL_COLUMNS, Dashboard, Location
from tracksync.errors import ExitCode
from tracksync.liverc.hosts import is_slug

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from tracksync.cli.documents import Document
    from tracksync.core.tracks.model import Listing, Reading

_Value = TypeVar("_Value")
_STANDARD_INPUT: Final = "-"
_ENCODING: Final = "utf-8"
"""What bytes are read as; those that are none become replacement characters."""
_DOMAIN: Final = re.compile(r"[a-z0-9.-]{3,253}", re.ASCII)
_FILE_NAME: Final = re.compile(r"[^,]*(?:/[^,]*|\.html?)", re.IGNORECASE)
_TRACK_HEADINGS: Final = ("SLUG", "NAME", "KIND", "FEATURED", "STATUS", "VIDEO", "UPDATED", "EVENT")
_FIELD_HEADINGS: Final = ("FIELD", "STATE", "VALUE", "FROM")
_NO_SLUG: Final = "page"
"""What the parser is told when nobody named the track; the reasons leave it out again."""
_LONGEST_TIME: Final = 4_096
"""Bytes of standard input that are read as a relative time."""


def check_catalogue(file: str, *, domain: str, output: PageOutput) -> int:
    """Print what the page lists; return the exit code.

    Raises:
        typer.BadParameter: the file or the domain is unusable.
        typer.Exit: the page goes beyond a page's limits.
    """
    name = domain.strip(".").lower()
    if not _DOMAIN.fullmatch(name):
        raise typer.BadParameter("no domain; give a name such as liverc.com", param_hint="--domain")
    page = _read_page(file, CATALOGUE_LIMITS.body_bytes)
    listing = _parsed(lambda parser: parser.parse_catalogue(page, domain=name))
    if output is PageOutput.JSON:
        write_json(catalogue_document(listing))
    else:
        _write_listing(listing)
    return ExitCode.DONE if listing.is_complete else ExitCode.LISTING_INVALID


def check_dashboard(file: str, *, slug: str | None, output: PageOutput, show_personal: bool) -> int:
    """Print what the page says about each column; return the exit code.

    Raises:
        typer.BadParameter: the file or the slug is unusable.
        typer.Exit: the page goes beyond a page's limits.
    """
    if slug is not None and not is_slug(slug):
        raise typer.BadParameter("no slug; give the first label of the track's host in lower case", param_hint="--slug")
    page = _read_page(file, DASHBOARD_LIMITS.body_bytes)
    found = _parsed(lambda parser: parser.parse_dashboard(page, slug=slug or _NO_SLUG))
    problems = found.problems if slug else tuple(text.removeprefix(f"{_NO_SLUG}: ") for text in found.problems)
    dashboard = Dashboard(found.fields if show_personal else masked(found.fields), problems)
    if output is PageOutput.JSON:
        write_json(dashboard_document(dashboard))
    else:
        _write_fields(dashboard.fields)
        _write_verdict("proven to be a dashboard", dashboard.problems)
    _tell_what_is_masked(dashboard.fields)
    return ExitCode.DONE if dashboard.is_proven else ExitCode.LISTING_INVALID


def check_address(text: str, *, output: PageOutput, show_personal: bool) -> int:
    """Print the location in a map's query, or in a file with a map or an address block; return the exit code.

    Raises:
        typer.BadParameter: the file is unusable, or the text looks like the name of one that is not there.
        typer.Exit: the file goes beyond a page's limits.
    """
    page = _read_page(text, DASHBOARD_LIMITS.body_bytes) if _is_file(text) else Page(os.fsencode(text), _ENCODING)
    found = _parsed(lambda parser: parser.parse_address(page))
    location = Location(found.fields if show_personal else masked(found.fields), found.problems)
    if output is PageOutput.JSON:
        write_json(address_document(location))
    else:
        _write_fields(location.fields)
        _write_lines(location.problems)
    _tell_what_is_masked(location.fields)
    return ExitCode.DONE


def check_time(text: str, *, output: PageOutput) -> int:
    """Print the interval that a relative time stands for; return the exit code.

    Raises:
        typer.BadParameter: standard input cannot be read.
    """
    if text == _STANDARD_INPUT:
        text = _read_bytes(text, _LONGEST_TIME).decode(_ENCODING, errors="replace")
    document = time_document(text)
    if output is PageOutput.JSON:
        write_json(document)
    else:
        write_grid(("", "VALUE"), document.items())
    return ExitCode.DONE


def _is_file(text: str) -> bool:
    """Return whether the argument is a file's name and not a map's query.

    Raises:
        typer.BadParameter: it looks like a name, but there is no such file.
    """
    try:
        is_there = text == _STANDARD_INPUT or Path(text).exists()
    except OSError:  # longer than a file's name may be
        is_there = False
    if not is_there and _FILE_NAME.fullmatch(text):
        raise typer.BadParameter(
            f"there is no file {printable(text)}; name a saved page, or give a map's query such as "
            '"12 Example Road,Springfield,NC+27000,US"',
            param_hint="TEXT|FILE",
        )
    return is_there


def _read_page(file: str, limit: int) -> Page:
    body = _read_bytes(file, limit + 1)
    if len(body) > limit:
        _refuse(f"the page is larger than {limit:,} bytes: a sync would not read it", "Save the page alone.")
    return Page(body, _ENCODING)


def _read_bytes(file: str, limit: int) -> bytes:
    """Return the file's first bytes; typer.BadParameter when it cannot be read."""
    try:
        if file == _STANDARD_INPUT:
            return sys.stdin.buffer.read(limit)
        with Path(file).open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise typer.BadParameter(
            f"cannot read {printable(file)}: {error.strerror}; name a saved page, or - for standard input",
            param_hint="FILE",
        ) from None


def _parsed(parse: Callable[[Parser], Awaitable[_Value]]) -> _Value:
    """Return what the parser process makes of the page; it is killed when the page goes beyond its limits."""
    try:
        return asyncio.run(_in_child(parse))
    except PageNotParsedError:
        _refuse(
            f"the page takes more than {CPU_SECONDS} s of processor time, or too much memory, to read",
            "Look at the page: it is nested too deeply, or it is no page. A sync would not store anything of it.",
        )


async def _in_child(parse: Callable[[Parser], Awaitable[_Value]]) -> _Value:
    async with Parser() as parser:
        return await parse(parser)


def _refuse(message: str, remedy: str) -> NoReturn:
    typer.echo(f"Error: {message}\n{remedy}", err=True)
    raise typer.Exit(ExitCode.LISTING_INVALID)


def _write_listing(listing: Listing) -> None:
    write_grid(
        _TRACK_HEADINGS,
        (
            (
                *(track.slug_as_listed, track.name, track.kind, track.is_featured, track.status, track.has_video),
                *(track.last_updated_text, track.event_name),
            )
            for track in listing.tracks
        ),
    )
    document = catalogue_document(listing)
    write_grid(("COUNT", ""), _counts(document))
    _write_lines([f"row {row.position} is skipped: {row.reason.value}" for row in listing.skipped])
    _write_verdict("a complete listing", listing.problems)


def _counts(document: Document) -> Iterator[tuple[str, object]]:
    """Return the document's numbers, one a line; those in a mapping are named behind its key."""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from ((f"{key} {name}", number) for name, number in value.items())
        elif isinstance(value, int) and not isinstance(value, bool):
            yield key, value


def _write_fields(readings: Mapping[str, Reading]) -> None:
    if readings:
        rows = ((column, found.state, found.value, found.origin) for column, found in readings.items())
        write_grid(_FIELD_HEADINGS, rows)


def _write_verdict(praise: str, problems: Sequence[str]) -> None:
    _write_lines([f"not {praise}:", *(f"  {problem}" for problem in problems)] if problems else [praise])


def _write_lines(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(printable(line))


def _tell_what_is_masked(readings: Mapping[str, Reading]) -> None:
    hidden = sorted(column for column, found in readings.items() if found.value == MASK and column in PERSONAL_COLUMNS)
    if hidden:
        typer.echo(f"Masked: {', '.join(hidden)}; --show-personal shows them", err=True)
