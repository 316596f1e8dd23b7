from __future__ import annotations

import pytest

from tests.support.levels import record_not_run
from tests.support.pooler import pooler_obstacle
from tests.support.postgres import INSTALLED, database, database_url, empty_database_url, postgres_server

__all__ = ["database", "database_url", "empty_database_url", "postgres_server"]


def _no_installed_server() -> str | None:
    return None if any(INSTALLED.glob("*/bin")) else "no installed PostgreSQL, and the embedded one has no OpenSSL"


OBSTACLES = {
    "test_pooler.py": ("D12: a transaction-mode pooler", pooler_obstacle, "apt-get install pgbouncer; make test-db"),
    "test_tls.py": ("D8: a server with TLS", _no_installed_server, "apt-get install postgresql; make test-db"),
}
"""Files that need more than a PostgreSQL server: what they prove, why this machine cannot, and what would help."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run; asked only about what is to run, for the pooler may be installed then."""
    for file, (what, obstacle_of, command) in OBSTACLES.items():
        concerned = [item for item in items if item.path.name == file]
        obstacle = obstacle_of() if concerned else None
        if obstacle is not None:
            record_not_run(what, obstacle, command)
            config.hook.pytest_deselected(items=concerned)
            items[:] = [item for item in items if item not in concerned]
