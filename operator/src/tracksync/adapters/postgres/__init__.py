"""PostgreSQL behind the ports `Ledger` and `TrackStore`: tables, migrations, statements, and the embedded server.

`database.PostgresDatabase` is the entrance. SQL stands in `statements` only, column lists in `columns` only. Nothing
here decides what a sync should do, and no message or log line of this package shows a database URL, a user or a value.
"""
