"""Composition root of the simulator process: builds world and pages, opens the port, stops when told."""

from __future__ import annotations

import errno
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from aiohttp import web

from tracksync.errors import SettingsError
from tracksync.simulator.abuse import abuse_server
from tracksync.simulator.desk import FaultDesk
from tracksync.simulator.faults import CatalogueFault, DashboardFault, DashboardRule, Switches
from tracksync.simulator.journal import Journal
from tracksync.simulator.server import SimulatorServer
from tracksync.simulator.settings import SimulatorSettings
from tracksync.simulator.source import build_site

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["CatalogueFault", "DashboardFault", "DashboardRule", "SimulatorSettings", "Switches", "serve"]

_BACKLOG: Final = 1024
_GRACE_SECONDS: Final = 0.3
"""Answers in progress get so long when the simulator stops; aiohttp then waits as long again for their cancellation."""


async def serve(
    settings: SimulatorSettings,
    *,
    stop: asyncio.Event,
    on_ready: Callable[[int], None],
    on_abuse_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve the simulated site until `stop` is set, then close all connections within a second.

    Args:
        settings: what to serve, and where.
        stop: set it to end.
        on_ready: called once with the TCP port, when connections are accepted.
        on_abuse_ready: the same for the abuse server, if the settings ask for one; called before `on_ready`.

    Raises:
        SettingsError: the port is taken or not allowed, the address is not this machine's, the replay file is unusable.
    """
    site = build_site(settings)
    server = SimulatorServer(site, FaultDesk(settings.seed, settings.switches), Journal(time.monotonic))
    # Cancelled handlers: a client that went away must not stay "in flight" at the gate.
    runner = web.ServerRunner(web.Server(server.handle, handler_cancellation=True), shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        port = await _open_port(runner, settings)
        async with AsyncExitStack() as stack:
            if settings.abuse_port is not None:
                abuse_port = await _open_abuse(stack, settings, settings.abuse_port)
                if on_abuse_ready is not None:
                    on_abuse_ready(abuse_port)
            on_ready(port)
            await stop.wait()
    finally:
        await runner.cleanup()


async def _open_abuse(stack: AsyncExitStack, settings: SimulatorSettings, port: int) -> int:
    """Start the abuse server for as long as the stack lives, and return its port; SettingsError names the remedy."""
    try:
        server = await stack.enter_async_context(
            abuse_server(host=settings.host, port=port, drip_s=settings.switches.drip_s)
        )
    except OSError as error:
        raise SettingsError(
            f"abuse_port: cannot listen on {settings.host}:{port} ({error.strerror}); choose another --abuse-port"
        ) from error
    return server.port


async def _open_port(runner: web.ServerRunner, settings: SimulatorSettings) -> int:
    """Listen, and return the port; SettingsError names the remedy when that is impossible."""
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=_BACKLOG).start()
    except OSError as error:
        raise SettingsError(_why_not(error, settings)) from error
    return int(runner.addresses[0][1])


def _why_not(error: OSError, settings: SimulatorSettings) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"port: {where} is taken by another process; choose another --port, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port: {where} needs root; choose a --port from 1024 on, or 0 for any free one"
    return f"host: cannot listen on {where} ({error.strerror}); give an address of this machine, such as 127.0.0.1"
