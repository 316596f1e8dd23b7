"""`tracksync watch`: bars on a terminal, lines elsewhere, and the exit code of the run."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tests.cli.fake_runs import KEY_NAME, TIME, FakeRuns, a_run
from tracksync.adapters.kube.answers import NotFoundError
from tracksync.cli.watching import Live, interrupted_words, watch_run
from tracksync.core.runs.model import Key

KEY = Key("team-a", KEY_NAME)


def at(version: int, done: int, **status: Any) -> Any:
    shown = {"stage": "metadata", "done": done, "total": 90, "percent": done, "text": f"{done}/90", "heartbeat": TIME}
    stage = {"name": "metadata", "state": "Running", "startTime": TIME, "done": done, "total": 90}
    return a_run(version, "Running", progress=shown, stages=[stage], **status)


async def watched(console: Console, *runs: Any) -> int:
    events = [("MODIFIED", run) for run in runs[1:]]
    return await watch_run(FakeRuns(read=[runs[0]], watch=[events]), KEY, Live(console))


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_stages_and_outcome_are_shown(*, is_terminal: bool) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=100)
    end = a_run(4, "CompletedWithErrors", message="1 of 90 dashboards failed")
    code = await watched(console, a_run(1), at(2, 5), at(3, 80, message="81 s ahead"), end)
    assert code == 0
    text = shown.getvalue()
    for part in ("nightly: Running", "metadata", "80/90", "CompletedWithErrors: 1 of 90 dashboards failed"):
        assert part in text
    assert ("\x1b" in text) is is_terminal
    if not is_terminal:
        assert text.count("nightly: Running") == 1, "numbers of the moment are no news"


async def test_each_attempt_and_each_place_in_the_queue_is_told() -> None:
    shown = io.StringIO()
    queued = [a_run(n, "Queued", queuePosition=n, message=f"waits for {n}") for n in (2, 1)]
    retry = a_run(5, "Retrying", attempts=[{"number": 2, "jobName": "j"}], message="again at 02:05")
    code = await watched(Console(file=shown, width=200), *queued, retry, a_run(6, "Failed", message="it did not help"))
    assert code == 1
    assert shown.getvalue().splitlines() == [
        "nightly: Queued: waits for 2",
        "nightly: Queued: waits for 1",
        "nightly: Retrying: again at 02:05 [attempt 2]",
        "nightly: Failed: it did not help",
    ]


async def test_a_run_that_vanishes_is_said() -> None:
    runs = FakeRuns(read=[a_run(1, "Running")], watch=[[("DELETED", a_run(2))]])
    with pytest.raises(NotFoundError, match="deleted while it was watched"):
        await watch_run(runs, KEY, Live(Console(file=io.StringIO())))


async def test_a_message_is_no_markup_and_steers_nothing() -> None:
    shown = io.StringIO()
    end = a_run(2, "Failed", message="[red]\x1b[2J\u202eX[/red]")
    await watched(Console(file=shown, width=200), end)
    assert "[red]" in shown.getvalue()
    assert not {"\x1b", "\u202e"} & set(shown.getvalue())


def test_ctrl_c_says_that_the_run_goes_on_and_how_to_come_back() -> None:
    words = interrupted_words("nightly")
    for part in ("goes on", "tracksync watch nightly", "tracksync cancel nightly"):
        assert part in words
