"""The revision that this build expects. Apart from `migrate`, so that a worker does not import Alembic to compare it.

Importing Alembic and SQLAlchemy takes a third of a worker's start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import tracksync
from tracksync.errors import SchemaMismatchError

EXPECTED_REVISION: Final = "0004"
"""The revision that this build reads and writes; a test holds it equal to the newest file in `migrations/versions`."""
VERSIONS: Final = Path(tracksync.__file__).parent / "migrations" / "versions"


def is_known(revision: str) -> bool:
    """Whether this build has the revision's file, whose name begins with it."""
    return any(path.name.startswith(f"{revision}_") for path in VERSIONS.glob("*.py"))


def schema_mismatch(revision: str | None) -> SchemaMismatchError:
    """Return the error that names both revisions and the remedy."""
    if revision is None:
        found, remedy = "has no TrackSync tables", "run `tracksync migrate`"
    elif is_known(revision):
        found, remedy = f"is at revision {revision}", "run `tracksync migrate`"
    else:
        found, remedy = f"is at revision {revision}, which this build does not know", "use a newer TrackSync"
    return SchemaMismatchError(f"the database {found}; this build expects revision {EXPECTED_REVISION}: {remedy}")
