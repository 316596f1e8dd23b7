from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, object]]]:
    """Keep what is logged, unrendered: structlog's default renders tracebacks for a terminal, which takes a second."""
    with capture_logs() as entries:
        yield entries
