"""The worker's log: of one pod, over replaced pods and attempts, and over connections that break."""

from __future__ import annotations

import pytest

from tests.cli.fake_runs import KEY_NAME, FakeRuns, a_pod, a_run
from tracksync.adapters.kube.answers import NotFoundError, NotReadyError
from tracksync.cli import pod_logs
from tracksync.cli.pod_logs import LogPrinter, print_logs
from tracksync.core.runs.model import Key
from tracksync.errors import ClusterUnavailableError

KEY = Key("team-a", KEY_NAME)
RUNNING, DONE = a_run(1, "Running"), a_run(2, "Succeeded")
FIRST, SECOND = a_pod("first", 1), a_pod("second", 2, created="2026-01-31T02:05:00Z")
CUT = ClusterUnavailableError("cut off")


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_logs, "POLL_SECONDS", 0.0)


def line(second: int, words: str, nanoseconds: int = 0) -> bytes:
    return f"2026-01-31T02:00:{second:02}.{nanoseconds:09}Z {words}".encode()


async def printed(
    capsys: pytest.CaptureFixture[str], runs: FakeRuns, *, follow: bool, attempt: int | None = None
) -> str:
    assert await print_logs(runs, KEY, follow=follow, attempt=attempt) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("attempt", "shown"), [(None, "two\n"), (1, "one\n"), (2, "two\n")])
async def test_the_latest_pod_or_that_of_the_attempt(
    capsys: pytest.CaptureFixture[str], attempt: int | None, shown: str
) -> None:
    runs = FakeRuns(
        read=[DONE], pods=[[SECOND, FIRST]], **{"log first": [[line(1, "one")]], "log second": [[line(2, "two")]]}
    )
    assert await printed(capsys, runs, follow=False, attempt=attempt) == shown


async def test_followed_it_goes_on_with_the_pod_that_comes_next_and_ends_with_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = FakeRuns(
        read=[RUNNING, RUNNING, RUNNING, RUNNING, DONE],
        pods=[[], [FIRST], [FIRST], [FIRST, SECOND]],
        **{"log first": [[line(1, "one")]], "log second": [[line(2, "two")]]},
    )
    assert await printed(capsys, runs, follow=True) == "one\ntwo\n"


async def test_a_connection_that_breaks_neither_loses_nor_repeats_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    first = [line(1, "a"), line(2, "b", 5), CUT]
    again = [line(2, "b", 5), line(2, "c", 6), line(3, "c")]
    runs = FakeRuns(read=[DONE], pods=[[FIRST]], **{"log first": [first, again]})
    assert await printed(capsys, runs, follow=True) == "a\nb\nc\nc\n"
    assert [asked[2] for asked in runs.asked if asked[0] == "log first"] == ["", "2026-01-31T02:00:02.000000005Z"]


async def test_a_pod_that_has_not_started_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    waiting, ended = a_pod("first", ended=False), FIRST
    runs = FakeRuns(
        read=[RUNNING, RUNNING, RUNNING, RUNNING, DONE],
        pods=[[waiting], [waiting], [ended]],
        **{"log first": [NotReadyError("waiting to start"), [line(1, "one")]]},
    )
    assert await printed(capsys, runs, follow=True) == "one\n"


async def test_not_followed_it_is_said_that_there_is_no_log_yet() -> None:
    runs = FakeRuns(read=[RUNNING], pods=[[FIRST]], **{"log first": [NotReadyError("waiting to start")]})
    with pytest.raises(NotReadyError):
        await print_logs(runs, KEY, follow=False, attempt=None)


@pytest.mark.parametrize("follow", [False, True])
async def test_a_run_without_pods_has_no_log(*, follow: bool) -> None:
    with pytest.raises(NotFoundError, match="has no pod"):
        await print_logs(FakeRuns(read=[DONE], pods=[[]]), KEY, follow=follow, attempt=None)


async def test_an_attempt_that_never_was_is_named() -> None:
    attempts = [{"number": 1, "jobName": "j"}]
    run = a_run(1, "Failed", attempts=attempts)
    with pytest.raises(NotFoundError, match="has no attempt 7"):
        await print_logs(FakeRuns(read=[run], pods=[[FIRST]]), KEY, follow=False, attempt=7)


async def test_one_attempt_is_followed_to_its_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    attempts = [{"number": 1, "jobName": "j", "completionTime": "2026-01-31T02:01:00Z"}, {"number": 2, "jobName": "k"}]
    runs = FakeRuns(
        read=[a_run(1, "Running", attempts=attempts)], pods=[[FIRST, SECOND]], **{"log first": [[line(1, "one")]]}
    )
    assert await printed(capsys, runs, follow=True, attempt=1) == "one\n"


def test_a_terminal_is_not_steered_by_what_a_page_said(capsys: pytest.CaptureFixture[str]) -> None:
    LogPrinter(is_terminal=True).print(line(1, "\x1b[2Jgone"))
    assert "\x1b" not in capsys.readouterr().out
