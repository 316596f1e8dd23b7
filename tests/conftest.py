"""Levels by folder, the table at the end, a scrubbed environment, and no network in levels 1 to 4 except loopback."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from tests.cluster.system import obstacles
from tests.support.levels import CLUSTER_LEVELS, TALLY, level_of, parse_levels, record_not_run, table

HOSTILE_PREFIXES = ("TRACKSYNC_", "KUBE", "PG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")
KEPT = ("TRACKSYNC_TEST_", "TRACKSYNC_CAPTURES")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--levels", default="", help="levels to run, such as 0-4, 5 or 6-7 (default: all)")


def pytest_configure(config: pytest.Config) -> None:
    # looptime asks for the event loop in tests without one too; Python 3.11 would then make one that nobody closes.
    asyncio.set_event_loop(None)
    for name in [name for name in os.environ if name.startswith(HOSTILE_PREFIXES) and not name.startswith(KEPT)]:
        del os.environ[name]
    config.addinivalue_line("markers", "level(number): set from the folder")


def _runnable(selected: frozenset[int]) -> frozenset[int]:
    """Return the selected levels without those for which this machine can have no cluster; the table says why."""
    impossible = obstacles() if selected & CLUSTER_LEVELS else []
    for level in sorted(selected & CLUSTER_LEVELS if impossible else ()):
        record_not_run(f"level {level}", "; ".join(impossible), "make test-cluster on a machine that can")
    return selected - CLUSTER_LEVELS if impossible else selected


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selected = _runnable(parse_levels(config.getoption("--levels")))
    for item in items:
        item.add_marker(pytest.mark.level(level_of(item.path)))
    deselected = [item for item in items if level_of(item.path) not in selected]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if level_of(item.path) in selected]
    items.sort(key=lambda item: level_of(item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    level = level_of(item.path)
    if report.skipped:
        TALLY.skipped[level] = TALLY.skipped.get(level, 0) + 1
    elif report.failed:
        TALLY.failed[level] = TALLY.failed.get(level, 0) + 1
    elif report.when == "call":
        TALLY.passed[level] = TALLY.passed.get(level, 0) + 1
    return report


def _incomplete(config: pytest.Config) -> list[str]:
    """Return why this run does not count as complete on CI."""
    selected = parse_levels(config.getoption("--levels"))
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return []  # a hand-picked selection
    silent = [level for level in selected if not TALLY.passed.get(level) and not TALLY.failed.get(level)]
    problems = [f"level {level} did not run" for level in sorted(silent)]
    problems += [f"level {level}: {count} skipped" for level, count in sorted(TALLY.skipped.items())]
    problems += [f"{entry.what}: {entry.reason}" for entry in TALLY.not_run]
    return problems


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and os.environ.get("CI") == "true" and _incomplete(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.section("levels")
    for line in table(parse_levels(config.getoption("--levels"))):
        terminalreporter.write_line(line)
    if os.environ.get("CI") == "true":
        for problem in _incomplete(config):
            terminalreporter.write_line(f"  CI: incomplete: {problem}")


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to anything but loopback below level 5."""
    if level_of(request.path) < 5:
        connect = socket.socket.connect

        def guarded(self: socket.socket, address: Any) -> None:
            host = address[0] if isinstance(address, tuple) else "127.0.0.1"
            if not str(host).startswith("127.") and host not in ("::1", "localhost"):
                pytest.fail(f"a test below level 5 connected to {host}")
            connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", guarded)
