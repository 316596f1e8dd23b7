"""`tracksync source` as an admin starts it, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.cli.starting import tracksync
from tests.database.test_command_line import a_simulator, a_sync, count_tracks
from tracksync.adapters.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from tracksync.ports import DomainState


def source(database_url: str, *arguments: str) -> dict[str, Any]:
    done = tracksync("source", *arguments, "--output", "json", TRACKSYNC_DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pause(database_url: str, domain: str, seconds: float) -> None:
    async def act() -> None:
        async with await PostgresDatabase.connect(database_url, application_name="tests") as database:
            await database.pace(domain).pause(seconds)

    asyncio.run(act())


def look(database_url: str, domain: str) -> DomainState:
    async def act() -> DomainState:
        async with await PostgresDatabase.connect(database_url, application_name="tests") as database:
            return await database.pace(domain).look()

    return asyncio.run(act())


def test_a_source_that_nobody_asked_yet_is_on_and_can_be_asked_at_once(database_url: str) -> None:
    assert source(database_url, "show") == {
        "domain": "liverc.com",
        "state": "on",
        "reason": None,
        "pausedSeconds": 0.0,
        "nextSlotSeconds": 0.0,
    }


def test_off_and_on_hold_for_one_domain_and_show_the_reason(database_url: str) -> None:
    switched = source(database_url, "off", "--reason", " they asked us to ")
    assert (switched["state"], switched["reason"], switched["nextSlotSeconds"]) == ("off", "they asked us to", None)
    assert source(database_url, "show") == switched
    assert look(database_url, "liverc.com").off_reason == "they asked us to"
    assert source(database_url, "show", "--domain", "tracks.example.org")["state"] == "on"
    table = tracksync("source", "show", TRACKSYNC_DATABASE_URL=database_url)
    assert "state       off: they asked us to\n" in table.stdout
    assert source(database_url, "on")["state"] == "on"
    assert look(database_url, "liverc.com").off_reason is None


def test_a_pause_is_shown_with_what_is_left_and_looking_takes_no_slot(database_url: str) -> None:
    pause(database_url, "liverc.com", 3600)
    first, second = source(database_url, "show"), source(database_url, "show")
    for shown in (first, second):
        assert 3500 < shown["pausedSeconds"] <= 3600
        assert shown["nextSlotSeconds"] - shown["pausedSeconds"] < 1
    assert second["nextSlotSeconds"] <= first["nextSlotSeconds"]


def test_a_run_of_a_source_that_is_off_sends_nothing_and_says_how_to_switch_it_on(database_url: str) -> None:
    source(database_url, "off", "--reason", "too many complaints")
    with a_simulator() as url:
        done = a_sync(url, "--database-url", database_url)
        assert (done.returncode, json.loads(done.stdout)["reason"]) == (20, "SourceOff")
        assert json.loads(done.stdout)["requests"] == 0
        assert "too many complaints" in done.stderr
        assert "tracksync source on" in done.stderr
        source(database_url, "on")
        assert a_sync(url, "--database-url", database_url).returncode == 0
    assert count_tracks(database_url) > 0


def test_a_database_without_tables_is_refused_with_the_command_that_helps(empty_database_url: str) -> None:
    done = tracksync("source", "show", TRACKSYNC_DATABASE_URL=empty_database_url)
    assert (done.returncode, done.stdout) == (30, "")
    assert "tracksync migrate" in done.stderr
