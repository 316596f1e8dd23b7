"""Reading the database URL from a file: what is refused, and that no message shows the content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracksync.errors import DatabaseCredentialsError
from tracksync.worker.database_url import read_database_url

if TYPE_CHECKING:
    from pathlib import Path


def test_the_url_is_read_without_the_white_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(" postgresql://a:b@c/d\n", encoding="utf-8")
    assert read_database_url(tmp_path / "url") == "postgresql://a:b@c/d"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "there is no value", id="missing"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n", "is empty", id="blank"),
        pytest.param(b"\xff\xfe-canary", "cannot be read", id="binary"),
        pytest.param(b"canary" * 5000, "too long", id="huge"),
    ],
)
def test_an_unusable_value_is_refused_without_showing_it(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "url").write_bytes(content)
    with pytest.raises(DatabaseCredentialsError, match=message) as refusal:
        read_database_url(tmp_path / "url")
    assert "canary" not in str(refusal.value)
