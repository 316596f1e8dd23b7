"""Freshness of the dashboards, the shared pace and robots.txt of a source, and what a checkpoint needs.

Expand-only: nothing is dropped, and a build that knows only revision 0001 can finish a run that it has begun.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from tracksync.errors import ConfigurationError

revision = "0002"
down_revision = "0001"

_ERROR_CLASS = """
CASE state WHEN 'failed' THEN error_class IS NOT NULL WHEN 'waiting' THEN true ELSE error_class IS NULL END
"""


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _count(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def upgrade() -> None:
    """Create the new tables and columns."""
    _create_source_domains()
    _create_robots()
    _create_track_freshness()
    _extend_runs()
    _extend_sync_items()


def downgrade() -> None:
    """Refuse: the older checks do not hold for rows that the newer build wrote."""
    raise ConfigurationError("there is no way back from this revision; restore a backup instead")


def _create_source_domains() -> None:
    op.create_table(
        "source_domains",
        sa.Column("domain", sa.Text(), nullable=False),
        _moment("next_free"),
        _moment("paused_until"),
        sa.Column("off_reason", sa.Text()),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("source_domains_pkey")),
    )


def _create_robots() -> None:
    op.create_table(
        "robots",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("crawl_delay", sa.Double()),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("domain", "host", name=op.f("robots_pkey")),
        sa.CheckConstraint("octet_length(body) <= 8192", name=op.f("robots_body_check")),
    )


def _create_track_freshness() -> None:
    op.create_table(
        "track_freshness",
        sa.Column("track_id", postgresql.UUID(), nullable=False),
        _moment("as_of"),
        _moment("fetched_at"),
        _moment("last_attempt_at"),
        sa.Column("http_status", sa.SmallInteger()),
        sa.Column("etag", sa.Text()),
        sa.Column("last_modified", sa.Text()),
        _count("attempts"),
        _count("unmodified"),
        sa.Column("last_error_class", sa.Text()),
        _count("parser_version"),
        sa.PrimaryKeyConstraint("track_id", name=op.f("track_freshness_pkey")),
        sa.ForeignKeyConstraint(
            ["track_id"], ["tracks.id"], name=op.f("track_freshness_track_id_fkey"), ondelete="CASCADE"
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("track_freshness_attempts_check")),
        sa.CheckConstraint("unmodified >= 0", name=op.f("track_freshness_unmodified_check")),
        sa.CheckConstraint("parser_version >= 0", name=op.f("track_freshness_parser_version_check")),
    )


def _extend_runs() -> None:
    op.add_column("runs", sa.Column("spec_hash", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("runs", sa.Column("checkpoint_format", sa.Integer()))
    op.add_column("runs", sa.Column("listing", postgresql.JSONB()))
    op.add_column("runs", sa.Column("parser_version", sa.Integer()))


def _extend_sync_items() -> None:
    op.add_column("sync_items", _moment("next_try"))
    op.add_column("sync_items", _moment("finished_at"))
    op.add_column("sync_items", sa.Column("etag", sa.Text()))
    op.add_column("sync_items", sa.Column("last_modified", sa.Text()))
    _replace_check("state", "state IN ('waiting', 'fetched', 'unmodified', 'failed', 'listed')")
    _replace_check("error_class", _ERROR_CLASS)
    op.create_check_constraint(op.f("sync_items_next_try_check"), "sync_items", "next_try IS NULL OR state = 'waiting'")


def _replace_check(name: str, condition: str) -> None:
    full_name = op.f(f"sync_items_{name}_check")
    op.drop_constraint(full_name, "sync_items", type_="check")
    op.create_check_constraint(full_name, "sync_items", condition)
