from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kstatus.program import Reader, build_program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "gitops.md"


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The program with the script that the documentation gives to people."""
    [script] = re.findall(r"^```lua\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    path = tmp_path_factory.mktemp("argocd") / "health.lua"
    path.write_text(script, encoding="utf-8")
    return Reader(build_program(), path)
