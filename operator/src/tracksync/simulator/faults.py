"""The switches: what the simulator does wrong or slowly, on demand, the same for the same seed and host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_LATENCY_MS: Final = 600_000
_CLOSING_TABLE: Final = b"</table>"


class CatalogueFault(StrEnum):
    """What is wrong with the catalogue."""

    NONE = "none"
    EMPTY = "empty"
    """A whole page, status 200, with no row."""
    CUT = "cut"
    """Status 200, but the body ends early; length and compression are right for what was sent."""
    ERROR = "error"
    """Status 503."""
    FORBIDDEN = "forbidden"
    """Status 403."""


class DashboardFault(StrEnum):
    """What is wrong with a track's dashboard."""

    HTTP_500 = "http-500"
    HTTP_404 = "http-404"
    LOGIN_PAGE = "login-page"
    """Status 200 and a whole page, which is no dashboard."""


@dataclass(frozen=True, slots=True)
class DashboardRule:
    """A share of the hosts has a fault.

    Attributes:
        fault: what is wrong.
        rate: share of the hosts, 0 to 1. Which hosts: by seed, fault and slug, so a higher rate only adds hosts.
        times: each such host is wrong for so many requests and right afterwards; None: always wrong.
    """

    fault: DashboardFault
    rate: float
    times: int | None = None

    def __post_init__(self) -> None:
        """Refuse figures that make no sense; SettingsError names the switch."""
        if not 0 <= self.rate <= 1:
            raise SettingsError(f"dashboard_faults: the rate of {self.fault} is {self.rate}; give a share from 0 to 1")
        if self.times is not None and self.times < 1:
            raise SettingsError(
                f"dashboard_faults: {self.fault} for {self.times} requests; give 1 or more, or leave it out"
            )

    @classmethod
    def parse(cls, text: str) -> DashboardRule:
        """Return the rule written as `KIND=RATE` or `KIND=RATE:TIMES`, such as `http-500=0.2:2`; SettingsError else."""
        kind, _, figures = text.partition("=")
        rate, colon, times = figures.partition(":")
        try:
            return cls(DashboardFault(kind), float(rate), int(times) if colon else None)
        except ValueError as error:
            kinds = ", ".join(DashboardFault)
            raise SettingsError(
                f"dashboard fault {text!r} is not KIND=RATE or KIND=RATE:TIMES; kinds are {kinds}; RATE is from 0 to 1"
            ) from error


@dataclass(frozen=True, slots=True)
class Switches:
    """All switches; everything is off by default. Settable at start and, as JSON, at run time.

    Attributes:
        latency_ms: delay before each answer, in milliseconds; control paths have none.
        catalogue_fault: what is wrong with the catalogue.
        catalogue_cut_at: where `cut` ends the catalogue, as a fraction of its bytes; never behind a closing table tag.
        dashboard_faults: rules in order; the first that has a host decides.
        pause_at: so many dashboards are answered, all further ones wait until released; None: no pause. Counted from
            the moment the switch was set.
    """

    latency_ms: int = 0
    catalogue_fault: CatalogueFault = CatalogueFault.NONE
    catalogue_cut_at: float = 0.5
    dashboard_faults: tuple[DashboardRule, ...] = ()
    pause_at: int | None = None

    def __post_init__(self) -> None:
        """Refuse figures that make no sense; SettingsError names the switch and its range."""
        if not 0 <= self.latency_ms <= _MOST_LATENCY_MS:
            raise SettingsError(f"latency_ms is {self.latency_ms}; give milliseconds from 0 to {_MOST_LATENCY_MS}")
        if not 0 <= self.catalogue_cut_at < 1:
            raise SettingsError(
                f"catalogue_cut_at is {self.catalogue_cut_at}; give a fraction of the page from 0 to below 1"
            )
        if self.pause_at is not None and self.pause_at < 0:
            raise SettingsError(
                f"pause_at is {self.pause_at}; give the number of dashboards to answer first, 0 or more"
            )

    def changed(self, changes: Mapping[str, Any]) -> Switches:
        """Return the switches with some of them replaced by JSON values; SettingsError names what is wrong."""
        unknown = sorted(set(changes) - set(_FROM_JSON))
        if unknown:
            raise SettingsError(f"unknown switch {', '.join(unknown)}; there are {', '.join(_FROM_JSON)}")
        parsed: dict[str, Any] = {name: _FROM_JSON[name](name, value) for name, value in changes.items()}
        return replace(self, **parsed)

    def as_json(self) -> dict[str, Any]:
        """Return the switches as the JSON object that `changed` understands."""
        return {
            "latency_ms": self.latency_ms,
            "catalogue_fault": self.catalogue_fault.value,
            "catalogue_cut_at": self.catalogue_cut_at,
            "dashboard_faults": {
                rule.fault.value: {"rate": rule.rate, "times": rule.times} for rule in self.dashboard_faults
            },
            "pause_at": self.pause_at,
        }


def cut(page: bytes, fraction: float) -> bytes:
    """Return the page's beginning, without any closing table tag; maybe cut inside a character."""
    end = int(len(page) * fraction)
    closing = page.find(_CLOSING_TABLE)
    return page[: min(end, closing) if closing >= 0 else end]


def dashboard_fault_or_none(rules: tuple[DashboardRule, ...], seed: int, slug: str) -> DashboardRule | None:
    """Return the first rule that has this host, or None."""
    return next((rule for rule in rules if _share_of(seed, rule.fault, slug) < rule.rate), None)


def _share_of(seed: int, fault: DashboardFault, slug: str) -> float:
    """Return a number from 0 to below 1: the same in every process, and spread evenly over the hosts."""
    digest = hashlib.blake2b(f"{seed}/{fault}/{slug}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


_Choice = TypeVar("_Choice", bound=StrEnum)


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise SettingsError(f"{name} is {value!r}; give a whole number")


def _whole_number_or_none(name: str, value: object) -> int | None:
    return None if value is None else _whole_number(name, value)


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise SettingsError(f"{name} is {value!r}; give a number")


def _choice(kinds: type[_Choice], name: str, value: object) -> _Choice:
    try:
        return kinds(str(value))
    except ValueError as error:
        raise SettingsError(f"{name} is {value!r}; give one of {', '.join(kinds)}") from error


def _catalogue_fault(name: str, value: object) -> CatalogueFault:
    return _choice(CatalogueFault, name, value)


def _rules(name: str, value: object) -> tuple[DashboardRule, ...]:
    if isinstance(value, dict):
        return tuple(_rule(name, kind, figures) for kind, figures in value.items())
    raise SettingsError(f'{name} is {value!r}; give an object such as {{"http-500": 0.2}}')


def _rule(name: str, kind: object, figures: object) -> DashboardRule:
    fault = _choice(DashboardFault, f"{name}: kind", kind)
    if not isinstance(figures, dict):
        return DashboardRule(fault, _number(f"{name}: {fault}", figures))
    if unknown := sorted(set(figures) - {"rate", "times"}):
        raise SettingsError(f"{name}: {fault} has unknown {', '.join(map(str, unknown))}; give rate and times")
    rate = _number(f"{name}: rate of {fault}", figures.get("rate"))
    return DashboardRule(fault, rate, _whole_number_or_none(f"{name}: times of {fault}", figures.get("times")))


_FROM_JSON: Final = {
    "latency_ms": _whole_number,
    "catalogue_fault": _catalogue_fault,
    "catalogue_cut_at": _number,
    "dashboard_faults": _rules,
    "pause_at": _whole_number_or_none,
}
