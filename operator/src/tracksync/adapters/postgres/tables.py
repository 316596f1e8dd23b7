"""The tables, as SQLAlchemy metadata. Migrations build them; a test compares the two.

Times are `timestamptz`. Rows of `tracks` are never deleted and their ids never change, because other tables point at
them. `sync_items` is staging area, checkpoint and retry ledger of a run in one. Personal data is in `tracks`, and in
`sync_items` until the run has ended; in no other table. The view `tracks_with_last_seen` is made by a migration alone.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS

NAMES: Final = {
    "pk": "%(table_name)s_pkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
}
METADATA: Final = MetaData(naming_convention=NAMES)


def _moment(name: str, *, is_set_at_insert: bool = False) -> Column[object]:
    default = text("now()") if is_set_at_insert else None
    return Column(name, DateTime(timezone=True), nullable=not is_set_at_insert, server_default=default)


def _count(name: str) -> Column[object]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


TRACKS: Final = Table(
    "tracks",
    METADATA,
    Column("id", UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()")),
    Column("source", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("slug_as_listed", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("track_url", Text, nullable=False),
    Column("events_url", Text, nullable=False),
    Column("is_featured", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    *(Column(name, Text) for name in TEXT_COLUMNS),
    *(Column(name, BigInteger) for name in TOTAL_COLUMNS),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    _moment("deactivated_at"),
    _moment("last_seen_at"),
    _moment("created_at", is_set_at_insert=True),
    _moment("updated_at", is_set_at_insert=True),
    Column("is_followed", Boolean, nullable=False, server_default=text("false")),
    Column("start_finish_line", JSONB),
    Column("latitude", Double),
    Column("longitude", Double),
    UniqueConstraint("source", "slug"),
    CheckConstraint("slug = lower(slug) AND length(slug) BETWEEN 1 AND 63", name="slug"),
    CheckConstraint("is_active = (deactivated_at IS NULL)", name="deactivated_at"),
    CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
    CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
    *(CheckConstraint(f"{name} >= 0", name=name) for name in TOTAL_COLUMNS),
)

RUNS: Final = Table(
    "runs",
    METADATA,
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    _moment("created_at", is_set_at_insert=True),
    _moment("started_at", is_set_at_insert=True),
    _moment("finished_at"),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("results", JSONB),
    # The checkpoint: which spec it was staged for, what the staged rows mean, and what the listing had (no rows).
    Column("spec_hash", Text, nullable=False, server_default=text("''")),
    Column("checkpoint_format", Integer),
    Column("listing", JSONB),
    # The oldest parser that read one of the run's dashboards.
    Column("parser_version", Integer),
    _moment("listed_at"),
    CheckConstraint("state IN ('running', 'succeeded', 'completed_with_errors', 'failed', 'cancelled')", name="state"),
    CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_at"),
    CheckConstraint("attempt >= 1", name="attempt"),
    CheckConstraint("epoch >= 1", name="epoch"),
    Index("runs_name_created_at_idx", "name", "created_at"),
    Index("runs_created_at_idx", "created_at"),
)

SYNC_ITEMS: Final = Table(
    "sync_items",
    METADATA,
    Column("run_id", UUID(as_uuid=True), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("slug", Text, primary_key=True),
    Column("slug_as_listed", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("track_url", Text, nullable=False),
    Column("events_url", Text, nullable=False),
    Column("is_featured", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    # Only the columns to write: a value, or JSON null for a proven blank. A column that is not a key is preserved.
    Column("dashboard", JSONB),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error_class", Text),
    Column("http_status", SmallInteger),
    _moment("next_try"),
    # When its latest attempt ended; NULL as long as there was none.
    _moment("finished_at"),
    # While it waits: what to send along. Once it is fetched: what came with the page.
    Column("etag", Text),
    Column("last_modified", Text),
    CheckConstraint("state IN ('waiting', 'fetched', 'unmodified', 'failed', 'listed')", name="state"),
    CheckConstraint("(state = 'fetched') = (dashboard IS NOT NULL)", name="dashboard"),
    # What waits may carry the class of its latest failure.
    CheckConstraint(
        "CASE state WHEN 'failed' THEN error_class IS NOT NULL WHEN 'waiting' THEN true ELSE error_class IS NULL END",
        name="error_class",
    ),
    CheckConstraint("next_try IS NULL OR state = 'waiting'", name="next_try"),
    CheckConstraint("jsonb_typeof(dashboard) = 'object'", name="dashboard_object"),
    CheckConstraint("attempts >= 0", name="attempts"),
)

# What is known about a stored dashboard, one row per track that was ever asked for. Written by the merge alone.
TRACK_FRESHNESS: Final = Table(
    "track_freshness",
    METADATA,
    Column("track_id", UUID(as_uuid=True), ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True),
    # Planned start of the run that fetched or confirmed it last; NULL while it never was.
    _moment("as_of"),
    _moment("fetched_at"),
    # The latest attempt, whatever became of it: when, which try of its run it was, its answer and the failure's class.
    _moment("last_attempt_at"),
    Column("http_status", SmallInteger),
    # What came with the page that was fetched last.
    Column("etag", Text),
    Column("last_modified", Text),
    _count("attempts"),
    # Conditional requests in a row that confirmed the page.
    _count("unmodified"),
    Column("last_error_class", Text),
    _count("parser_version"),
    CheckConstraint("attempts >= 0", name="attempts"),
    CheckConstraint("unmodified >= 0", name="unmodified"),
    CheckConstraint("parser_version >= 0", name="parser_version"),
)

# Which tracks a run changed: names of columns, never their values. A run that merges again adds to its own rows.
CHANGES: Final = Table(
    "changes",
    METADATA,
    Column("run_id", UUID(as_uuid=True), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("track_id", UUID(as_uuid=True), ForeignKey("tracks.id"), primary_key=True),
    Column("kind", Text, nullable=False),
    # Columns of which the run changed the value, sorted; empty for a track that it inserted.
    Column("fields", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    CheckConstraint("kind IN ('inserted', 'updated', 'reactivated', 'deactivated')", name="kind"),
)

# When a source was completely seen last, one row per source. Written by the merge of an unfiltered run alone.
SOURCE_STATE: Final = Table(
    "source_state",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("last_complete_at", DateTime(timezone=True), nullable=False),
    # No foreign key: it stays known when the run's own row is cleaned up.
    Column("last_complete_run", UUID(as_uuid=True), nullable=False),
    # Tracks that the run listed, and active tracks after its merge. More active than listed: some were withheld.
    Column("listed", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    CheckConstraint("listed >= 0", name="listed"),
    CheckConstraint("active >= 0", name="active"),
)

# The pace that all users of this database share, one row per registrable domain.
SOURCE_DOMAINS: Final = Table(
    "source_domains",
    METADATA,
    Column("domain", Text, primary_key=True),
    # When the next free slot begins; NULL before the first one.
    _moment("next_free"),
    _moment("paused_until"),
    Column("off_reason", Text),
    _moment("updated_at", is_set_at_insert=True),
)

ROBOTS: Final = Table(
    "robots",
    METADATA,
    Column("domain", Text, primary_key=True),
    Column("host", Text, primary_key=True),
    Column("status", SmallInteger, nullable=False),
    Column("is_allowed", Boolean, nullable=False),
    Column("crawl_delay", Double),
    Column("fetched_at", DateTime(timezone=True), nullable=False),
    # The beginning of the file, for people to look at.
    Column("body", Text, nullable=False, server_default=text("''")),
    CheckConstraint("octet_length(body) <= 8192", name="body"),
)
