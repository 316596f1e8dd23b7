"""The composition root's own parts: the source list follows its file, kopf is told to be patient and silent."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tracksync.api.identity import FINALIZER
from tracksync.controller.app import SourceFile
from tracksync.controller.framework import EndlessBackoff, kopf_settings, quieten_kopf
from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *names: str) -> None:
    """Exchange the file the way a mounted ConfigMap is exchanged."""
    fresh = path.with_suffix(".new")
    fresh.write_text("sources:\n" + "".join(f"- name: {name}\n" for name in names), encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 -- the atomic exchange is the point


def test_the_source_list_follows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    write(path, "liverc")
    sources = SourceFile(path)
    write(path, "liverc", "mirror")
    assert set(sources()) == {"liverc", "mirror"}


def test_a_broken_new_source_list_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    write(path, "liverc")
    sources = SourceFile(path)
    path.write_text("sources: {}", encoding="utf-8")
    assert set(sources()) == {"liverc"}
    write(path, "mirror")
    assert set(sources()) == {"mirror"}


def test_a_source_list_that_is_broken_from_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"sources\.yaml"):
        SourceFile(tmp_path / "sources.yaml")


def test_kopf_never_gives_up_on_a_request_and_never_waits_long() -> None:
    delays = list(itertools.islice(EndlessBackoff(), 1000))
    assert max(delays) <= 30
    assert min(delays) >= 0.5
    assert min(delays[100:]) >= 15


def test_kopfs_finalizer_is_not_ours() -> None:
    assert kopf_settings(namespaced=False).persistence.finalizer != FINALIZER


def test_a_probe_and_an_event_leave_no_line_in_the_log() -> None:
    quieten_kopf()
    for name in ("kopf.objects", "kopf.activities.probe", "aiohttp.access"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_the_operator_loads_no_database_and_no_web_client() -> None:
    heavy = ("sqlalchemy", "psycopg", "httpx", "selectolax", "kubernetes.aio")
    code = f"import sys, tracksync.controller.app; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
