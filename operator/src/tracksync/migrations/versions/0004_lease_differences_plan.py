"""One writer per source, differences instead of whole listings, what is going on at a track, and planned changes.

Expand-only: columns and tables are added, constraints are relaxed. A build that knows only revision 0003 can finish a
run that it has begun.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from tracksync.errors import ConfigurationError

revision = "0004"
down_revision = "0003"

# An active track that is not missing was seen whenever its source was completely seen; every other one has its own.
_TRACKS_WITH_LAST_SEEN = """
CREATE OR REPLACE VIEW tracks_with_last_seen AS
SELECT t.id, t.source, t.slug, t.slug_as_listed, t.name, t.track_url, t.events_url, t.is_featured, t.kind, t.street,
       t.city, t.state, t.postal_code, t.country_code, t.country, t.address, t.phone, t.website, t.email, t.description,
       t.logo_url, t.livetime_track_id, t.facebook_url, t.total_laps, t.total_practice_sessions, t.total_races,
       t.total_entries, t.total_events, t.is_active, t.deactivated_at,
       CASE WHEN t.is_active AND t.missing_since IS NULL THEN greatest(t.last_seen_at, s.last_complete_at)
            ELSE t.last_seen_at END AS last_seen_at,
       t.created_at, t.updated_at, t.is_followed, t.start_finish_line, t.latitude, t.longitude, t.missing_since
FROM tracks AS t LEFT JOIN source_state AS s ON s.source = t.source
"""
_LISTING_COLUMNS = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
_TEXT_COLUMNS = (
    *("street", "city", "state", "postal_code", "country_code", "country", "address", "phone", "website", "email"),
    *("description", "logo_url", "livetime_track_id", "facebook_url"),
)
_TOTAL_COLUMNS = ("total_laps", "total_practice_sessions", "total_races", "total_entries", "total_events")
_ITEM_STATES = "state IN ('waiting', 'fetched', 'unmodified', 'failed', 'listed', 'vanished')"


def upgrade() -> None:
    """Create what a lease, a merge's own record and a plan need."""
    _create_leases()
    _widen_runs()
    _widen_tracks()
    _widen_staging()
    _create_sync_new_tracks()
    _widen_changes()
    _create_planned_changes()
    _create_track_activity()
    op.execute(_TRACKS_WITH_LAST_SEEN)


def downgrade() -> None:
    """Refuse: dropping the log of changes would lose what runs did."""
    raise ConfigurationError("there is no way back from this revision; restore a backup instead")


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", postgresql.UUID(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("leases_pkey")),
        sa.CheckConstraint("epoch >= 1", name=op.f("leases_epoch_check")),
    )


def _widen_runs() -> None:
    op.add_column("runs", sa.Column("mode", sa.Text(), server_default=sa.text("'apply'"), nullable=False))
    op.create_check_constraint(op.f("runs_mode_check"), "runs", "mode IN ('apply', 'plan', 'undo', 'adopt')")
    # Written by the merge itself: what it did, and when. Present: it is committed, whatever its caller was told.
    op.add_column("runs", sa.Column("merged", postgresql.JSONB()))
    op.add_column("runs", sa.Column("merged_at", sa.DateTime(timezone=True)))
    op.create_index("runs_state_created_at_idx", "runs", ["state", "created_at"])


def _widen_tracks() -> None:
    # NULL: not known, so the row is compared column by column.
    op.add_column("tracks", sa.Column("listing_hash", sa.LargeBinary()))
    op.add_column("tracks", sa.Column("metadata_hash", sa.LargeBinary()))
    op.add_column("tracks", sa.Column("missing_since", sa.DateTime(timezone=True)))


def _widen_staging() -> None:
    for column in _LISTING_COLUMNS:
        op.alter_column("sync_items", column, nullable=True)
    for column in ("listing_hash", "known_hash", "metadata_hash"):
        op.add_column("sync_items", sa.Column(column, sa.LargeBinary()))
    op.add_column("sync_items", sa.Column("activity", postgresql.JSONB()))
    for name, condition in (
        ("state", _ITEM_STATES),
        ("dashboard", "dashboard IS NULL OR state = 'fetched'"),
    ):
        op.drop_constraint(op.f(f"sync_items_{name}_check"), "sync_items")
        op.create_check_constraint(op.f(f"sync_items_{name}_check"), "sync_items", condition)
    op.create_check_constraint(
        op.f("sync_items_listing_check"),
        "sync_items",
        f"(state = 'vanished') = (num_nulls({', '.join(_LISTING_COLUMNS)}) > 0)",
    )


def _create_sync_new_tracks() -> None:
    # Unlogged, without index and foreign key: after a crash of the server it is empty, and the listing is read again.
    op.create_table(
        "sync_new_tracks",
        sa.Column("run_id", postgresql.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Boolean() if name == "is_featured" else sa.Text(), nullable=False)
            for name in _LISTING_COLUMNS
        ),
        *(sa.Column(name, sa.Text()) for name in _TEXT_COLUMNS),
        *(sa.Column(name, sa.BigInteger()) for name in _TOTAL_COLUMNS),
        sa.Column("listing_hash", sa.LargeBinary()),
        sa.Column("metadata_hash", sa.LargeBinary()),
        sa.Column("activity", postgresql.JSONB()),
        prefixes=["UNLOGGED"],
    )


def _widen_changes() -> None:
    # Checking row by row that its track and its run exist would cost half of an initial load. Rows of tracks are never
    # deleted, and whoever forgets a run deletes its log first.
    op.drop_constraint(op.f("changes_track_id_fkey"), "changes")
    op.drop_constraint(op.f("changes_run_id_fkey"), "changes")
    op.add_column("changes", sa.Column("before", postgresql.JSONB()))


def _create_planned_changes() -> None:
    op.create_table(
        "planned_changes",
        sa.Column("run_id", postgresql.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "slug", name=op.f("planned_changes_pkey")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.run_id"], name=op.f("planned_changes_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "kind IN ('inserted', 'updated', 'reactivated', 'deactivated')", name=op.f("planned_changes_kind_check")
        ),
    )


def _create_track_activity() -> None:
    op.create_table(
        "track_activity",
        sa.Column("track_id", postgresql.UUID(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("has_video", sa.Boolean(), nullable=False),
        sa.Column("event_name", sa.Text()),
        sa.Column("active_at", sa.DateTime(timezone=True)),
        sa.Column("precision", sa.Text()),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("track_id", name=op.f("track_activity_pkey")),
        sa.CheckConstraint("(active_at IS NULL) = (precision IS NULL)", name=op.f("track_activity_precision_check")),
    )
