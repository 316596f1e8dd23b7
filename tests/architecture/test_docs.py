"""What a user can meet is documented: settings, source fields, exit codes, reasons; and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracksync.api.identity import Reason
from tracksync.api.source import SourceEntry
from tracksync.errors import ExitCode, FailureReason
from tracksync.settings import CliSettings, OperatorSettings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
ALL_TEXT = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))


def reference(name: str) -> str:
    return (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*OperatorSettings.model_fields, *CliSettings.model_fields])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`TRACKSYNC_{name.upper()}`" in reference("settings")


@pytest.mark.parametrize("field", [info.alias for info in SourceEntry.model_fields.values()])
def test_every_field_of_a_source_is_documented(field: str) -> None:
    assert f"`{field}`" in reference("sources")


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.LEASE_HELD])
def test_every_exit_code_is_documented(code: ExitCode) -> None:
    assert f"| {code.value} |" in reference("exit-codes")


@pytest.mark.parametrize("reason", [*FailureReason, *Reason])
def test_every_reason_is_documented(reason: str) -> None:
    assert re.search(rf"\b{reason}\b", ALL_TEXT), f"say in docs/reference/conditions.md what {reason} means"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
