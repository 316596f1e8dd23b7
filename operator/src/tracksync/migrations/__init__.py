"""The database's migrations, run by Alembic: `env.py` and one file a revision under `versions/`.

Revisions only expand in one release and contract in a later one, so that the last release's worker runs on the new
schema. A revision never imports `tables.py`: it says what was true when it was written.
"""
