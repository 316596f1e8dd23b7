"""Every name by which others refer to what the cluster holds."""

from typing import Final

TRACKSYNC_IMAGE: Final = "tracksync.local/tracksync:dev"
"""The product's image as manifests name it; always the last one that was built and loaded."""

POSTGRES_IMAGE: Final = "tracksync.local/postgres:dev"
"""PostgreSQL for demo and tests; its environment variables are those of the public postgres image."""

PROBE_IMAGE: Final = "tracksync.local/probe:1"
"""The sandbox of every pod here, and the program with which the contract test looks around."""

PUBLIC_POSTGRES_IMAGE: Final = "postgres:17-bookworm"
"""What POSTGRES_IMAGE is on a machine with a Docker engine."""

PUBLIC_BASE_IMAGE: Final = "python:3.11-slim-bookworm"
"""The base of TRACKSYNC_IMAGE on a machine with a Docker engine."""

POSTGRES_UID: Final = 999
"""The user that owns the database's files; the same number in both PostgreSQL images."""

TRACKSYNC_UID: Final = 10001
"""The user that the product's image runs as."""
