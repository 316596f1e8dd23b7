from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.liverc.pages import a_catalogue, a_dashboard, a_row, rows
from tracksync.adapters.web.fetching import Page
from tracksync.adapters.web.parser import PageNotParsedError, Parser
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_dashboard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NESTED = Page(b"<div><b>" * 60_000, "")
"""Parsing costs the square of the depth: minutes, if nobody ended it."""


def page(html: str) -> Page:
    return Page(html.encode(), "utf-8")


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    async with Parser(page_seconds=0.5) as running:
        yield running


async def child_of(parser: Parser) -> int:
    return (await parser._living_child())._process.pid


async def until(condition: Callable[[], bool], *, seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the kernel's process table has no event to wait for
            await asyncio.sleep(0.005)


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or only waits for somebody to collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_the_child_gives_what_the_parsers_give(parser: Parser) -> None:
    catalogue = a_catalogue(
        rows(3) + a_row("MixedCase", "\u590f & more", status=1, video=1) + a_row(link="") + a_row("track1")
    )
    assert await parser.parse_catalogue(page(catalogue), domain="liverc.com") == parse_catalogue(
        catalogue, domain="liverc.com"
    )
    for html in (a_dashboard(), "<html>not one</html>"):
        assert await parser.parse_dashboard(page(html), slug="abc") == parse_dashboard(html, slug="abc")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("", "utf-8"),
        ("iso-8859-1", "utf-8"),
        ("windows-1252", "cp1252"),
        ("rot13", "utf-8"),
        ("zlib", "utf-8"),
    ],
)
async def test_utf_8_is_believed_before_the_header_and_odd_charsets_never(
    parser: Parser, charset: str, encoding: str
) -> None:
    listing = await parser.parse_catalogue(
        Page(a_catalogue(a_row("abc", "Caf\u00e9")).encode(encoding), charset), domain="liverc.com"
    )
    assert listing.tracks[0].name == "Caf\u00e9"


async def test_bytes_that_fit_no_charset_do_not_stop_the_page(parser: Parser) -> None:
    html = a_catalogue(a_row("abc", "Caf@")).encode().replace(b"@", b"\xff")
    listing = await parser.parse_catalogue(Page(html, "utf-8"), domain="liverc.com")
    assert listing.tracks[0].name == "Caf\ufffd"


async def test_a_page_beyond_its_deadline_fails_alone_and_the_pages_behind_it_are_read(parser: Parser) -> None:
    dashboard = page(a_dashboard())
    nested, *others = await asyncio.gather(
        parser.parse_dashboard(NESTED, slug="nested"),
        *(parser.parse_dashboard(dashboard, slug="abc") for _ in range(6)),
        return_exceptions=True,
    )
    assert isinstance(nested, PageNotParsedError)
    assert others == [parse_dashboard(a_dashboard(), slug="abc")] * 6


async def test_the_kernel_ends_a_page_at_its_cpu_limit() -> None:
    async with Parser(page_seconds=30.0, cpu_seconds=1) as parser:
        with pytest.raises(PageNotParsedError):
            await parser.parse_dashboard(NESTED, slug="nested")
        assert (await parser.parse_dashboard(page(a_dashboard()), slug="abc")).is_proven


async def test_a_child_that_ended_itself_is_waited_for_by_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    async with Parser(page_seconds=30.0, cpu_seconds=1) as parser:
        for _ in range(3):
            with pytest.raises(PageNotParsedError):
                await parser.parse_dashboard(NESTED, slug="nested")
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


async def test_a_child_that_was_killed_from_outside_is_replaced(parser: Parser) -> None:
    pid = await child_of(parser)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: parser._child is not None and not parser._child.is_alive)
    assert (await parser.parse_dashboard(page(a_dashboard()), slug="abc")).is_proven
    assert await child_of(parser) != pid


async def test_leaving_ends_the_child_at_once_also_in_the_middle_of_a_page() -> None:
    async with Parser(page_seconds=30.0, cpu_seconds=30) as parser:
        pid = await child_of(parser)
        parsing = asyncio.create_task(parser.parse_dashboard(NESTED, slug="nested"))
        await until(lambda: parser._child is not None and bool(parser._child._waiting))
        parsing.cancel()
    assert has_ended(pid)
    await asyncio.wait({parsing})
    assert parsing.cancelled()


async def test_the_child_ends_with_a_parent_that_was_killed() -> None:
    script = textwrap.dedent("""
        import asyncio
        from tracksync.adapters.web.parser import Parser

        async def main():
            async with Parser() as parser:
                print((await parser._living_child())._process.pid, flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
    """)
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not has_ended(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: has_ended(pid))


async def test_the_child_has_no_environment_no_files_and_no_way_to_more_rights(parser: Parser) -> None:
    pid = await child_of(parser)
    process = Path(f"/proc/{pid}")
    assert (process / "environ").read_bytes() == b""
    assert {file.name for file in (process / "fd").iterdir()} <= {"0", "1", "2"}
    assert "NoNewPrivs:\t1" in (process / "status").read_text()
    limits = {line[:25].strip(): line[25:].split()[0] for line in (process / "limits").read_text().splitlines()[1:]}
    assert limits["Max address space"] == str(512 * 2**20)
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"


async def test_the_child_imports_nothing_but_the_reader() -> None:
    script = (
        "import sys, tracksync.adapters.web.child;"
        "print(sorted({'httpx', 'pydantic', 'psycopg', 'kopf', 'asyncio', 'sqlalchemy'} & set(sys.modules)))"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", script, stdout=asyncio.subprocess.PIPE)
    output, _ = await child.communicate()
    assert output.decode().strip() == "[]"


def test_the_child_finds_the_package_wherever_this_process_found_it() -> None:
    """An image keeps its packages in folders of its own, which an isolated interpreter does not look into."""
    program = (
        "import asyncio, json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
        "from tracksync.adapters.web.fetching import Page\n"
        "from tracksync.adapters.web.parser import Parser\n"
        "async def start() -> None:\n"
        "    async with Parser() as parser:\n"
        "        await parser.parse_catalogue(Page(b'', 'utf-8'), domain='liverc.com')\n"
        "asyncio.run(start())\n"
    )
    interpreter = Path(sys.base_prefix) / "bin" / "python3"
    command = [interpreter, "-I", "-S", "-c", program, json.dumps(sys.path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
