"""Who writes which column of `tracks`: the one list from which statements are built.

Columns that belong to the admin (`ADMIN_COLUMNS`) are in no other list here, so no statement of the sync can name them.
"""

from __future__ import annotations

from typing import Final

from tracksync.core.tracks.model import DASHBOARD_COLUMNS, PERSONAL_COLUMNS

KEY_COLUMNS: Final = ("id", "source", "slug")
LISTING_COLUMNS: Final = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
"""What the catalogue page says about a track."""
CONTENT_COLUMNS: Final = LISTING_COLUMNS + DASHBOARD_COLUMNS
"""A track is `updated` when one of these changes; nothing else moves `updated_at`."""
LIFE_COLUMNS: Final = ("is_active", "deactivated_at", "last_seen_at", "created_at", "updated_at")
ADMIN_COLUMNS: Final = ("is_followed", "start_finish_line", "latitude", "longitude")
"""Edited by people; the sync neither inserts nor updates them."""
BOOKKEEPING_COLUMNS: Final = ("listing_hash", "metadata_hash", "missing_since")
"""What the sync notes about a row for itself."""
BEFORE_COLUMNS: Final = tuple(
    column for column in CONTENT_COLUMNS if column not in PERSONAL_COLUMNS and column != "description"
)
"""Columns of which the log of changes keeps the value from before."""
TRACK_COLUMNS: Final = KEY_COLUMNS + CONTENT_COLUMNS + LIFE_COLUMNS + ADMIN_COLUMNS
