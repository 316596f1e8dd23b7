"""Taking over a predecessor's table: ids stay, everything is written or nothing, and what stands in the way is named.

The old tables here are made up: one that is named like ours, one with other names and other types.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from tests.cli.starting import tracksync
from tests.database.test_command_line import a_simulator, a_sync
from tests.database.test_migrations import migrated_to
from tests.support.postgres import fetch_all
from tests.support.store import a_listing, a_run, synced
from tracksync.adapters.postgres.adopt import AdoptionReport, AdoptionWish, adopt
from tracksync.adapters.postgres.adopt_mapping import ColumnMapping, ZeroTotals, mapping_of
from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.errors import LeaseHeldError, SchemaMismatchError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

ALIKE = """
CREATE SCHEMA old;
CREATE TABLE old.tracks (
    id text PRIMARY KEY, source text, slug text, name text, is_active boolean, is_followed boolean, city text,
    total_laps integer, total_races integer, latitude double precision, longitude double precision,
    start_finish_line jsonb, created_at timestamp, last_seen_at timestamptz, kept_by_nobody text
)
"""
OTHER = """
CREATE SCHEMA "Old One";
CREATE TABLE "Old One"."Tracks" (
    track_id uuid, host character varying(80), title text, active integer, followed text, laps text, lat numeric(9, 6),
    line text, seen text
)
"""
A, B, C = (f"6c9bd7a0-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
WISH = AdoptionWish("old.tracks", ColumnMapping(), "liverc", "liverc.com", ZeroTotals.UNKNOWN)
APPLIED = replace(WISH, is_applied=True)


@pytest.fixture
def old(database_url: str) -> str:
    """Give the URL of a migrated database that holds an empty old table with our names as well."""
    fetch_all(database_url, ALIKE)
    return database_url


def insert(url: str, table: str = "old.tracks", **values: object) -> None:
    row: dict[str, object] = {} if table != "old.tracks" else {
        "id": str(uuid4()), "slug": "a", "name": "Track A", "is_active": True
    }  # fmt: skip
    row |= values
    fetch_all(url, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())


def tracks(url: str, columns: str = "id::text, slug, is_followed") -> list[tuple[Any, ...]]:
    return fetch_all(url, f"SELECT {columns} FROM tracks ORDER BY slug")


def everything(url: str) -> list[tuple[Any, ...]]:
    """Return all rows of the tables that an adoption could touch."""
    return [
        row
        for table in ("tracks", "runs", "changes", "leases", "source_state", "track_freshness")
        for row in fetch_all(url, f"SELECT to_jsonb(t)::text FROM {table} AS t ORDER BY 1")
    ]


def test_rows_keep_their_ids_and_what_people_set(old: str) -> None:
    insert(old, id=A, slug="Alpha", is_followed=True, city="Bern", total_laps=7, latitude=46.9, longitude=7.4,
           start_finish_line='{"type": "LineString"}', created_at="2020-02-03 04:05:06")  # fmt: skip
    insert(old, id=B, slug="beta", is_active=False)
    report = adopt(old, APPLIED)
    assert (report.rows, report.adopted, report.followed, report.is_clean) == (2, 2, 1, True)
    first, second = tracks(
        old,
        "id::text, source, slug, slug_as_listed, name, track_url, events_url, kind, city, total_laps, total_races,"
        " is_active, is_followed, latitude, longitude, start_finish_line, created_at AT TIME ZONE 'UTC' || '',"
        " deactivated_at IS NULL",
    )
    assert first == (
        A, "liverc", "alpha", "Alpha", "Track A", "https://alpha.liverc.com/", "https://alpha.liverc.com/events",
        "track", "Bern", 7, None, True, True, 46.9, 7.4, {"type": "LineString"}, "2020-02-03 04:05:06", True,
    )  # fmt: skip
    assert (second[0], second[11], second[12], second[17]) == (B, False, False, False)


def test_the_ledger_tells_of_the_adoption(old: str) -> None:
    insert(old, id=A)
    insert(old, slug="b")
    report = adopt(old, APPLIED)
    runs = fetch_all(old, "SELECT run_id::text, name, source, state, mode, results->'inserted' FROM runs")
    assert runs == [(report.run_id, "adopt", "liverc", "succeeded", "adopt", 2)]
    assert fetch_all(old, "SELECT run_id::text, kind, count(*) FROM changes GROUP BY 1, 2") == [
        (report.run_id, "inserted", 2)
    ]


def test_without_apply_everything_is_counted_and_nothing_written(old: str) -> None:
    insert(old, id=A, is_followed=True)
    before = everything(old)
    report = adopt(old, WISH)
    assert report == AdoptionReport("old.tracks", "liverc", rows=1, adopted=1, followed=1)
    assert everything(old) == before


def test_a_second_adoption_finds_everything_here_and_leaves_it_alone(old: str) -> None:
    insert(old, id=A, slug="Alpha")
    adopt(old, APPLIED)
    fetch_all(old, "UPDATE tracks SET is_followed = true, name = 'Another'")
    insert(old, id=B, slug="beta")
    again = adopt(old, APPLIED)
    assert (again.adopted, again.already_here) == (1, 1)
    assert tracks(old, "id::text, name, is_followed") == [(A, "Another", True), (B, "Track A", False)]


@pytest.mark.parametrize(
    ("zero_totals", "stored", "counted"), [(ZeroTotals.UNKNOWN, (None, 5), 1), (ZeroTotals.KEEP, (0, 5), 0)]
)
def test_a_total_of_zero_is_unknown_unless_it_is_to_be_kept(
    old: str, zero_totals: ZeroTotals, stored: tuple[int | None, int], counted: int
) -> None:
    insert(old, total_laps=0, total_races=5)
    report = adopt(old, replace(APPLIED, zero_totals=zero_totals))
    assert report.unknown_totals == counted
    assert tracks(old, "total_laps, total_races") == [stored]


def test_another_table_is_mapped_column_by_column(database_url: str) -> None:
    fetch_all(database_url, OTHER)
    insert(
        database_url, '"Old One"."Tracks"', track_id=UUID(A), host="ALPHA", title="Alpha", active=1, followed="yes",
        laps="12", lat="46.948000", line="[[1, 2], [3, 4]]", seen="2024-05-06T07:08:09+02:00",
    )  # fmt: skip
    mapping = mapping_of(
        {
            "columns": {
                "id": "track_id", "slug": "host", "name": "title", "is_active": "active", "is_followed": "followed",
                "total_laps": "laps", "latitude": "lat", "start_finish_line": "line", "last_seen_at": "seen",
            },
            "constants": {"country": "Switzerland", "is_featured": True},
        }
    )  # fmt: skip
    adopt(
        database_url, replace(APPLIED, table='"Old One"."Tracks"', mapping=mapping, source="mine", domain="tracks.test")
    )
    assert tracks(
        database_url,
        "id::text, source, slug, name, track_url, is_active, is_followed, total_laps, latitude, start_finish_line,"
        " last_seen_at AT TIME ZONE 'UTC' || '', country, is_featured",
    ) == [
        (A, "mine", "alpha", "Alpha", "https://alpha.tracks.test/", True, True, 12, 46.948, [[1, 2], [3, 4]],
         "2024-05-06 05:08:09", "Switzerland", True)
    ]  # fmt: skip


def test_rows_that_fold_to_one_slug_stop_the_adoption_and_are_named(old: str) -> None:
    insert(old, id=A, slug="Alpha")
    insert(old, id=B, slug="ALPHA")
    insert(old, id=C, slug="beta")
    before = everything(old)
    report = adopt(old, APPLIED)
    (line,) = report.conflicts
    assert line.startswith(f"alpha: rows of the old table fold to this one slug: ALPHA ({B}), Alpha ({A});")
    assert everything(old) == before


def test_rows_that_share_an_id_stop_the_adoption(old: str) -> None:
    insert(old, id=A.upper(), slug="alpha")
    insert(old, id=A, slug="beta")
    assert adopt(old, APPLIED).conflicts == (
        f"alpha: rows of the old table share the id {A}: alpha, beta; map the column that tells them apart",
    )


@pytest.mark.parametrize(
    ("slug", "track_id", "said"),
    [
        ("here", B, f"here: is here with another id ({A} here, {B} there)"),
        ("new", A, f"new: its id {A} belongs to another"),
    ],
)
def test_a_track_that_is_here_under_another_name_or_id_stops_the_adoption(
    old: str, slug: str, track_id: str, said: str
) -> None:
    fetch_all(
        old,
        "INSERT INTO tracks (id, source, slug, slug_as_listed, name, track_url, events_url, is_featured, kind)"
        f" VALUES ('{A}', 'liverc', 'here', 'here', 'Here', 'u', 'u', false, 'track')",
    )
    insert(old, id=track_id, slug=slug)
    before = everything(old)
    (line,) = adopt(old, APPLIED).conflicts
    assert line.startswith(said)
    assert everything(old) == before


@pytest.mark.parametrize(
    ("values", "column", "why"),
    [
        ({"id": "42"}, "id", "is no UUID"),
        ({"slug": "x" * 64}, "slug", "is no host label"),
        ({"slug": "with space"}, "slug", "is no host label"),
        ({"slug": "www"}, "slug", "is no host label"),
        ({"slug": "\N{KELVIN SIGN}art"}, "slug", "is no host label"),
        ({"slug": None}, "slug", "is empty"),
        ({"name": None}, "name", "is empty"),
        ({"name": " "}, "name", "is empty"),
        ({"is_active": None}, "is_active", "is empty"),
        ({"total_laps": -1}, "total_laps", "is no whole number"),
        ({"latitude": 91}, "latitude", "outside of -90 to 90"),
        ({"longitude": "NaN"}, "longitude", "is no number"),
        ({"start_finish_line": '"a"'}, "start_finish_line", "is no JSON"),
        ({"last_seen_at": "infinity"}, "last_seen_at", "is no date and time"),
        ({"last_seen_at": "0044-03-15 BC"}, "last_seen_at", "is no date and time"),
        ({"source": "another"}, "source", 'is not "liverc"'),
    ],
)
def test_a_row_that_cannot_be_stored_is_refused_with_column_and_remedy(
    old: str, values: dict[str, object], column: str, why: str
) -> None:
    insert(old, slug="good")
    insert(old, **values)
    before = everything(old)
    report = adopt(old, APPLIED)
    (refusal,) = report.refused
    assert (refusal.column, report.refused_rows, report.adopted) == (column, 1, 1)
    assert why in refusal.why
    assert everything(old) == before


@pytest.mark.parametrize(
    ("kind", "value", "column", "why"),
    [
        ("bytea", b"x", "name", "has a type that cannot be converted"),
        ("text[]", ["x"], "name", "has a type that cannot be converted"),
        ("boolean", True, "name", "is no text"),
        ("json", '{"a": "\\u0000"}', "start_finish_line", "holds the character NUL"),
        ("text", "{", "start_finish_line", "is no JSON"),
        ("text", "maybe", "is_active", "is neither true nor false"),
        ("text", "many", "total_laps", "is no number"),
        ("numeric", "1.5", "total_laps", "is no whole number"),
        ("numeric", "1e30", "total_laps", "is no whole number"),
        ("text", "circuit", "kind", "is none of track"),
        ("text", "yesterday", "created_at", "is no date and time"),
    ],
)
def test_a_column_of_the_wrong_type_is_refused_row_by_row(
    old: str, kind: str, value: object, column: str, why: str
) -> None:
    fetch_all(old, f"ALTER TABLE old.tracks ADD COLUMN theirs {kind}")
    insert(old, theirs=value)
    report = adopt(old, replace(APPLIED, mapping=ColumnMapping({column: "theirs"})))
    assert [(refusal.column, why in refusal.why) for refusal in report.refused] == [(column, True)]
    assert tracks(old) == []


def test_only_the_first_refused_rows_are_named_and_all_are_counted(old: str) -> None:
    fetch_all(old, "INSERT INTO old.tracks (id, slug) SELECT n::text, 's' || n FROM generate_series(1, 5000) AS n")
    report = adopt(old, APPLIED)
    assert (len(report.refused), report.refused_rows, report.rows) == (20, 5000, 5000)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("old.nothing", "there is no table old.nothing"),
        ("public.tracks", "is TrackSync's own table"),
        ("tracks", "is TrackSync's own table"),
        ("a.b.c", "write it as schema.table"),
        ("old.", "write it as schema.table"),
        ("old.tracks; DROP TABLE tracks", "write it as schema.table"),
    ],
)
def test_a_table_that_cannot_be_adopted_is_named(old: str, table: str, said: str) -> None:
    with pytest.raises(SettingsError, match="--from") as refused:
        adopt(old, replace(APPLIED, table=table))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"columns": {"name": "title"}}, 'columns.name: old.tracks has no column "title"; it has city'),
        ({"columns": {"nickname": "name"}}, "columns.nickname: tracks has no such column"),
        ({"columns": {"name": 1}}, "columns.name: must be the name"),
        ({"columns": ["name"]}, "columns: must be a table"),
        ({"constants": {"id": A}}, "constants.id: cannot be one value for all rows"),
        ({"constants": {"source": "x"}}, "give --source-name"),
        ({"constants": {"city": []}}, "constants.city: must be a text"),
        ({"columns": {"city": "city"}, "constants": {"city": "x"}}, "city: is in [columns] and in [constants]"),
        ({"ignore": ["name"]}, 'has no column "name"; say which one it is: [columns] name'),
        ({"ignore": ["is_active"]}, "or [constants] is_active = true when all are"),
        ({"ignore": "name"}, "ignore: must be a list"),
        ({"column": {}}, "column: no such part"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_its_place(
    old: str, document: dict[str, object], said: str
) -> None:
    insert(old)
    with pytest.raises(SettingsError, match="--mapping") as refused:
        adopt(old, replace(APPLIED, mapping=mapping_of(document)))
    assert said in str(refused.value)
    assert tracks(old) == []


def test_an_ignored_column_is_not_taken_over(old: str) -> None:
    insert(old, city="Bern", source="another")
    adopt(old, replace(APPLIED, mapping=mapping_of({"ignore": ["city", "source"]})))
    assert tracks(old, "city, source") == [(None, "liverc")]


def test_a_constant_is_checked_like_any_value(old: str) -> None:
    insert(old)
    report = adopt(old, replace(APPLIED, mapping=mapping_of({"constants": {"city": "a\x00b"}})))
    assert [(refusal.column, "NUL" in refusal.why) for refusal in report.refused] == [("city", True)]


def test_a_database_at_another_revision_is_not_touched(empty_database_url: str) -> None:
    migrated_to(empty_database_url, "0003")
    fetch_all(empty_database_url, ALIKE)
    insert(empty_database_url)
    with pytest.raises(SchemaMismatchError, match="0003"):
        adopt(empty_database_url, APPLIED)
    assert tracks(empty_database_url) == []


async def test_a_run_that_goes_on_stops_the_adoption_but_not_its_rehearsal(old: str) -> None:
    insert(old, id=A)
    async with await PostgresDatabase.connect(old, application_name="tests") as database:
        await database.ledger.open_run(a_run(), spec_hash="")
        with pytest.raises(LeaseHeldError, match="nightly"):
            adopt(old, APPLIED)
        assert adopt(old, WISH).adopted == 1
    assert tracks(old) == []


async def test_the_first_sync_compares_every_row_and_fetches_every_dashboard(old: str) -> None:
    insert(old, id=A, slug="alpha", name="Track alpha", is_followed=True, city="Bern")
    insert(old, id=B, slug="beta", name="old name")
    adopt(old, APPLIED)
    async with await PostgresDatabase.connect(old, application_name="tests") as database:
        counters = await synced(database, a_listing("alpha", "beta", "gamma"))
    assert (counters.inserted, counters.deactivated) == (1, 0)
    assert tracks(old, "slug, name, is_followed, city") == [
        ("alpha", "Track alpha", True, "Bern"),
        ("beta", "Track beta", False, None),
        ("gamma", "Track gamma", False, None),
    ]
    assert [row[0] for row in tracks(old, "id::text")][:2] == [A, B]


def test_a_whole_sync_after_an_adoption_keeps_ids_and_fetches_all(old: str) -> None:
    with a_simulator() as url:
        first = a_sync(url, TRACKSYNC_DATABASE_URL=old)
        assert first.returncode == 0
        fetch_all(old, "INSERT INTO old.tracks (id, slug, name, is_active, is_followed)"
                       " SELECT gen_random_uuid()::text, upper(slug), name, is_active, true FROM tracks")  # fmt: skip
        fetch_all(old, "TRUNCATE tracks, track_freshness, runs, source_state CASCADE")
        adopted = adopt(old, APPLIED)
        done = json.loads(a_sync(url, TRACKSYNC_DATABASE_URL=old).stdout)
    assert (done["inserted"], done["deactivated"], done["fetched"]) == (0, 0, adopted.rows)
    kept = "SELECT count(*) FROM tracks AS t JOIN old.tracks AS o ON o.id = t.id::text AND t.is_followed"
    assert fetch_all(old, kept) == [(adopted.rows,)]


def test_the_command_rehearses_applies_and_says_what_stands_in_the_way(old: str, tmp_path: Path) -> None:
    insert(old, id=A, slug="Alpha", is_followed=True)
    fetch_all(old, "ALTER TABLE old.tracks RENAME COLUMN name TO title")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[columns]\nname = "title"\n')
    options = ["adopt", "--from", "old.tracks", "--mapping", str(mapping)]
    rehearsed = tracksync(*options, TRACKSYNC_DATABASE_URL=old)
    assert rehearsed.returncode == 0
    assert "would adopt   1 of 1 rows of old.tracks\n" in rehearsed.stdout
    assert "--apply does it" in rehearsed.stdout
    done = tracksync(*options, "--apply", "--output", "json", TRACKSYNC_DATABASE_URL=old)
    document = json.loads(done.stdout)
    assert (done.returncode, document["applied"], document["adopted"], document["followed"]) == (0, True, 1, 1)
    insert_titled = "INSERT INTO old.tracks (id, slug, title, is_active) VALUES ('x', 'beta', 'B', true)"
    fetch_all(old, insert_titled)
    refused = tracksync(*options, "--apply", TRACKSYNC_DATABASE_URL=old)
    assert refused.returncode == 30
    assert "  beta: id: is no UUID" in refused.stdout
    assert "1 rows are refused" in refused.stderr
    assert tracks(old) == [(A, "alpha", True)]


def test_a_mapping_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[columns\n")
    for path, said in ((broken, "is no TOML"), (tmp_path / "none.toml", "cannot be read")):
        done = tracksync("adopt", "--from", "old.tracks", "--mapping", str(path))
        assert (done.returncode, said in done.stderr) == (30, True)


def test_every_column_that_can_be_adopted_is_documented() -> None:
    from tests.architecture.test_docs import DOCS  # noqa: PLC0415 -- the only test here that reads the docs

    page = (DOCS / "adopt.md").read_text(encoding="utf-8")
    assert [column for column in TRACK_COLUMNS if f"`{column}`" not in page] == []
