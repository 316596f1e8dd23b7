"""The database URL of a worker pod: read from the file that the secret is mounted to, when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracksync.errors import DatabaseCredentialsError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 8192


def read_database_url(path: Path) -> str:
    """Return the URL without the white space around it; whether it is a good one is the database adapter's to say.

    Raises:
        DatabaseCredentialsError: the file is missing, empty, too long or no text. The message never shows its content.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        url = content.decode().strip()
    except FileNotFoundError:
        raise DatabaseCredentialsError("the secret or its key does not exist; create it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseCredentialsError(f"the secret's value cannot be read ({type(error).__name__})") from None
    if not url:
        raise DatabaseCredentialsError("the secret's value is empty; store the database URL in it")
    if len(content) > MAX_BYTES:
        raise DatabaseCredentialsError("the secret's value is too long for a database URL; store only the URL in it")
    return url
