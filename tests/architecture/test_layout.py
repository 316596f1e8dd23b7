"""The tree keeps its shape: fixed top level, no shadowed standard module, names in one place, lean operator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracksync.api.job import OperatorStatus, WorkerStatus

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "operator" / "src" / "tracksync"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TOP_LEVEL = {
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
    "charts", "crds", "docs", "manifests", "operator", "pyproject.toml", "requirements.lock", "tests",
}  # fmt: skip


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()


def test_the_top_level_holds_only_what_the_layout_names() -> None:
    found = {path.split("/", 1)[0] for path in tracked_files()}
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL


def test_the_folder_operator_never_shadows_the_standard_module() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "operator" / "src" / "__init__.py").exists()
    inside = [*(ROOT / "operator").iterdir(), *(ROOT / "operator" / "src").iterdir()]
    assert not {path.stem for path in inside} & set(sys.stdlib_module_names)


@pytest.mark.parametrize("package", sorted({path.parent for path in SOURCES}), ids=lambda path: path.name)
def test_every_package_says_what_may_live_in_it(package: Path) -> None:
    text = (package / "__init__.py").read_text(encoding="utf-8")
    assert text.startswith('"""'), f"{package}/__init__.py has no docstring"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "settings.py"], ids=lambda path: path.name)
def test_only_settings_reads_the_environment(path: Path) -> None:
    assert not re.search(r"\bos\.(environ|getenv)\b", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name != "api"], ids=lambda path: path.name)
def test_names_of_the_group_stand_in_identity_only(path: Path) -> None:
    assert not re.search(r"""["'][\w./-]*tracksync\.io[\w./-]*["']""", path.read_text(encoding="utf-8"))


def test_no_file_is_longer_than_a_subject_deserves() -> None:
    long_files = {path.name: lines for path in SOURCES if (lines := path.read_text().count("\n")) > 400}
    assert not long_files


def test_the_two_halves_of_the_status_share_no_field() -> None:
    assert not set(OperatorStatus.model_fields) & set(WorkerStatus.model_fields)


def test_the_operator_loads_neither_database_nor_web_client() -> None:
    probe = (
        "import sys, tracksync.controller.app;"
        "print(sorted({'sqlalchemy', 'psycopg', 'alembic', 'httpx', 'selectolax'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.strip() == "[]"


def test_the_layer_contracts_hold() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert lint.returncode == 0, lint.stdout
