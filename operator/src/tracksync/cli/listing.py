"""Reading stored tracks for display."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.identity import APP_NAME
from tracksync.cli.databases import opened, refuse_missing
from tracksync.cli.render import write_tracks
from tracksync.core.tracks.model import PERSONAL_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.cli.databases import DatabaseChoice
    from tracksync.cli.options import ListOutput
    from tracksync.core.tracks.model import StoredTrack


@dataclass(frozen=True, slots=True)
class TrackQuery:
    """Which tracks are wanted; None and False do not narrow."""

    source: str | None = None
    search: str | None = None
    include_inactive: bool = False


def print_tracks(query: TrackQuery, choice: DatabaseChoice, *, output: ListOutput, show_personal: bool) -> None:
    """Print the tracks that the query finds; personal columns only when they were asked for.

    Raises:
        TrackSyncError: there is no usable database.
    """
    refuse_missing(choice)
    with opened(choice) as url:
        found = asyncio.run(_find(query, url))
    hidden = frozenset() if show_personal else PERSONAL_COLUMNS
    rows = [{column: value for column, value in track.columns.items() if column not in hidden} for track in found]
    write_tracks(rows, output)
    if hidden and rows:
        typer.echo(f"Left out: {', '.join(sorted(hidden))}; --show-personal includes them", err=True)


async def _find(query: TrackQuery, url: str) -> Sequence[StoredTrack]:
    async with await PostgresDatabase.connect(url, application_name=f"{APP_NAME}-cli") as database:
        await database.ledger.verify_schema()
        return await database.tracks.find_tracks(
            source=query.source, search=query.search, include_inactive=query.include_inactive
        )
