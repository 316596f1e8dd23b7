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
    LargeBinary,
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
    # What the row says, in short; NULL: not known, so it is compared column by column.
    Column("listing_hash", LargeBinary),
    Column("metadata_hash", LargeBinary),
    # Since when the track is not listed any more although it is active: a guard keeps it.
    _moment("missing_since"),
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
    Column("mode", Text, nullable=False, server_default=text("'apply'")),
    # Written by the merge itself: what it did, and when. Present: it is committed, whatever its caller was told.
    Column("merged", JSONB),
    _moment("merged_at"),
    CheckConstraint("mode IN ('apply', 'plan', 'undo', 'adopt')", name="mode"),
    CheckConstraint("state IN ('running', 'succeeded', 'completed_with_errors', 'failed', 'cancelled')", name="state"),
    CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_at"),
    CheckConstraint("attempt >= 1", name="attempt"),
    CheckConstraint("epoch >= 1", name="epoch"),
    Index("runs_name_created_at_idx", "name", "created_at"),
    Index("runs_created_at_idx", "created_at"),
    Index("runs_state_created_at_idx", "state", "created_at"),
)

# Who may write into a source's tracks: one row per source, held for a while and renewed. No foreign key: the epoch goes
# on counting when the run's own row is cleaned up.
LEASES: Final = Table(
    "leases",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("run_id", UUID(as_uuid=True), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("renewed_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("epoch >= 1", name="epoch"),
)

SYNC_ITEMS: Final = Table(
    "sync_items",
    METADATA,
    Column("run_id", UUID(as_uuid=True), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("slug", Text, primary_key=True),
    # What the catalogue says of the track; NULL once it has vanished.
    Column("slug_as_listed", Text),
    Column("name", Text),
    Column("track_url", Text),
    Column("events_url", Text),
    Column("is_featured", Boolean),
    Column("kind", Text),
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
    # In short: what the catalogue says, what is stored of the dashboard, what the page says.
    Column("listing_hash", LargeBinary),
    Column("known_hash", LargeBinary),
    Column("metadata_hash", LargeBinary),
    # What is going on at the track, when it is another thing than what is stored.
    Column("activity", JSONB),
    CheckConstraint("state IN ('waiting', 'fetched', 'unmodified', 'failed', 'listed', 'vanished')", name="state"),
    # A page that says the same as what is stored leaves no values here.
    CheckConstraint("dashboard IS NULL OR state = 'fetched'", name="dashboard"),
    CheckConstraint(
        "(state = 'vanished') = (num_nulls(slug_as_listed, name, track_url, events_url, is_featured, kind) > 0)",
        name="listing",
    ),
    # What waits may carry the class of its latest failure.
    CheckConstraint(
        "CASE state WHEN 'failed' THEN error_class IS NOT NULL WHEN 'waiting' THEN true ELSE error_class IS NULL END",
        name="error_class",
    ),
    CheckConstraint("next_try IS NULL OR state = 'waiting'", name="next_try"),
    CheckConstraint("jsonb_typeof(dashboard) = 'object'", name="dashboard_object"),
    CheckConstraint("attempts >= 0", name="attempts"),
)

# Staged tracks that are new and came with all that is known of them: nothing has to be fetched for them. Unlogged, for
# that costs a third: after a crash of the server it is empty, the run finds its checkpoint incomplete and reads the
# listing again. No foreign key and no index: it is written and read as a whole.
SYNC_NEW_TRACKS: Final = Table(
    "sync_new_tracks",
    METADATA,
    Column("run_id", UUID(as_uuid=True), nullable=False),
    Column("slug", Text, nullable=False),
    Column("slug_as_listed", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("track_url", Text, nullable=False),
    Column("events_url", Text, nullable=False),
    Column("is_featured", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    *(Column(name, Text) for name in TEXT_COLUMNS),
    *(Column(name, BigInteger) for name in TOTAL_COLUMNS),
    Column("listing_hash", LargeBinary),
    Column("metadata_hash", LargeBinary),
    Column("activity", JSONB),
    prefixes=["UNLOGGED"],
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

# Which tracks a run changed. A run that merges again adds to its own rows.
CHANGES: Final = Table(
    "changes",
    METADATA,
    # No foreign keys: checking them row by row would cost half of an initial load. Rows of tracks are never deleted,
    # and whoever forgets a run deletes its log first.
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("track_id", UUID(as_uuid=True), primary_key=True),
    Column("kind", Text, nullable=False),
    # Columns of which the run changed the value, sorted; empty for a track that it inserted.
    Column("fields", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    # What those columns held before, but for those that may hold personal data; NULL when there is nothing to say.
    Column("before", JSONB),
    CheckConstraint("kind IN ('inserted', 'updated', 'reactivated', 'deactivated')", name="kind"),
)

# What a run in plan mode would change: like `changes`, by slug, since what would be inserted has no id.
PLANNED_CHANGES: Final = Table(
    "planned_changes",
    METADATA,
    Column("run_id", UUID(as_uuid=True), ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("slug", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    CheckConstraint("kind IN ('inserted', 'updated', 'reactivated', 'deactivated')", name="kind"),
)

# What is going on at a track, as the catalogue says: volatile, so it is no content and no change. No foreign key, see
# `changes`.
TRACK_ACTIVITY: Final = Table(
    "track_activity",
    METADATA,
    Column("track_id", UUID(as_uuid=True), primary_key=True),
    Column("status", Text),
    Column("has_video", Boolean, nullable=False),
    Column("event_name", Text),
    # The middle of the interval that a text such as "2 weeks ago" stands for, and how coarse it is.
    _moment("active_at"),
    Column("precision", Text),
    # When the page that said so came.
    Column("observed_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("(active_at IS NULL) = (precision IS NULL)", name="precision"),
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
