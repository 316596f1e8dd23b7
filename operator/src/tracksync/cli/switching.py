"""What holds for a source's domain in a database: shown, and its off switch thrown."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.identity import APP_NAME
from tracksync.cli.databases import opened, refuse_missing
from tracksync.cli.options import PageOutput
from tracksync.cli.render import write_json
from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracksync.cli.databases import DatabaseChoice
    from tracksync.ports import SharedPace

LONGEST_REASON: Final = 200
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SourceState:
    """What holds for a domain now.

    Attributes:
        domain: the registrable domain.
        off_reason: why it is switched off; None while it is on.
        paused_seconds: how long nobody may ask it, 0 without a pause.
        next_slot_seconds: when the next request may go out; None while it is off.
    """

    domain: str
    off_reason: str | None
    paused_seconds: float
    next_slot_seconds: float | None

    def as_json(self) -> dict[str, object]:
        """Return the document of `--output json`."""
        slot = self.next_slot_seconds
        return {
            "domain": self.domain,
            "state": "on" if self.off_reason is None else "off",
            "reason": self.off_reason,
            "pausedSeconds": round(self.paused_seconds, 3),
            "nextSlotSeconds": None if slot is None else round(slot, 3),
        }

    def as_lines(self) -> tuple[str, ...]:
        """Return the lines for people."""
        slot = self.next_slot_seconds
        return (
            f"domain      {self.domain}",
            f"state       {'on' if self.off_reason is None else f'off: {self.off_reason}'}",
            f"pause left  {_seconds(self.paused_seconds) or 'none'}",
            f"next slot   {'none while it is off' if slot is None else _seconds(slot) or 'at once'}",
        )


def print_state(domain: str, choice: DatabaseChoice, *, output: PageOutput) -> None:
    """Print what holds for the domain.

    Raises:
        TrackSyncError: there is no usable database, or `--domain` is no domain.
    """
    _act_and_print(domain, choice, _do_nothing, output=output)


def switch_off(domain: str, choice: DatabaseChoice, *, reason: str, output: PageOutput) -> None:
    """Switch the source off for this reason, and print what holds then.

    Raises:
        SettingsError: the reason is blank, too long or holds something else than printable characters.
        TrackSyncError: as `print_state`.
    """
    text = usable_reason(reason)
    _act_and_print(domain, choice, lambda pace: pace.switch(off_reason=text), output=output)


def switch_on(domain: str, choice: DatabaseChoice, *, output: PageOutput) -> None:
    """Switch the source on, and print what holds then; raises as `print_state`."""
    _act_and_print(domain, choice, lambda pace: pace.switch(off_reason=None), output=output)


def usable_reason(reason: str) -> str:
    """Return the reason without white space around it; SettingsError names the option."""
    text = reason.strip()
    if not text:
        raise SettingsError("--reason: is blank; say in a few words why the source is switched off")
    if len(text) > LONGEST_REASON:
        raise SettingsError(f"--reason: has {len(text)} characters; give at most {LONGEST_REASON}")
    if not text.isprintable():
        raise SettingsError("--reason: holds characters that cannot be printed; give one line of plain text")
    return text


def _act_and_print(
    domain: str, choice: DatabaseChoice, act: Callable[[SharedPace], Awaitable[None]], *, output: PageOutput
) -> None:
    if not _DOMAIN.fullmatch(domain):
        raise SettingsError("--domain: is no domain; give a lower-case one such as liverc.com")
    refuse_missing(choice)
    with opened(choice) as url:
        state = asyncio.run(_act(domain, url, act))
    if output is PageOutput.JSON:
        write_json(state.as_json())
    else:
        typer.echo("\n".join(state.as_lines()))


async def _act(domain: str, url: str, act: Callable[[SharedPace], Awaitable[None]]) -> SourceState:
    async with await PostgresDatabase.connect(url, application_name=f"{APP_NAME}-cli") as database:
        await database.ledger.verify_schema()
        pace = database.pace(domain)
        await act(pace)
        # No slot is taken: nobody is held up by somebody who looks.
        reserved = await pace.reserve(0, interval=0.0)
    off_reason = reserved.state.off_reason
    next_slot = reserved.seconds if off_reason is None else None
    return SourceState(domain, off_reason, reserved.state.paused_seconds, next_slot)


async def _do_nothing(_pace: SharedPace) -> None:
    return


def _seconds(seconds: float) -> str:
    """Return the seconds as text with one decimal, empty when there are none to speak of."""
    return f"{seconds:.1f} s" if seconds >= 0.05 else ""  # noqa: PLR2004 -- what one decimal shows
