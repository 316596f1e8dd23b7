"""What the parser process can no longer do. The machine that tests run on has to have such a filter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.liverc.pages import a_dashboard
from tracksync.adapters.web.fetching import Page
from tracksync.adapters.web.parser import PageNotParsedError, Parser
from tracksync.adapters.web.sandbox import FORBIDDEN

PREPARED = (
    "import ctypes, os, signal, socket, subprocess, sys\n"
    "from tracksync.adapters.web.sandbox import forbid_system_calls, limit_resources\n"
    "early = socket.socket()\n"
    "limit_resources(512 * 2**20)\n"
    "assert forbid_system_calls()\n"
)


def outcome(attempt: str) -> str:
    """Return how a process that gave up its rights fares with this code: `done`, or the error's name."""
    handling = "except OSError as error:\n    print(type(error).__name__)\nelse:\n    print('done')\n"
    program = f"{PREPARED}try:\n    {attempt}\n{handling}"
    command = [sys.executable, "-I", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return ended.stdout.strip()


def status_of(pid: int, name: str) -> int:
    """Return a number of the process's status; kB for memory."""
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "early.connect(('127.0.0.1', 80))",
        "open('/etc/passwd')",
        "open('/proc/self/environ')",
        "os.open('/', os.O_RDONLY)",
        "os.unlink('/tmp/nothing-of-this-name')",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "subprocess.run(['/bin/true'])",
        "os.kill(os.getppid(), 0)",
        "os.pidfd_open(os.getppid())",
        "os.memfd_create('x')",
        "os.chdir('/')",
    ],
)
def test_t15_a_parser_that_was_taken_over_has_no_way_out(attempt: str) -> None:
    assert outcome(attempt) == "PermissionError"


@pytest.mark.parametrize("attempt", ["os.write(1, b'')", "bytearray(10_000_000)", "os.getpid()"])
def test_what_a_parser_needs_it_keeps(attempt: str) -> None:
    assert outcome(attempt) == "done"


def test_calls_by_the_numbers_of_a_foreign_abi_are_no_way_around() -> None:
    x32_getpid = 0x4000_0000 + 39
    attempt = f"raise OSError(ctypes.get_errno(), '') if libc.syscall({x32_getpid}) < 0 else ValueError"
    assert outcome(f"libc = ctypes.CDLL(None, use_errno=True); {attempt}") == "PermissionError"


def test_memory_is_limited() -> None:
    program = (
        "from tracksync.adapters.web.sandbox import limit_resources\n"
        "limit_resources(64_000_000)\n"
        "try:\n    bytearray(100_000_000)\nexcept MemoryError:\n    print('limited')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == "limited"


async def test_the_parser_process_runs_behind_the_filter() -> None:
    async with Parser() as parser:
        pid = (await parser._living_child())._process.pid
        assert status_of(pid, "Seccomp") == 2


async def test_a_page_that_needs_too_much_memory_fails_alone() -> None:
    async with Parser() as ordinary:
        pid = (await ordinary._living_child())._process.pid
        used = status_of(pid, "VmPeak") * 1024
    greedy = Page(b"<a b=c>" * 140_000, "utf-8")
    dashboard = Page(a_dashboard().encode(), "utf-8")
    async with Parser(memory_bytes=used + 12 * 2**20) as parser:
        assert (await parser.parse_dashboard(dashboard, slug="abc")).is_proven
        pid = (await parser._living_child())._process.pid
        with pytest.raises(PageNotParsedError):
            await parser.parse_dashboard(greedy, slug="greedy")
        assert (await parser.parse_dashboard(dashboard, slug="abc")).is_proven
        assert (await parser._living_child())._process.pid != pid
    async with Parser() as parser:
        assert not (await parser.parse_dashboard(greedy, slug="greedy")).is_proven


@pytest.mark.parametrize(("header", "column"), [("x86_64-linux-gnu/asm/unistd_64.h", 0), ("asm-generic/unistd.h", 1)])
def test_the_numbers_are_the_kernels(header: str, column: int) -> None:
    path = Path("/usr/include") / header
    text = path.read_text() if path.exists() else ""
    kernel = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    ours = {name: calls[column] for name, calls in FORBIDDEN.items()}
    assert {name: kernel.get(name) for name in ours} == ours or not kernel
    assert len({number for number in ours.values() if number is not None}) == sum(
        number is not None for number in ours.values()
    )
