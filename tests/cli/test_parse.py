"""`tracksync parse`: documents whose keys are a contract, masked values, and pages that may be hostile.

Pages are synthetic, in the wire shape of the real ones; captures of real pages are compared when somebody has them.
What the parser makes of each shape is tested with the parser itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from tests.cli.starting import tracksync
from tests.liverc.pages import HOME, a_catalogue, a_dashboard, a_row, an_address, rows
from tests.support.captures import captures_or_none
from tests.support.levels import record_not_run
from tracksync.adapters.web.fetching import CATALOGUE_LIMITS, DASHBOARD_LIMITS
from tracksync.adapters.web.parser import Parser
from tracksync.cli import checking
from tracksync.cli.main import app
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, PERSONAL_COLUMNS, FieldState
from tracksync.liverc.address import LOCATION_COLUMNS

if TYPE_CHECKING:
    from typer.testing import Result

DOCS = Path(__file__).resolve().parents[2] / "docs"
MAP_QUERY = "12 Example Road,Springfield,NC+27000,US"
NULL = type(None)
FIELD_KEYS = {"state": str, "value": (str, int, NULL), "from": str}
CATALOGUE_KEYS: dict[str, Any] = {
    "complete": bool,
    "reasons": list,
    "rows": int,
    "skipped": dict,
    "duplicates": int,
    "status": dict,
    "video": int,
    "featured": int,
    "tracks": list,
}
TRACK_KEYS: dict[str, Any] = {
    "slug": str,
    "slug_as_listed": str,
    "name": str,
    "is_featured": bool,
    "kind": str,
    "status": (str, NULL),
    "has_video": bool,
    "event_name": (str, NULL),
    "last_updated_text": (str, NULL),
}
TIME_KEYS: dict[str, Any] = {
    "text": str,
    "known": bool,
    "youngest_seconds": (int, NULL),
    "oldest_seconds": (int, NULL),
    "stored_seconds": (int, NULL),
    "precision": (str, NULL),
}
A_MIXED_CATALOGUE = a_catalogue(
    rows(60)
    + a_row("MixedCase", "Two", status=2, video=1, featured=True)
    + a_row("practice", status=1)
    + a_row("track1")
    + a_row(link="")
    + a_row("www")
)
PERSONAL_TEXTS = ("12 Example Road", "555-010-0100", "info@example.org")


def parse(*arguments: str, page: str | bytes | None = None) -> Result:
    """Run `tracksync parse` in this process, the page on standard input."""
    return CliRunner().invoke(app, ["parse", *arguments], input=page)


def document(*arguments: str, page: str | bytes | None = None, code: int = 0) -> dict[str, Any]:
    shown = parse(*arguments, "--output", "json", page=page)
    assert shown.exit_code == code, shown.output
    read: dict[str, Any] = json.loads(shown.stdout)
    return read


def assert_shape(found: dict[str, Any], keys: dict[str, Any]) -> None:
    assert list(found) == list(keys)
    assert not [key for key, kinds in keys.items() if not isinstance(found[key], kinds)]


@pytest.mark.parametrize(
    ("page", "proven", "columns"),
    [
        pytest.param(a_dashboard(), True, DASHBOARD_COLUMNS, id="proven"),
        pytest.param(a_dashboard(map_query=None, totals={}), True, DASHBOARD_COLUMNS, id="places missing"),
        pytest.param(a_dashboard(heading="Welcome"), False, (), id="another page"),
        pytest.param("", False, (), id="empty"),
    ],
)
def test_the_keys_of_a_dashboard_are_a_contract(page: str, *, proven: bool, columns: tuple[str, ...]) -> None:
    found = document("dashboard", "-", page=page, code=0 if proven else 40)
    assert_shape(found, {"proven": bool, "reasons": list, "fields": dict})
    assert (found["proven"], not found["reasons"], tuple(found["fields"])) == (proven, proven, columns)
    for field in found["fields"].values():
        assert_shape(field, FIELD_KEYS)
        assert field["state"] in set(FieldState)
        assert (field["value"] is not None) is (field["state"] == "value")
        assert field["from"], "also a field that is absent says where it was looked for"


def test_each_field_says_where_it_came_from() -> None:
    found = document(
        "dashboard", "-", page=a_dashboard(map_query=",Springfield,NC+27000,US", address=an_address(*HOME, phone=None))
    )
    origins = {column: (field["state"], field["from"]) for column, field in found["fields"].items()}
    assert origins["city"] == ("value", "map")
    assert origins["street"] == ("value", "address block")
    assert origins["phone"] == ("absent", "address block")
    assert origins["address"] == ("value", "composed")
    assert origins["total_laps"] == ("value", "totals table")
    assert origins["description"] == ("blank", "About panel")


@pytest.mark.parametrize(
    ("page", "complete"),
    [
        pytest.param(A_MIXED_CATALOGUE, True, id="complete"),
        pytest.param(A_MIXED_CATALOGUE[:-20], False, id="cut"),
        pytest.param(a_catalogue(""), False, id="no rows"),
        pytest.param("<p>sign in</p>", False, id="another page"),
    ],
)
def test_the_keys_of_a_catalogue_are_a_contract(page: str, *, complete: bool) -> None:
    found = document("catalogue", "-", page=page, code=0 if complete else 40)
    assert_shape(found, CATALOGUE_KEYS)
    assert (found["complete"], not found["reasons"]) == (complete, complete)
    assert list(found["status"]) == ["idle", "practice", "racing"]
    for track in found["tracks"]:
        assert_shape(track, TRACK_KEYS)


def test_a_catalogue_is_counted_row_by_row() -> None:
    found = document("catalogue", "-", page=A_MIXED_CATALOGUE)
    assert (found["rows"], len(found["tracks"]), found["duplicates"]) == (65, 62, 1)
    assert found["skipped"] == {"missing_link": 1, "invalid_slug": 1}
    assert found["status"] == {"idle": 60, "practice": 1, "racing": 1}
    assert (found["video"], found["featured"]) == (1, 1)
    mixed = next(track for track in found["tracks"] if track["slug"] == "mixedcase")
    assert (mixed["slug_as_listed"], mixed["name"], mixed["is_featured"]) == ("MixedCase", "Two", True)


def test_a_catalogue_of_another_domain_is_read_with_its_name() -> None:
    page = a_catalogue(a_row()).replace("liverc.com", "example.org")
    assert document("catalogue", "-", page=page, code=40)["skipped"] == {"invalid_slug": 1}
    assert document("catalogue", "-", "--domain", ".Example.org", page=page)["rows"] == 1


@pytest.mark.parametrize(
    ("given", "page", "origin", "problem"),
    [
        pytest.param(MAP_QUERY, None, "map", None, id="a map's query"),
        pytest.param(
            f"https://www.google.com/maps/embed/v1/place?key=NO-KEY&q={MAP_QUERY}", None, "map", None, id="URL"
        ),
        pytest.param("-", f"{MAP_QUERY}\n", "map", None, id="a query on standard input"),
        pytest.param("-", a_dashboard(), "map", None, id="a whole dashboard"),
        pytest.param("-", an_address(*HOME), "address block", "there is no map", id="an address block alone"),
    ],
)
def test_an_address_is_read_from_text_or_page(given: str, page: str | None, origin: str, problem: str | None) -> None:
    found = document("address", given, "--show-personal", page=page)
    assert_shape(found, {"reasons": list, "fields": dict})
    assert tuple(found["fields"]) == LOCATION_COLUMNS
    assert {field["value"] for field in found["fields"].values()} >= {"12 Example Road", "Springfield", "27000", "US"}
    assert found["fields"]["city"]["from"] == origin
    assert [reason[:15] for reason in found["reasons"]] == ([problem] if problem else [])
    assert "NO-KEY" not in json.dumps(found)


@pytest.mark.parametrize(
    ("text", "known", "ages"),
    [
        ("2 weeks ago", True, (1_209_600, 1_814_400, 1_512_000, "week")),
        ("1 minute ago", True, (0, 120, 60, "minute")),
        ("Yesterday", True, (86_400, 172_800, 129_600, "day")),
        ("soon", False, (None, None, None, None)),
    ],
)
def test_a_time_is_its_interval_or_null(text: str, *, known: bool, ages: tuple[object, ...]) -> None:
    found = document("time", text)
    assert_shape(found, TIME_KEYS)
    assert tuple(found.values()) == (text, known, *ages)
    assert document("time", "-", page=f" {text}\n") == found


@pytest.mark.parametrize("command", ["dashboard", "address"])
@pytest.mark.parametrize("output", ["json", "table"])
def test_personal_columns_are_masked_unless_they_are_asked_for(command: str, output: str) -> None:
    hidden = parse(command, "-", "--output", output, page=a_dashboard())
    assert not [text for text in PERSONAL_TEXTS if text in hidden.output]
    assert "***" in hidden.stdout
    assert "--show-personal" in hidden.stderr
    shown = parse(command, "-", "--output", output, "--show-personal", page=a_dashboard())
    assert "12 Example Road" in shown.stdout
    assert "***" not in shown.output
    assert shown.stderr == ""


def test_exactly_the_personal_columns_are_masked_and_their_state_stays() -> None:
    masked = document("dashboard", "-", page=a_dashboard())["fields"]
    shown = document("dashboard", "-", "--show-personal", page=a_dashboard())["fields"]
    assert {column for column in shown if masked[column] != shown[column]} == PERSONAL_COLUMNS
    assert all(masked[column] == shown[column] | {"value": "***"} for column in PERSONAL_COLUMNS)


HOSTILE = "\x1b[2Jgone\u202eevil\x07\x9b31m\x7f\x00"


@pytest.mark.parametrize("output", ["json", "table"])
@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        pytest.param(["catalogue", "-"], a_catalogue(a_row("abc", HOSTILE, event=HOSTILE, updated=HOSTILE)), id="list"),
        pytest.param(
            ["dashboard", "-", "--show-personal"],
            a_dashboard(map_query=f"{HOSTILE},x,NC+1,US", description=HOSTILE, about=f"About {HOSTILE}"),
            id="dashboard",
        ),
        pytest.param(["address", "-", "--show-personal"], an_address(HOSTILE, "x", "United States"), id="address"),
        pytest.param(["address", f"{HOSTILE[:-1]},x,NC+1,US", "--show-personal"], None, id="map query"),
        pytest.param(["time", HOSTILE[:-1]], None, id="time"),
    ],
)
def test_no_control_character_of_a_page_reaches_the_terminal(
    arguments: list[str], page: str | None, output: str
) -> None:
    shown = parse(*arguments, "--output", output, page=page)
    assert shown.exit_code == 0
    assert {character for character in shown.output if not character.isprintable()} <= {"\n"}
    assert "gone" in shown.stdout


def test_a_file_that_is_missing_is_named_without_its_control_characters() -> None:
    shown = parse("dashboard", "evil\x1b[2J.html")
    assert shown.exit_code == 2
    assert "\x1b" not in shown.output


def test_bytes_that_are_no_utf_8_are_read_with_replacement() -> None:
    page = a_catalogue(a_row("abc", "Caf@")).encode().replace(b"@", b"\xe9")
    assert document("catalogue", "-", page=page)["tracks"][0]["name"] == "Caf\ufffd"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["dashboard", "no-such.html"], "No such file", id="no file"),
        pytest.param(["catalogue", "."], "directory", id="a folder"),
        pytest.param(["address", "no-such.html"], "there is no file", id="neither a file nor a query"),
        pytest.param(["dashboard", "-", "--slug", "Not A Slug"], "--slug", id="no slug"),
        pytest.param(["catalogue", "-", "--domain", "x y"], "--domain", id="no domain"),
    ],
)
def test_wrong_use_is_named_with_its_remedy(arguments: list[str], words: str) -> None:
    shown = parse(*arguments, page="")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert words in " ".join(shown.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "first", "last"),
    [
        pytest.param(["dashboard", "-"], "the page is cut", "proven", id="nobody named the track"),
        pytest.param(["dashboard", "-", "--slug", "abc"], "abc: the page is cut", "proven", id="named"),
    ],
)
def test_the_table_says_why_a_page_is_not_believed(arguments: list[str], first: str, last: str) -> None:
    shown = parse(*arguments, page=a_dashboard(end=""))
    assert shown.exit_code == 40
    heading, reason = shown.stdout.splitlines()
    assert heading == f"not {last} to be a dashboard:"
    assert reason.strip().startswith(first)


def test_the_table_of_a_catalogue_names_skipped_rows_and_ends_with_the_verdict() -> None:
    *_, first, second, verdict = parse("catalogue", "-", page=A_MIXED_CATALOGUE).stdout.splitlines()
    assert (first, second) == ("row 64 is skipped: missing_link", "row 65 is skipped: invalid_slug")
    assert verdict == "a complete listing"


@pytest.mark.parametrize(
    ("command", "limit"),
    [("catalogue", CATALOGUE_LIMITS), ("dashboard", DASHBOARD_LIMITS), ("address", DASHBOARD_LIMITS)],
)
def test_a_page_larger_than_a_sync_would_read_is_refused(command: str, limit: Any) -> None:
    shown = parse(command, "-", page=b" " * (limit.body_bytes + 1))
    assert (shown.exit_code, shown.stdout) == (40, "")
    assert f"{limit.body_bytes:,} bytes" in shown.stderr


@pytest.mark.parametrize("command", ["catalogue", "dashboard", "address"])
def test_a_page_beyond_its_limits_is_an_error_and_the_terminal_comes_back(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "Parser", lambda: Parser(page_seconds=0.3))
    shown = parse(command, "-", page="<div><b>" * 60_000)
    assert (shown.exit_code, shown.stdout) == (40, "")
    assert "processor time" in shown.stderr


def test_a_page_is_read_from_a_file_as_a_user_does(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(a_dashboard(), encoding="utf-8")
    done = tracksync("parse", "dashboard", str(tmp_path / "page.html"))
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "proven to be a dashboard"


def test_every_key_of_the_documents_is_documented() -> None:
    page = (DOCS / "howto" / "check-a-page.md").read_text(encoding="utf-8")
    keys = {"proven", "fields", *FIELD_KEYS, *CATALOGUE_KEYS, *TRACK_KEYS, *TIME_KEYS}
    assert not [key for key in sorted(keys) if f"`{key}`" not in page]


def test_the_captured_pages_give_exactly_what_is_expected_of_them() -> None:
    folder = captures_or_none()
    if folder is None:
        record_not_run("captures", "no captures of the real pages", "TRACKSYNC_CAPTURES=FOLDER make test")
        return
    for expected_file in sorted(folder.glob("dashboard-*.expected.json")):
        expected = json.loads(expected_file.read_text(encoding="utf-8"))
        name = expected_file.name.removesuffix(".expected.json")
        found = document("dashboard", str(folder / f"{name}.html"), "--show-personal")
        fields = {
            column: {key: field[key] for key in ("state", "value") if field[key] is not None}
            for column, field in found["fields"].items()
            if column in expected["fields"]
        }
        assert (found["proven"], fields) == (expected["proven"], expected["fields"])
    found = document("catalogue", str(folder / "catalogue.html"))
    assert (found["complete"], found["rows"], found["skipped"], found["duplicates"]) == (True, 1090, {}, 0)
    assert found["status"] == {"idle": 964, "practice": 107, "racing": 19}
    assert (found["video"], found["featured"]) == (34, 10)
