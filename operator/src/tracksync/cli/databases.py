"""Which database a command works on: a given URL, or the embedded one in a directory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tracksync.errors import DatabaseCredentialsError, SettingsError
from tracksync.settings import CliSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatabaseChoice:
    """A database that somebody chose.

    Attributes:
        setting: the flag or variable that chose it, for messages.
        url: its URL, or None for an embedded one.
        data_dir: directory of the embedded one.
    """

    setting: str
    data_dir: Path
    url: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether TrackSync runs this database itself."""
        return self.url is None


def choose_database(url: str | None, data_dir: Path | None) -> DatabaseChoice:
    """Return what was asked for: flags before environment, a URL before a directory.

    Raises:
        typer.BadParameter: both flags were given.
    """
    if url is not None and data_dir is not None:
        raise typer.BadParameter("--database-url and --data-dir exclude each other; give one of them")
    settings = CliSettings.read()
    if url is not None:
        return DatabaseChoice("--database-url", settings.data_dir, url)
    if data_dir is not None:
        return DatabaseChoice("--data-dir", data_dir.expanduser())
    if settings.database_url:
        return DatabaseChoice("TRACKSYNC_DATABASE_URL", settings.data_dir, settings.database_url)
    return DatabaseChoice("--data-dir", settings.data_dir.expanduser())


@contextmanager
def opened(choice: DatabaseChoice) -> Iterator[str]:
    """Give the database's URL; an embedded one runs inside the block and is created when there is none."""
    if choice.url is not None:
        yield choice.url
        return
    from tracksync.adapters.postgres.embedded import embedded_postgres

    with embedded_postgres(choice.data_dir) as url:
        yield url


def refuse_missing(choice: DatabaseChoice) -> None:
    """Raise SettingsError when the embedded database was never created: reading must not create an empty one."""
    from tracksync.adapters.postgres.embedded import CLUSTER

    if choice.is_embedded and not (choice.data_dir / CLUSTER).exists():
        raise SettingsError(f"{choice.setting}: there is no database in {choice.data_dir}; run `tracksync run` first")


def choose_database_file(path: Path, *, others: tuple[object, ...]) -> DatabaseChoice:
    """Return the database whose URL is in a file.

    Raises:
        typer.BadParameter: another database was given as well.
        DatabaseCredentialsError: the file is missing, empty or unusable.
    """
    if any(other is not None for other in others):
        raise typer.BadParameter("--database-url-file excludes --database-url and --data-dir; give one of them")
    from tracksync.worker.database_url import read_database_url

    try:
        url = read_database_url(path)
    except DatabaseCredentialsError as error:
        raise DatabaseCredentialsError(f"--database-url-file: {error}") from None
    return DatabaseChoice("--database-url-file", CliSettings.read().data_dir, url)
