"""Alembic revisions, oldest first; each expands or contracts the schema and is never edited after a release."""
