"""A process that dies just before or just after its n-th SQL statement, and does nothing more from then on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from psycopg import AsyncConnection, AsyncCursor

from tests.histories.history import KilledError
from tracksync.adapters.postgres import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@dataclass
class Statements:
    """The statements of a process in their order; it dies at the chosen one."""

    chosen: int | None = None
    when: Literal["before", "after"] = "before"
    sent: list[str] = field(default_factory=list)
    is_dead: bool = False

    @asynccontextmanager
    async def around(self, statement: object) -> AsyncIterator[None]:
        if self.is_dead:
            raise KilledError
        self.sent.append(_first_words(statement))
        is_chosen = len(self.sent) - 1 == self.chosen
        self.is_dead = is_chosen and self.when == "before"
        if self.is_dead:
            raise KilledError
        yield
        self.is_dead = is_chosen
        if self.is_dead:
            raise KilledError


def watch(statements: Statements, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every statement of the store go through `statements`."""

    class Cursor(AsyncCursor[Any]):
        @asynccontextmanager
        async def copy(self, statement: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # type: ignore[override] # psycopg returns the same kind of context manager
            async with statements.around(statement), super().copy(statement, *args, **kwargs) as copy:
                yield copy

    class Connection(AsyncConnection[Any]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.cursor_factory = Cursor

        async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            async with statements.around(query):
                return await super().execute(query, *args, **kwargs)

    monkeypatch.setattr(session, "AsyncConnection", Connection)


def _first_words(statement: object) -> str:
    text = statement if isinstance(statement, str) else statement.as_string()  # type: ignore[attr-defined] # a Composable of psycopg
    return " ".join(text.split()[:4])
