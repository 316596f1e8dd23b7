"""Stored tracks on standard output: nothing from the web steers a terminal or a spreadsheet program."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tracksync.cli.options import ListOutput
from tracksync.cli.render import csv_cell, printable, write_tracks

HOSTILE = "\x1b[2Jgone\u202eevil\x07"
ROW = {"slug": "a", "name": HOSTILE, "city": "=1+1", "total_laps": 7, "is_active": True, "logo_url": None}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (0, "0"),
        ("Kärrtorp 日本", "Kärrtorp 日本"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202ereversed", "\\u202ereversed"),
        ("no\u00a0break", "no break"),
        ("[bold]markup[/]", "[bold]markup[/]"),
    ],
)
def test_a_table_s_cell_is_one_line_without_control_characters(value: object, shown: str) -> None:
    assert printable(value) == shown


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+61 2 5550 0100", "'+61 2 5550 0100"),
        ("-2", "'-2"),
        ("@sum(a1)", "'@sum(a1)"),
        ("\t=1", "' =1"),
        ("a=b", "a=b"),
        (-2, "-2"),
        (None, ""),
        (False, "false"),
        ("a\x1b[0m", "a [0m"),
    ],
)
def test_a_csv_cell_is_never_a_formula(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


@pytest.mark.parametrize("output", list(ListOutput))
def test_no_output_holds_a_control_character(output: ListOutput, capsys: pytest.CaptureFixture[str]) -> None:
    write_tracks([ROW], output)
    shown = capsys.readouterr().out
    assert {character for character in shown if not character.isprintable()} == {"\n"}
    assert "gone" in shown


def test_json_holds_all_columns_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    write_tracks([ROW], ListOutput.JSON)
    assert json.loads(capsys.readouterr().out) == [ROW]


def test_csv_has_a_line_of_column_names(capsys: pytest.CaptureFixture[str]) -> None:
    write_tracks([ROW, ROW], ListOutput.CSV)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert (len(rows), list(rows[0]), rows[0]["city"]) == (2, list(ROW), "'=1+1")


def test_the_table_says_how_many_tracks_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    write_tracks([], ListOutput.TABLE)
    assert capsys.readouterr().out.endswith("0 tracks\n")
