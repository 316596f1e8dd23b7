"""Where real captures of the source's pages lie, if somebody put them there; they are never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "TRACKSYNC_CAPTURES"
_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data" / "liverc"


def captures_or_none() -> Path | None:
    """Return the folder with `catalogue.html` and the dashboards, or None when there is none."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else _BESIDE_THE_CHECKOUT
    return folder if (folder / "catalogue.html").is_file() else None
