"""The first tables: tracks, runs, sync_items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from tracksync.errors import ConfigurationError

revision = "0001"
down_revision = None

_TEXTS = (
    "street",
    "city",
    "state",
    "postal_code",
    "country_code",
    "country",
    "address",
    "phone",
    "website",
    "email",
    "description",
    "logo_url",
    "livetime_track_id",
    "facebook_url",
)
_TOTALS = ("total_laps", "total_practice_sessions", "total_races", "total_entries", "total_events")
_LISTED = ("slug_as_listed", "name", "track_url", "events_url")


def _moment(name: str, *, is_set_at_insert: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if is_set_at_insert else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not is_set_at_insert, server_default=default)


def upgrade() -> None:
    """Create the tables."""
    _create_tracks()
    _create_runs()
    _create_sync_items()


def downgrade() -> None:
    """Refuse: dropping tracks would lose ids that other tables point at."""
    raise ConfigurationError("there is no way back from the first revision; drop the database instead")


def _create_tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("id", postgresql.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _LISTED),
        sa.Column("is_featured", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in _TEXTS),
        *(sa.Column(name, sa.BigInteger()) for name in _TOTALS),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _moment("deactivated_at"),
        _moment("last_seen_at"),
        _moment("created_at", is_set_at_insert=True),
        _moment("updated_at", is_set_at_insert=True),
        sa.Column("is_followed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("start_finish_line", postgresql.JSONB()),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.PrimaryKeyConstraint("id", name=op.f("tracks_pkey")),
        sa.UniqueConstraint("source", "slug", name=op.f("tracks_source_slug_key")),
        sa.CheckConstraint("slug = lower(slug) AND length(slug) BETWEEN 1 AND 63", name=op.f("tracks_slug_check")),
        sa.CheckConstraint("is_active = (deactivated_at IS NULL)", name=op.f("tracks_deactivated_at_check")),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name=op.f("tracks_latitude_check")),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name=op.f("tracks_longitude_check")),
        *(sa.CheckConstraint(f"{name} >= 0", name=op.f(f"tracks_{name}_check")) for name in _TOTALS),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", postgresql.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        _moment("created_at", is_set_at_insert=True),
        _moment("started_at", is_set_at_insert=True),
        _moment("finished_at"),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("results", postgresql.JSONB()),
        sa.PrimaryKeyConstraint("run_id", name=op.f("runs_pkey")),
        sa.CheckConstraint(
            "state IN ('running', 'succeeded', 'completed_with_errors', 'failed', 'cancelled')",
            name=op.f("runs_state_check"),
        ),
        sa.CheckConstraint("(state = 'running') = (finished_at IS NULL)", name=op.f("runs_finished_at_check")),
        sa.CheckConstraint("attempt >= 1", name=op.f("runs_attempt_check")),
        sa.CheckConstraint("epoch >= 1", name=op.f("runs_epoch_check")),
    )
    op.create_index("runs_name_created_at_idx", "runs", ["name", "created_at"])
    op.create_index("runs_created_at_idx", "runs", ["created_at"])


def _create_sync_items() -> None:
    op.create_table(
        "sync_items",
        sa.Column("run_id", postgresql.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _LISTED),
        sa.Column("is_featured", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("dashboard", postgresql.JSONB()),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_class", sa.Text()),
        sa.Column("http_status", sa.SmallInteger()),
        sa.PrimaryKeyConstraint("run_id", "slug", name=op.f("sync_items_pkey")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("sync_items_run_id_fkey"), ondelete="CASCADE"),
        sa.CheckConstraint("state IN ('waiting', 'fetched', 'failed', 'listed')", name=op.f("sync_items_state_check")),
        sa.CheckConstraint("(state = 'fetched') = (dashboard IS NOT NULL)", name=op.f("sync_items_dashboard_check")),
        sa.CheckConstraint("(state = 'failed') = (error_class IS NOT NULL)", name=op.f("sync_items_error_class_check")),
        sa.CheckConstraint("jsonb_typeof(dashboard) = 'object'", name=op.f("sync_items_dashboard_object_check")),
        sa.CheckConstraint("attempts >= 0", name=op.f("sync_items_attempts_check")),
    )
