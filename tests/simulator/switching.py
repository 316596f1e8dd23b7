"""A small simulated site, its switches, and raw requests to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.simulator.running import Reply
from tracksync.simulator.app import SimulatorSettings
from tracksync.simulator.world import build_world

if TYPE_CHECKING:
    from tests.simulator.running import Client

SETTINGS = SimulatorSettings(tracks=120, seed=3, port=0)
WORLD = build_world(seed=3, tracks=120, domain="liverc.com")
SLUGS = [track.slug for track in WORLD.tracks]
ROW = re.compile(rb'<tr class="clickable-row".*?</tr>', re.DOTALL)


async def switch(client: Client, **switches: object) -> None:
    status, answer = await client.control("/_faults", method="POST", send=switches)
    assert status == 200, answer


async def ask(client: Client, host: str, path: str = "/", **headers: str) -> Reply:
    """Ask with these headers, and follow no redirect."""
    everything = {"Host": host, "Accept-Encoding": "identity"} | headers
    url = f"http://127.0.0.1:{client.port}{path}"
    async with client.session.get(url, headers=everything, allow_redirects=False) as response:
        # aiohttp's client spells this one header in its own way.
        received = {"ETag" if name == "Etag" else name: value for name, value in response.headers.items()}
        return Reply(response.status, received, await response.read())


async def dashboard(client: Client, fault: str, **switches: object) -> Reply:
    await switch(client, dashboard_faults={fault: 1}, **switches)
    return await ask(client, f"{SLUGS[0]}.liverc.com")


async def catalogue(client: Client, fault: str, **switches: object) -> Reply:
    await switch(client, catalogue_fault=fault, **switches)
    return await ask(client, "live.liverc.com")


async def catalogue_rows(client: Client, fault: str) -> list[bytes]:
    reply = await catalogue(client, fault)
    assert reply.status == 200
    assert b"</table>" in reply.body
    return ROW.findall(reply.body)
