"""The checkpoints of a run: results on their way into the ledger, in batches that the database can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from tracksync.errors import StatementTimeoutError

if TYPE_CHECKING:
    from tracksync.ports import Ledger, RunTicket
    from tracksync.worker.queues import ResultQueue

log = structlog.stdlib.get_logger(__name__)


async def record_all(ledger: Ledger, ticket: RunTicket, results: ResultQueue) -> None:
    """Commit all results as they come; one batch at a time, so that checkpoints never overlap.

    A batch that takes the database too long is halved, and so is every later one; it never grows again in this run.

    Raises:
        StatementTimeoutError: even a single item takes too long.
    """
    size: int | None = None
    while batch := await results.next_batch():
        while batch:
            part = batch[:size]
            try:
                await ledger.record_items(ticket, part)
            except StatementTimeoutError:
                if len(part) == 1:
                    raise
                size = len(part) // 2
                log.warning("checkpoint took too long, halving", items=size)
            else:
                batch = batch[len(part) :]
