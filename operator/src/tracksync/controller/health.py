"""The liveness probe's own question: does the operator still get around, or does it only answer?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import kopf

if TYPE_CHECKING:
    from tracksync.controller.resync import Resync

_ROUNDS: Final = 3
_SLACK_SECONDS: Final = 60.0


class NotAliveError(Exception):
    """The resync task has not come around for too long; a restart is the remedy."""


def register_probe(registry: kopf.OperatorRegistry, resync: Resync) -> None:
    """Make kopf's liveness endpoint fail when the resync task is stuck or dead. A blocked event loop cannot answer."""

    @kopf.on.probe(id="resyncSeconds", registry=registry, retries=1)
    async def resync_age(**_: Any) -> float:
        age = resync.seconds_since_round()
        if age > _ROUNDS * resync.period + _SLACK_SECONDS:
            raise NotAliveError(f"no resync round for {age:.0f} s")
        return round(age, 1)
