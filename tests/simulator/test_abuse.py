"""The server for abuse below HTTP, seen by a raw client and, where one can be had, by an honest one."""

from __future__ import annotations

import asyncio
import socket
import zlib

import aiohttp
import pytest

from tests.simulator.running import DEADLINE_SECONDS
from tracksync.errors import SettingsError
from tracksync.simulator.abuse import Abuse, AbuseServer, abuse_or_none, abuse_server, bomb
from tracksync.simulator.app import SimulatorSettings, serve

MIB = 2**20


async def connect(
    server: AbuseServer, kind: str
) -> tuple[dict[bytes, bytes], asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for an abuse; return the headers and both ends of the connection, which the caller closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {kind}.liverc.com\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_SECONDS)
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:] if line]
    return {name: value for name, _, value in lines}, reader, writer


async def until_nobody_is_connected(server: AbuseServer) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            if not server.open:
                return
            await asyncio.sleep(0)


async def test_a_drip_comes_byte_by_byte() -> None:
    async with abuse_server(drip_s=3600) as server:
        headers, reader, writer = await connect(server, "drip")
        assert headers[b"Content-Length"] == b"20000"
        assert await reader.read(100) == b"<"
        assert (server.open, server.body_bytes) == (1, 1)
        writer.close()


async def test_endless_chunks_come_until_the_client_leaves() -> None:
    async with abuse_server() as server:
        headers, reader, writer = await connect(server, "endless")
        assert headers[b"Transfer-Encoding"] == b"chunked"
        assert len(await reader.readexactly(8 * MIB)) == 8 * MIB
        writer.close()
        await until_nobody_is_connected(server)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("kind", "declared", "sent"), [("length-too-long", 20_000, 1_000), ("length-too-short", 1_000, 20_000)]
)
async def test_the_length_is_wrong(kind: str, declared: int, sent: int) -> None:
    async with abuse_server() as server:
        headers, reader, writer = await connect(server, kind)
        assert int(headers[b"Content-Length"]) == declared
        assert len(await asyncio.wait_for(reader.read(), DEADLINE_SECONDS)) == sent
        writer.close()


async def test_a_reset_is_none_of_the_orderly_ends() -> None:
    async with abuse_server() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /reset HTTP/1.1\r\nHost: a.example\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), DEADLINE_SECONDS)
        writer.close()


async def test_an_honest_client_unpacks_the_bomb_to_its_last_byte() -> None:
    async with abuse_server(bomb_bytes=8 * MIB) as server, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{server.port}/gzip-bomb") as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert await response.read() == bytes(8 * MIB)
        assert server.body_bytes < 10_000


def test_a_bomb_is_a_thousandth_of_what_it_unpacks_to_and_a_valid_file() -> None:
    packed = b"".join(bomb(64 * MIB))
    assert len(packed) < 64 * MIB / 900
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert len(unpacker.decompress(packed)) == 64 * MIB
    assert (unpacker.eof, unpacker.unused_data) == (True, b"")


async def test_a_client_that_knows_no_abuse_is_told_which_there_are() -> None:
    async with abuse_server() as server, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{server.port}/kindness") as response:
            text = await response.text()
        assert response.status == 404
        assert all(kind in text for kind in Abuse)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"GET / HTTP/1.1\r\nHost: Drip.liverc.com:80\r\n\r\n", Abuse.DRIP),
        (b"GET /endless/x HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", Abuse.ENDLESS),
        (b"GET /endless HTTP/1.1\r\nHost: reset.liverc.com\r\n\r\n", Abuse.RESET),
        (b"GET /\r\n\r\n", None),
        (b"\r\n\r\n", None),
    ],
)
def test_the_host_says_what_is_wanted_and_else_the_path(head: bytes, kind: Abuse | None) -> None:
    assert abuse_or_none(head) is kind


async def test_it_ends_with_connections_open() -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with abuse_server(drip_s=3600) as server:
            _, _, writer = await connect(server, "drip")
        assert server.open == 0
        writer.close()


async def test_the_simulator_starts_it_and_ends_it() -> None:
    stop, ready, abuse = asyncio.Event(), asyncio.get_running_loop().create_future(), []
    settings = SimulatorSettings(tracks=3, port=0, abuse_port=0)
    task = asyncio.create_task(serve(settings, stop=stop, on_ready=ready.set_result, on_abuse_ready=abuse.append))
    await asyncio.wait_for(ready, DEADLINE_SECONDS)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{abuse[0]}/") as response:
        assert response.status == 404
    stop.set()
    await asyncio.wait_for(task, DEADLINE_SECONDS)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", abuse[0])) != 0


async def test_a_taken_abuse_port_is_refused_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = SimulatorSettings(tracks=3, port=0, abuse_port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match=r"abuse_port: cannot listen.*--abuse-port"):
            await serve(settings, stop=asyncio.Event(), on_ready=lambda _port: pytest.fail("ready"))
