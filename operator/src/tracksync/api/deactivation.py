"""What a run may do with tracks that vanished from the catalogue: the words and defaults of `spec.deactivation`.

The rules themselves are in `core.tracks.guards`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

MAX_PERCENT: Final = 5
"""Default limit in percent of the active tracks: about two in a thousand vanish in a day."""
MAX_COUNT: Final = 200
"""Default limit in tracks."""


class DeactivationPolicy(StrEnum):
    """What a run does with vanished tracks."""

    APPLY = "Apply"
    """Deactivate them within the limits."""
    WITHHOLD = "Withhold"
    """Count and report them; deactivate none."""
    DISABLED = "Disabled"
    """Neither look for them nor report them."""
