"""One TrackSyncJob as it changes, for as long as it is there: over ends of watches and outages."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING, Final

from tracksync.adapters.kube.answers import ExpiredError, ForbiddenError, NotFoundError, NotInstalledError
from tracksync.core.runs.reading import text
from tracksync.errors import ClusterUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tracksync.cli.asking import Runs
    from tracksync.core.runs.model import Key, Manifest

POLL_SECONDS: Final = 2.0
"""How often it is read where the caller may not watch, and where a watch ends as soon as it has begun."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
STARTING_SECONDS: Final = 60.0
"""For so long a starting API server may know neither our resource nor our rights, though it knew them before."""
_SHORT_WATCH: Final = 1.0


def _unheard(_words: str) -> None:
    return


async def follow(
    runs: Runs, key: Key, *, first: Manifest | None = None, on_outage: Callable[[str], None] = _unheard
) -> AsyncIterator[Manifest]:
    """Give the TrackSyncJob now and after each change; ends when it is gone or another one has its name.

    Outages are waited out with growing pauses: the caller's deadline is what ends an endless one.

    Raises:
        NotFoundError: it was not there in the first place.
        ForbiddenError: it may not be read.
    """
    run: Manifest | None = first if first is not None else await _read(runs, key, on_outage)
    uid = text(run, "metadata", "uid")
    while run is not None and text(run, "metadata", "uid") == uid:
        yield run
        version, began = text(run, "metadata", "resourceVersion"), monotonic()
        try:
            async for kind, changed in runs.watch(key, version):
                if kind == "DELETED" or text(changed, "metadata", "uid") not in {uid, ""}:
                    return
                if kind != "BOOKMARK":
                    yield changed
        except ExpiredError:
            pass
        except ForbiddenError:
            await asyncio.sleep(POLL_SECONDS)
        except ClusterUnavailableError as error:
            on_outage(str(error))
        if monotonic() - began < _SHORT_WATCH:
            await asyncio.sleep(POLL_SECONDS)
        run = await _read_another(runs, key, on_outage)


async def _read_another(runs: Runs, key: Key, on_outage: Callable[[str], None]) -> Manifest | None:
    """Return the TrackSyncJob, or None when it is gone. What an API server says while it starts is not believed."""
    began = monotonic()
    while True:
        try:
            return await _read(runs, key, on_outage)
        except (NotInstalledError, ForbiddenError) as error:
            if monotonic() - began > STARTING_SECONDS:
                raise
            on_outage(str(error))
            await asyncio.sleep(POLL_SECONDS)
        except NotFoundError:
            return None


async def _read(runs: Runs, key: Key, on_outage: Callable[[str], None]) -> Manifest:
    """Return the TrackSyncJob; an outage of the API server is waited out."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await runs.read(key)
        except ClusterUnavailableError as error:
            on_outage(str(error))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads callers, protects nothing
            pause = min(2 * pause, LONGEST_PAUSE)
