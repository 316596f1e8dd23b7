"""One path of an API server: it takes what is applied to a TrackSyncJob's status and answers as it is told.

Not an API server: fields, owners and versions are proven on a real one (tests/apiserver, tests/e2e).
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class StatusEndpoint:
    """What was sent; `answer` is the status code and message of the next answers to an apply.

    A read answers with `uid`, `deleted_at` and a resource version that rises with every apply, or with `read_status`.
    """

    url: str = ""
    uid: str = ""
    answer: tuple[int, str] = (200, "")
    deleted_at: str | None = None
    read_status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    async def read(self, _request: web.Request) -> web.Response:
        code, message = self.answer
        code = code if code == web.HTTPNotFound.status_code else self.read_status
        if code != web.HTTPOk.status_code:
            return web.json_response({"kind": "Status", "message": message}, status=code)
        metadata = {"uid": self.uid, "resourceVersion": str(len(self.bodies))}
        going = {"deletionTimestamp": self.deleted_at} if self.deleted_at else {}
        return web.json_response({"metadata": metadata | going})

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.query), dict(request.headers)))
        self.bodies.append(json.loads(await request.read()))
        code, message = self.answer
        return web.json_response({"kind": "Status", "message": message}, status=code)


@asynccontextmanager
async def status_endpoint() -> AsyncIterator[StatusEndpoint]:
    """Serve on a free loopback port."""
    endpoint = StatusEndpoint()
    application = web.Application()
    application.router.add_get("/{path:.*}", endpoint.read)
    application.router.add_patch("/{path:.*}", endpoint.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield endpoint
    finally:
        await runner.cleanup()
