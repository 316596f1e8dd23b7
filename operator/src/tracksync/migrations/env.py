"""Alembic's environment: runs the revisions on the connection that `adapters.postgres.migrate` hands over.

There is no alembic.ini and no URL here. The caller owns the transaction, the lock and the timeouts. Without a
connection the statements are written to the caller's buffer instead (`adapters.postgres.migration_script`).
"""

from __future__ import annotations

from alembic import context

from tracksync.adapters.postgres.roles import VERSION_TABLE
from tracksync.adapters.postgres.tables import METADATA

if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        transactional_ddl=False,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        version_table_schema="public",
    )
else:
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        version_table_schema="public",
        on_version_apply=attributes["on_version_apply"],
    )
with context.begin_transaction():
    context.run_migrations()
