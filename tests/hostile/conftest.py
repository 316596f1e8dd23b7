from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hostile.sites import FEW, Site, running_site
from tests.support.postgres import database, database_url, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["database", "database_url", "postgres_server"]


@pytest.fixture(scope="session")
def shared_site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """A source of 60 tracks without faults; one process for all tests that do not let its days pass."""
    shared_site.reset()
    return shared_site


@pytest.fixture(scope="session")
def shared_small_site() -> Iterator[Site]:
    with running_site(tracks=FEW) as site:
        yield site


@pytest.fixture
def small_site(shared_small_site: Site) -> Site:
    """The same with ten tracks, for runs at a rate at which single requests can be told apart."""
    shared_small_site.reset()
    return shared_small_site


@pytest.fixture
def changing_site() -> Iterator[Site]:
    """A source of 60 tracks of the test's own, whose days may pass."""
    with running_site() as site:
        yield site
