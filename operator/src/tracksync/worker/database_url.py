"""The database URL in a file, such as the one that a secret is mounted to: read when it is needed."""

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
        raise DatabaseCredentialsError("there is no value; create it and store the database URL in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseCredentialsError(
            f"the value cannot be read ({type(error).__name__}); store the database URL as plain text"
        ) from None
    if not url:
        raise DatabaseCredentialsError("the value is empty; store the database URL in it")
    if len(content) > MAX_BYTES:
        raise DatabaseCredentialsError("the value is too long for a database URL; store only the URL in it")
    return url
