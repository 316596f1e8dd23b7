"""What a guarded deactivation needs: the source's last complete run, a log of changes, and the exact "last seen".

Expand-only: nothing is dropped or changed; a build that knows only revision 0002 can finish a run that it has begun.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from tracksync.errors import ConfigurationError

revision = "0003"
down_revision = "0002"

_TRACKS_WITH_LAST_SEEN = """
CREATE VIEW tracks_with_last_seen AS
SELECT t.id, t.source, t.slug, t.slug_as_listed, t.name, t.track_url, t.events_url, t.is_featured, t.kind, t.street,
       t.city, t.state, t.postal_code, t.country_code, t.country, t.address, t.phone, t.website, t.email, t.description,
       t.logo_url, t.livetime_track_id, t.facebook_url, t.total_laps, t.total_practice_sessions, t.total_races,
       t.total_entries, t.total_events, t.is_active, t.deactivated_at,
       CASE WHEN t.is_active THEN greatest(t.last_seen_at, s.last_complete_at) ELSE t.last_seen_at END AS last_seen_at,
       t.created_at, t.updated_at, t.is_followed, t.start_finish_line, t.latitude, t.longitude
FROM tracks AS t LEFT JOIN source_state AS s ON s.source = t.source
"""


def upgrade() -> None:
    """Create the new tables and the view."""
    _create_source_state()
    _create_changes()
    # When the staged page was read: a run that another one has overtaken since must not call a track vanished.
    op.add_column("runs", sa.Column("listed_at", sa.DateTime(timezone=True)))
    op.execute(_TRACKS_WITH_LAST_SEEN)


def downgrade() -> None:
    """Refuse: dropping the log of changes would lose what runs did."""
    raise ConfigurationError("there is no way back from this revision; restore a backup instead")


def _create_source_state() -> None:
    op.create_table(
        "source_state",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("last_complete_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_complete_run", postgresql.UUID(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("source_state_pkey")),
        sa.CheckConstraint("listed >= 0", name=op.f("source_state_listed_check")),
        sa.CheckConstraint("active >= 0", name=op.f("source_state_active_check")),
    )


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("run_id", postgresql.UUID(), nullable=False),
        sa.Column("track_id", postgresql.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "track_id", name=op.f("changes_pkey")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("changes_run_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("changes_track_id_fkey")),
        sa.CheckConstraint(
            "kind IN ('inserted', 'updated', 'reactivated', 'deactivated')", name=op.f("changes_kind_check")
        ),
    )
