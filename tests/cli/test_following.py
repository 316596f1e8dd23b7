"""A run that is followed: expired watches, outages, starting API servers, deletion, another run of the same name."""

from __future__ import annotations

import pytest

from tests.cli.fake_runs import KEY_NAME, FakeRuns, a_run
from tracksync.adapters.kube.answers import ExpiredError, ForbiddenError, NotFoundError, NotInstalledError
from tracksync.cli import following
from tracksync.cli.following import follow
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import text
from tracksync.errors import ClusterUnavailableError

KEY = Key("team-a", KEY_NAME)
AWAY = ClusterUnavailableError("the Kubernetes API did not answer")


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_SECONDS", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(following, name, 0.0)


async def seen(runs: FakeRuns, outages: list[str] | None = None) -> list[str]:
    told = outages if outages is not None else []
    return [text(run, "metadata", "resourceVersion") async for run in follow(runs, KEY, on_outage=told.append)]


async def test_changes_come_one_by_one_until_it_is_deleted() -> None:
    events = [("MODIFIED", a_run(2)), ("BOOKMARK", a_run(3)), ("MODIFIED", a_run(4)), ("DELETED", a_run(5))]
    assert await seen(FakeRuns(read=[a_run(1)], watch=[events])) == ["1", "2", "4"]


@pytest.mark.parametrize(
    "fault",
    [ExpiredError("too old"), AWAY, ForbiddenError("you lack the right to watch")],
    ids=lambda e: type(e).__name__,
)
async def test_it_is_read_anew_after_a_watch_that_broke(fault: Exception) -> None:
    runs = FakeRuns(read=[a_run(1), a_run(7), None], watch=[[("MODIFIED", a_run(2)), fault], []])
    assert await seen(runs) == ["1", "2", "7"]
    assert [asked for asked in runs.asked if asked[0] == "watch"] == [
        ("watch", KEY_NAME, "1"),
        ("watch", KEY_NAME, "7"),
    ]


@pytest.mark.parametrize(
    "answers",
    [[AWAY, AWAY], [NotInstalledError("not installed"), ForbiddenError("no rights yet")]],
    ids=["away", "starting"],
)
async def test_what_an_api_server_says_while_it_starts_is_not_the_end(answers: list[Exception]) -> None:
    outages: list[str] = []
    runs = FakeRuns(read=[a_run(1), *answers, a_run(3), None], watch=[[]])
    assert await seen(runs, outages) == ["1", "3"]
    assert len(outages) == 2


async def test_a_right_that_stays_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STARTING_SECONDS", -1.0)
    with pytest.raises(ForbiddenError):
        await seen(FakeRuns(read=[a_run(1), ForbiddenError("taken away")], watch=[[]]))


async def test_another_run_of_the_same_name_is_not_followed() -> None:
    other = a_run(9, uid="another")
    assert await seen(FakeRuns(read=[a_run(1), other], watch=[[]])) == ["1"]
    assert await seen(FakeRuns(read=[a_run(1)], watch=[[("ADDED", other)]])) == ["1"]


async def test_what_was_never_there_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        await seen(FakeRuns(read=[None]))
