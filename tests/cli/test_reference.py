"""The reference of the command line is the one that the commands give, and the rights in it are the ones they use."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from tracksync.adapters.kube.runs import KubeRuns
from tracksync.cli.main import app
from tracksync.cli.reference import FILE_NAME, VERBS, reference_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / FILE_NAME


def test_the_committed_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_text(app), "run `make generate`"


def test_every_command_and_option_is_on_the_page() -> None:
    root = typer.main.get_command(app)
    text = PAGE.read_text(encoding="utf-8")
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # the root is a group
        assert f"## tracksync {name}" in text
        for option in getattr(command, "params", []):
            assert option.opts[0].removeprefix("--") in text or option.metavar in text, (name, option.name)


@pytest.mark.parametrize("method", [name for name in vars(KubeRuns) if not name.startswith("_")])
def test_every_request_says_which_right_it_needs_and_belongs_to_a_verb(method: str) -> None:
    if method == "default_namespace":
        assert isinstance(vars(KubeRuns)[method], property)
        return
    assert vars(KubeRuns)[method].rights
    assert method in {used for methods in VERBS.values() for used in methods}
