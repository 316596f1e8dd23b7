"""The HTTP side: many virtual hosts on one port, latency and faults before the answer, every request in the journal."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from tracksync.simulator.control import ControlPanel
from tracksync.simulator.hosts import HostRole, VirtualHost, virtual_host
from tracksync.simulator.journal import Journal, RequestKind

if TYPE_CHECKING:
    from tracksync.simulator.desk import FaultDesk
    from tracksync.simulator.source import Answer, SimulatedSite

_CONTROL_PREFIX: Final = "/_"
_SERVER_NAME: Final = "tracksync-simulator"
_HTML: Final = "text/html; charset=UTF-8"


class SimulatorServer:
    """Answers every request of one simulated site."""

    def __init__(self, site: SimulatedSite, desk: FaultDesk, journal: Journal) -> None:
        self._site = site
        self._desk = desk
        self._journal = journal
        self._panel = ControlPanel(site, desk, journal)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to a request, already sent when it belongs to the site."""
        if request.path.startswith(_CONTROL_PREFIX):
            return await self._panel.answer(request)
        header = request.headers.get(hdrs.HOST, "")
        host = virtual_host(header, self._site.world.domain)
        entry = self._journal.arrived(_kind_of(host, request.path), host.label)
        try:
            response = await self._response(request, host)
            await response.prepare(request)
            await response.write_eof()
        except (asyncio.CancelledError, OSError):
            self._journal.abandoned(entry)
            raise
        self._journal.answered(entry, response.status, _body_bytes(request, response))
        return response

    async def _response(self, request: web.BaseRequest, host: VirtualHost) -> web.Response:
        zipped = _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        answer = await self._answer(request, host, zipped=zipped)
        headers: dict[str, str] = {
            hdrs.CONTENT_TYPE: _HTML,
            hdrs.SERVER: _SERVER_NAME,
            hdrs.VARY: "Accept-Encoding",
        }
        if zipped:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers[hdrs.ALLOW] = "GET, HEAD"
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def _answer(self, request: web.BaseRequest, host: VirtualHost, *, zipped: bool) -> Answer:
        if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
            return self._site.error(HTTPStatus.METHOD_NOT_ALLOWED, zipped=zipped)
        if self._desk.switches.latency_ms:
            await asyncio.sleep(self._desk.switches.latency_ms / 1000)
        match _kind_of(host, request.path):
            case RequestKind.CATALOGUE:
                return self._site.catalogue(self._desk.switches, zipped=zipped)
            case RequestKind.DASHBOARD:
                await self._desk.pass_gate()
                return self._site.dashboard(host.label, self._desk.fault_for(host.label), zipped=zipped)
            case RequestKind.ROBOTS | RequestKind.OTHER:
                foreign = host.role is HostRole.FOREIGN
                return self._site.error(
                    HTTPStatus.MISDIRECTED_REQUEST if foreign else HTTPStatus.NOT_FOUND, zipped=zipped
                )


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
