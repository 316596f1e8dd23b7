"""The control paths, all below `/_`: truth, journal, switches, release, health; no part of the simulated site."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tracksync.errors import SettingsError
from tracksync.simulator.day import after_days
from tracksync.simulator.values import whole_number

if TYPE_CHECKING:
    from tracksync.simulator.desk import FaultDesk
    from tracksync.simulator.journal import Journal
    from tracksync.simulator.source import SimulatedSite
    from tracksync.simulator.world import World

DASHBOARD_PREFIX: Final = "/_dashboard/"

_Handler = Callable[[web.BaseRequest], Awaitable[Any]]


class ControlPanel:
    """Answers control requests; counted nowhere, delayed by nothing, on whatever host they come."""

    def __init__(self, site: SimulatedSite, desk: FaultDesk, journal: Journal) -> None:
        self._site = site
        self._desk = desk
        self._journal = journal
        self._stepping = asyncio.Lock()
        self._routes: dict[str, dict[str, _Handler]] = {
            "/_healthz": {"GET": self._health},
            "/_truth": {"GET": self._truth},
            "/_journal": {"GET": self._read_journal, "DELETE": self._restart_journal},
            "/_faults": {"GET": self._read_faults, "POST": self._change_faults, "DELETE": self._reset_faults},
            "/_release": {"POST": self._release},
            "/_day": {"POST": self._step},
        }

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Return the JSON answer of a control path; 404, 405 and 400 say what would work."""
        if request.path.startswith(DASHBOARD_PREFIX) and request.method == "GET":
            return self._dashboard(request.path.removeprefix(DASHBOARD_PREFIX))
        methods = self._routes.get(request.path)
        if methods is None:
            paths = ", ".join([*self._routes, f"{DASHBOARD_PREFIX}SLUG"])
            return _refusal(HTTPStatus.NOT_FOUND, f"no such control path; there are {paths}")
        handler = methods.get(request.method)
        if handler is None:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} takes {', '.join(methods)}")
        try:
            return _as_json(HTTPStatus.OK, await handler(request))
        except SettingsError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))

    async def _health(self, _request: web.BaseRequest) -> dict[str, Any]:
        return {"status": "ok"}

    async def _truth(self, _request: web.BaseRequest) -> dict[str, Any]:
        world = self._site.world
        # In a thread: for a big world this takes seconds, in which dashboards must still be served.
        tracks = await asyncio.to_thread(world.truth)
        return {
            "domain": world.domain,
            "seed": world.seed,
            "day": world.day,
            "count": len(tracks),
            "tracks": tracks,
            "dropped": [record.track.slug for record in world.dropped],
        }

    async def _step(self, request: web.BaseRequest) -> dict[str, Any]:
        changes = {"days": 1, **(await _json_object(request) if request.can_read_body else {})}
        if unknown := sorted(set(changes) - {"days"}):
            raise SettingsError(f'unknown field {", ".join(unknown)}; send an object such as {{"days": 1}}')
        days = whole_number("days", changes["days"])
        async with self._stepping:
            before = self._site.world
            # In a thread: see the truth.
            after = await asyncio.to_thread(after_days, before, days)
            if days:
                self._site.move_on(after)
        return _difference(before, after)

    async def _read_journal(self, _request: web.BaseRequest) -> dict[str, Any]:
        return {**self._journal.as_json(), "held": self._desk.held}

    async def _restart_journal(self, request: web.BaseRequest) -> dict[str, Any]:
        self._journal.restart()
        return await self._read_journal(request)

    async def _read_faults(self, _request: web.BaseRequest) -> dict[str, Any]:
        return {**self._desk.switches.as_json(), "dashboards_affected": self._desk.affected(self._site.world.by_slug)}

    async def _change_faults(self, request: web.BaseRequest) -> dict[str, Any]:
        self._desk.change(await _json_object(request))
        return await self._read_faults(request)

    async def _reset_faults(self, request: web.BaseRequest) -> dict[str, Any]:
        self._desk.reset()
        return await self._read_faults(request)

    async def _release(self, _request: web.BaseRequest) -> dict[str, Any]:
        return {"released": self._desk.release()}

    def _dashboard(self, slug: str) -> web.Response:
        """Return a dashboard for a person whose browser has no name resolution for the simulated hosts."""
        answer = self._site.dashboard(slug.lower(), None, zipped=False)
        return web.Response(status=answer.status, body=answer.body, content_type="text/html", charset="utf-8")


def _difference(before: World, after: World) -> dict[str, Any]:
    """Return what the catalogue shows of the days between two worlds, as lists of slugs."""
    known = before.by_slug.keys() | {record.track.slug for record in before.dropped}
    appeared = sorted(after.by_slug.keys() - before.by_slug.keys())
    stayed = before.by_slug.keys() & after.by_slug.keys()
    return {
        "day": after.day,
        "listed": len(after.tracks),
        "new": [slug for slug in appeared if slug not in known],
        "returned": [slug for slug in appeared if slug in known],
        "gone": sorted(before.by_slug.keys() - after.by_slug.keys()),
        "renamed": sorted(slug for slug in stayed if before.by_slug[slug].name != after.by_slug[slug].name),
    }


async def _json_object(request: web.BaseRequest) -> dict[str, Any]:
    try:
        value = json.loads(await request.read())
    except ValueError as error:
        raise SettingsError('the body is not JSON; send an object such as {"latency_ms": 100}') from error
    if not isinstance(value, dict):
        raise SettingsError('the body is no JSON object; send one such as {"latency_ms": 100}')
    return value


def _as_json(status: HTTPStatus, value: object) -> web.Response:
    return web.json_response(value, status=status)


def _refusal(status: HTTPStatus, text: str) -> web.Response:
    return _as_json(status, {"error": text})
