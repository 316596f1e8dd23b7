"""The simulator as a process of its own: says where it is, ends with Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import typer

from tracksync.simulator.app import serve

if TYPE_CHECKING:
    from tracksync.simulator.settings import SimulatorSettings


def serve_until_stopped(settings: SimulatorSettings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SettingsError: it cannot listen there, or a file is unusable.
    """
    asyncio.run(_serve(settings))


async def _serve(settings: SimulatorSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def announce(port: int) -> None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        typer.echo(f"simulator ready at http://{host}:{port} (Ctrl-C ends it)")

    await serve(settings, stop=stop, on_ready=announce)
