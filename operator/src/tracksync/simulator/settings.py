"""What a simulator is started with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracksync.errors import SettingsError
from tracksync.simulator.faults import Switches

if TYPE_CHECKING:
    from pathlib import Path

_MOST_TRACKS: Final = 200_000
_HIGHEST_PORT: Final = 65_535
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Settings of one simulator; the process root makes them from flags.

    Attributes:
        tracks: size of the invented world, 1 to 200,000; of no effect with `replay_catalogue`.
        seed: what the world and the choice of faulty hosts derive from; the same seed gives the same bytes.
        host: address to listen on.
        port: TCP port, 0 for any free one.
        domain: registrable domain that is simulated: the catalogue is at `live.<domain>`, a track at `<slug>.<domain>`.
        replay_catalogue: a saved catalogue page, served byte for byte; its hosts get invented dashboards.
        days: so many day steps are done before the start, 0 to 366; not with `replay_catalogue`.
        abuse_port: TCP port of the server for abuse below HTTP, 0 for any free one; None: no such server.
        switches: latency and faults at the start; they can be changed at run time.
    """

    tracks: int = 1090
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 8080
    domain: str = "liverc.com"
    replay_catalogue: Path | None = None
    days: int = 0
    abuse_port: int | None = None
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        """Refuse values that cannot work; SettingsError names the setting and its range."""
        if not 1 <= self.tracks <= _MOST_TRACKS:
            raise SettingsError(
                f"tracks is {self.tracks}; give 1 to {_MOST_TRACKS:,} (`catalogue_fault` empty lists none)"
            )
        if not 0 <= self.port <= _HIGHEST_PORT:
            raise SettingsError(f"port is {self.port}; give 1 to {_HIGHEST_PORT}, or 0 for any free port")
        if self.abuse_port is not None and not 0 <= self.abuse_port <= _HIGHEST_PORT:
            raise SettingsError(
                f"abuse_port is {self.abuse_port}; give 1 to {_HIGHEST_PORT}, or 0 for any free port, or leave it out"
            )
        if not _DOMAIN.fullmatch(self.domain):
            raise SettingsError(f"domain is {self.domain!r}; give a lower-case domain such as liverc.com")
