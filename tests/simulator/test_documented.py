"""`--help` and the reference page are complete: every option with its default, every kind, control path and figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main

from tests.cli.starting import tracksync
from tracksync.cli.main import app
from tracksync.simulator.abuse import Abuse
from tracksync.simulator.app import SimulatorSettings
from tracksync.simulator.control import DASHBOARD_PREFIX, ControlPanel
from tracksync.simulator.desk import FaultDesk
from tracksync.simulator.faults import CatalogueFault, DashboardFault, RetryAfterForm, RobotsFault, Switches, Validators
from tracksync.simulator.journal import Journal
from tracksync.simulator.kinds import Death
from tracksync.simulator.source import build_site

if TYPE_CHECKING:
    from enum import StrEnum

    import click

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "simulator.md"
KINDS: dict[str, type[StrEnum]] = {
    "catalogue_fault": CatalogueFault,
    "dashboard_fault": DashboardFault,
    "retry_after_form": RetryAfterForm,
    "robots": RobotsFault,
    "validators": Validators,
    "dies_as": Death,
}
SECTIONS = {
    "retry_after_form": "### Retry-After",
    "robots": "### robots.txt",
    "validators": "### Validators",
    "dies_as": "### A dead domain",
}


def options() -> dict[str, click.Option]:
    """Return the options of `tracksync simulate` by name, `--help` left out."""
    command = typer.main.get_command(app).commands["simulate"]  # type: ignore[attr-defined]  # a group has commands
    return {str(option.name): option for option in command.params if option.name != "help"}


def section(heading: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"\n{heading}\n") + 1
    end = re.search(r"\n#{1,3} ", text[start + 1 :])
    return text[start:] if end is None else text[start : start + 1 + end.start()]


def rows(text: str) -> list[list[str]]:
    """Return the cells of all table rows below the headings."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def words(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize("name", KINDS)
def test_the_help_of_each_option_names_every_kind_it_takes(name: str) -> None:
    found = set(re.findall(r"[a-z0-9-]+", options()[name].help or ""))
    assert not {kind.value for kind in KINDS[name]} - found


def test_help_gives_the_default_of_every_option() -> None:
    done = tracksync("simulate", "--help", COLUMNS="100", NO_COLOR="1", TERM="dumb")
    assert done.returncode == 0
    assert done.stdout.count("[default:") == len(options())


def test_the_page_has_a_row_for_every_option_with_its_default() -> None:
    documented = {cells[0].strip("`"): cells for cells in rows(section("## What is served") + section("## Switches"))}
    assert set(documented) == {option.opts[0] for option in options().values()}
    for option in options().values():
        cells = documented[option.opts[0]]
        shown = option.show_default if isinstance(option.show_default, str) else f"`{option.default}`"
        assert shown in cells, f"{option.opts[0]} has the default {shown}"


def test_the_page_names_the_json_field_of_every_switch() -> None:
    fields = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(section("## Switches"))}
    assert set(fields.values()) == set(Switches().as_json())
    for option, field in fields.items():
        assert field.rstrip("s") == option.removeprefix("--").replace("-", "_").rstrip("s")


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_names_every_kind_of_a_switch_in_its_section(name: str) -> None:
    assert not {kind.value for kind in KINDS[name]} - words(section(SECTIONS[name]))


@pytest.mark.parametrize(("column", "kinds"), [(1, CatalogueFault), (2, DashboardFault)])
def test_the_page_says_which_fault_which_page_can_have(column: int, kinds: type[StrEnum]) -> None:
    table = rows(section("### Pages"))
    said = {word for cells in table if cells[column] == "yes" for word in words(cells[0])}
    assert said == {kind.value for kind in kinds}


def test_the_page_lists_every_control_path_with_its_methods() -> None:
    site = build_site(SimulatorSettings(tracks=1))
    panel = ControlPanel(site, FaultDesk(1, Switches()), Journal(lambda: 0.0))
    expected = {f"{method} {path}" for path, methods in panel._routes.items() for method in methods}
    listed = {cells[0].strip("`") for cells in rows(section("## Control paths"))}
    assert listed == expected | {f"GET {DASHBOARD_PREFIX}SLUG"}


def test_the_page_explains_every_figure_of_the_journal() -> None:
    explained = words("".join(cells[0] for cells in rows(section("### The journal"))))
    assert explained == set(Journal(lambda: 0.0).as_json()) | {"held"}


def test_the_page_and_the_help_name_every_abuse() -> None:
    assert [cells[0].strip("`") for cells in rows(section("## Abuse below HTTP"))] == [abuse.value for abuse in Abuse]
    assert not [abuse for abuse in Abuse if f"/{abuse}" not in (options()["abuse_port"].help or "")]
