"""The HTTP side: many virtual hosts on one port, latency and faults before the answer, every request in the journal."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn

from aiohttp import hdrs, web

from tracksync.simulator.control import ControlPanel
from tracksync.simulator.faults import CatalogueFault, DashboardFault, Death, Validators
from tracksync.simulator.hosts import HostRole, VirtualHost, virtual_host
from tracksync.simulator.journal import Journal, RequestKind
from tracksync.simulator.resets import reset
from tracksync.simulator.robots import CATALOGUE_LABEL
from tracksync.simulator.validating import is_unmodified, validators_of
from tracksync.simulator.waiting import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.simulator.answers import Answer
    from tracksync.simulator.desk import FaultDesk
    from tracksync.simulator.source import SimulatedSite

_CONTROL_PREFIX: Final = "/_"
_SERVER_NAME: Final = "tracksync-simulator"


class SimulatorServer:
    """Answers every request of one simulated site.

    Args:
        site: what is served.
        desk: what goes wrong.
        journal: where every request of the site is noted.
        wall_clock: seconds since 1970; the source's own clock is off by what the switches say.
    """

    def __init__(
        self, site: SimulatedSite, desk: FaultDesk, journal: Journal, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._site = site
        self._desk = desk
        self._journal = journal
        self._wall_clock = wall_clock
        self._panel = ControlPanel(site, desk, journal)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to a request, already sent when it belongs to the site."""
        if request.path.startswith(_CONTROL_PREFIX):
            return await self._panel.answer(request)
        header = request.headers.get(hdrs.HOST, "")
        host = virtual_host(header, self._site.world.domain)
        entry = self._journal.arrived(
            _kind_of(host, request.path), host.label, of_the_domain=host.role is not HostRole.FOREIGN
        )
        try:
            answer = await self._answer(request, host)
            response, pause = self._response(request, host, answer)
            sent = await self._send(request, response, answer)
        except (asyncio.CancelledError, OSError):
            self._journal.abandoned(entry)
            raise
        except _HangUpError:
            self._journal.abandoned(entry)
            return _hang_up(request)
        self._journal.answered(entry, response.status, sent)
        if pause:
            # From now on: nobody could keep a pause that was not sent yet.
            self._journal.pause(pause)
        return response

    def _response(
        self, request: web.BaseRequest, host: VirtualHost, answer: Answer
    ) -> tuple[web.StreamResponse, float]:
        """Return the response, and the seconds of pause that it asks for."""
        headers = {
            hdrs.CONTENT_TYPE: answer.content_type,
            hdrs.SERVER: _SERVER_NAME,
            hdrs.VARY: "Accept-Encoding",
            **dict(answer.headers),
        }
        if answer.zipped:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers[hdrs.ALLOW] = "GET, HEAD"
        pause = self._add_times(headers, answer)
        validators = self._validators(host, answer)
        headers |= validators
        if validators and is_unmodified(request.headers, validators):
            del headers[hdrs.CONTENT_TYPE]
            headers.pop(hdrs.CONTENT_ENCODING, None)
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers), pause
        if answer.drips and request.method != hdrs.METH_HEAD:
            headers[hdrs.CONTENT_LENGTH] = str(len(answer.body))
            return web.StreamResponse(status=answer.status, headers=headers), pause
        return web.Response(status=answer.status, body=answer.body, headers=headers), pause

    def _add_times(self, headers: dict[str, str], answer: Answer) -> float:
        """Add what depends on the source's clock, and return the seconds of pause asked for."""
        switches = self._desk.switches
        now = self._wall_clock() + switches.clock_offset_s
        if switches.clock_offset_s or answer.waits:
            headers[hdrs.DATE] = formatdate(int(now), usegmt=True)
        if not answer.waits:
            return 0.0
        text, pause = retry_after(switches.retry_after_form, switches.retry_after_s, now)
        if text is not None:
            headers[hdrs.RETRY_AFTER] = text
        return pause

    def _validators(self, host: VirtualHost, answer: Answer) -> dict[str, str]:
        kind = self._desk.switches.validators
        if kind is Validators.NONE or answer.changed_on is None:
            return {}
        return validators_of(kind, host.label, answer.body, answer.changed_on, zipped=answer.zipped)

    async def _send(self, request: web.BaseRequest, response: web.StreamResponse, answer: Answer) -> int:
        """Send the response and return the bytes of its body that went over the wire."""
        await response.prepare(request)
        if isinstance(response, web.Response):
            await response.write_eof()
            return _body_bytes(request, response)
        for place in range(len(answer.body)):
            await response.write(answer.body[place : place + 1])
            await asyncio.sleep(self._desk.switches.drip_s)
        await response.write_eof()
        return len(answer.body)

    async def _answer(self, request: web.BaseRequest, host: VirtualHost) -> Answer:
        zipped = _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        death = None if host.role is HostRole.FOREIGN else self._desk.death_or_none()
        if death is not None:
            return await self._die(death, zipped=zipped)
        if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
            return self._site.error(HTTPStatus.METHOD_NOT_ALLOWED, zipped=zipped)
        kind, label = _kind_of(host, request.path), host.label or CATALOGUE_LABEL
        if delay := self._desk.latency_seconds(label, is_catalogue=kind is RequestKind.CATALOGUE):
            await asyncio.sleep(delay)
        match kind:
            case RequestKind.CATALOGUE:
                return await self._catalogue(zipped=zipped)
            case RequestKind.DASHBOARD:
                await self._desk.pass_gate()
                return await self._dashboard(label, zipped=zipped)
            case RequestKind.ROBOTS:
                return self._site.robots(self._desk.read_robots(label), label, zipped=zipped)
            case RequestKind.OTHER:
                foreign = host.role is HostRole.FOREIGN
                return self._site.error(
                    HTTPStatus.MISDIRECTED_REQUEST if foreign else HTTPStatus.NOT_FOUND, zipped=zipped
                )

    async def _die(self, death: Death, *, zipped: bool) -> Answer:
        if death is Death.RESET:
            raise _HangUpError
        if death is Death.SILENCE:
            await _for_ever()
        return self._site.error(HTTPStatus.SERVICE_UNAVAILABLE, zipped=zipped)

    async def _catalogue(self, *, zipped: bool) -> Answer:
        switches, read = self._desk.read_catalogue()
        if switches.catalogue_fault is CatalogueFault.TIME_OUT:
            await _for_ever()
        return self._site.catalogue(switches, zipped=zipped, read=read)

    async def _dashboard(self, slug: str, *, zipped: bool) -> Answer:
        fault = self._desk.fault_for(slug)
        if fault is DashboardFault.TIME_OUT and slug in self._site.world.by_slug:
            await _for_ever()
        return self._site.dashboard(slug, fault, zipped=zipped, switches=self._desk.switches)


class _HangUpError(Exception):
    """The connection ends without an answer."""


async def _for_ever() -> NoReturn:
    """Wait until the client goes away, or the simulator stops: both cancel the request."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection, and return a response that nobody will get."""
    if request.transport is not None:
        reset(request.transport)
    return web.Response()


def _body_bytes(request: web.BaseRequest, response: web.Response) -> int:
    """Return how many bytes of body went over the wire (aiohttp's own figure includes the headers)."""
    body = response.body
    return len(body) if isinstance(body, bytes) and request.method != hdrs.METH_HEAD else 0


def _kind_of(host: VirtualHost, path: str) -> RequestKind:
    if host.role is HostRole.FOREIGN:
        return RequestKind.OTHER
    if path == "/robots.txt":
        return RequestKind.ROBOTS
    if path != "/":
        return RequestKind.OTHER
    return RequestKind.DASHBOARD if host.role is HostRole.TRACK else RequestKind.CATALOGUE


def _takes_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header takes gzip: named, or by `*`, and not refused by `q=0`."""
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
