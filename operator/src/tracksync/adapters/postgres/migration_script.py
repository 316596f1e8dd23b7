"""What a migration would do, as SQL for psql: for admins who let nobody but themselves change tables."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from alembic import command

from tracksync.adapters.postgres.migrate import alembic_config, current_and_expected
from tracksync.adapters.postgres.revision import EXPECTED_REVISION, is_known, schema_mismatch
from tracksync.adapters.postgres.roles import GRANTS_LOCK, VERSION_TABLE, grant_statements

if TYPE_CHECKING:
    from tracksync.adapters.postgres.roles import Roles

_BEGIN: Final = """\
-- TrackSync's tables: from {before} to revision {after}, in one transaction.
-- Run it as the owner of the tables: psql --set ON_ERROR_STOP=1 --file FILE
BEGIN;
SET LOCAL search_path TO public, pg_temp;
SET LOCAL lock_timeout TO '120s';
SELECT pg_advisory_xact_lock({lock});
DO $$
DECLARE found text;
BEGIN
    IF to_regclass('public.{table}') IS NOT NULL THEN
        SELECT version_num INTO found FROM public.{table};
    END IF;
    IF found IS DISTINCT FROM {literal} THEN
        RAISE EXCEPTION 'this script begins at {before}; the database is at %',
            coalesce('revision ' || found, 'an empty database');
    END IF;
END $$;

"""


def migration_script(url: str | None, *, roles: Roles) -> str:
    """Return the SQL of the steps that the database lacks, and of the roles' grants; nothing is written.

    Args:
        url: the database that is asked for its revision; None: the script begins at an empty database.
        roles: who gets rights on the tables.

    Raises:
        SchemaMismatchError: the database is at a revision that this build does not know.
        TrackSyncError: it cannot be asked.
    """
    before = None if url is None else current_and_expected(url)[0]
    if before is not None and not is_known(before):
        raise schema_mismatch(before)
    steps = "" if before == EXPECTED_REVISION else _steps(before)
    grants = "".join(f"{statement};\n" for statement in grant_statements(roles))
    if not steps and not grants:
        return f"-- The database is at revision {EXPECTED_REVISION}: nothing is missing.\n"
    return f"{_begin(before)}{steps}{grants}COMMIT;\n"


def _begin(before: str | None) -> str:
    return _BEGIN.format(
        before="an empty database" if before is None else f"revision {before}",
        after=EXPECTED_REVISION,
        lock=GRANTS_LOCK,
        table=VERSION_TABLE,
        literal="NULL" if before is None else f"'{before}'",
    )


def _steps(before: str | None) -> str:
    """Return Alembic's statements without a transaction of its own."""
    config = alembic_config()
    config.output_buffer = StringIO()
    command.upgrade(config, f"{before or 'base'}:{EXPECTED_REVISION}", sql=True)
    return config.output_buffer.getvalue()
