"""The switches: what the simulator does wrong or slowly, on demand, the same for the same seed and host."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from tracksync.errors import SettingsError
from tracksync.simulator.kinds import CatalogueFault, DashboardFault, Death, RetryAfterForm, RobotsFault, Validators
from tracksync.simulator.shares import share_of
from tracksync.simulator.values import choice, choice_of, number, whole_number, whole_number_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CatalogueFault",
    "DashboardFault",
    "DashboardRule",
    "Death",
    "RetryAfterForm",
    "RobotsFault",
    "Switches",
    "Validators",
    "cut",
    "dashboard_fault_or_none",
]

_MOST_LATENCY_MS: Final = 600_000
_MOST_SECONDS: Final = 86_400
_MOST_BYTES: Final = 64 * 2**20
_MOST_CLOCK_OFFSET: Final = 315_360_000
"""Ten years, in seconds."""
_CLOSING_TABLE: Final = b"</table>"


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
        latency_spread_ms: further delay from 0 to this, always the same for a host (by seed and host), in milliseconds.
        catalogue_latency_ms: further delay before the catalogue, in milliseconds.
        catalogue_fault: what is wrong with the catalogue.
        catalogue_fault_times: the catalogue is wrong for so many reads and right afterwards; None: always wrong.
        catalogue_cut_at: where `cut` ends the catalogue or a dashboard, as a fraction of its bytes; never behind a
            closing table tag.
        dashboard_faults: rules in order; the first that has a host decides.
        pause_at: so many dashboards are answered, all further ones wait until released; None: no pause. Counted from
            the moment the switch was set.
        retry_after_form: how Retry-After is written where it is sent.
        retry_after_s: how long it asks to wait, in seconds; of no effect with a form that has its own time or none.
        drip_s: seconds from byte to byte of a dripping page.
        oversize_bytes: bytes that an oversize page has beside its content.
        nested_bytes: bytes of nested elements in such a page.
        validators: which come with catalogue and dashboards, and are honoured.
        robots: what hosts have at /robots.txt.
        robots_rate: share of the hosts, 0 to 1, that have it (by seed, kind and host; the catalogue's host is `live`);
            the others have none.
        robots_times: each such host has it for so many requests, and a file that allows afterwards; None: always.
        crawl_delay_s: seconds in the Crawl-delay line.
        clock_offset_s: how far the source's clock is ahead (or behind, if negative), in seconds.
        dies_at: so many requests of the domain are answered, then the whole of it is dead; None: never. Counted from
            the moment the switch was set.
        dies_as: how a dead domain answers.
    """

    latency_ms: int = 0
    latency_spread_ms: int = 0
    catalogue_latency_ms: int = 0
    catalogue_fault: CatalogueFault = CatalogueFault.NONE
    catalogue_fault_times: int | None = None
    catalogue_cut_at: float = 0.5
    dashboard_faults: tuple[DashboardRule, ...] = ()
    pause_at: int | None = None
    retry_after_form: RetryAfterForm = RetryAfterForm.SECONDS
    retry_after_s: int = 2
    drip_s: float = 0.2
    oversize_bytes: int = 8 * 2**20
    nested_bytes: int = 400_000
    validators: Validators = Validators.NONE
    robots: RobotsFault = RobotsFault.MISSING
    robots_rate: float = 1.0
    robots_times: int | None = None
    crawl_delay_s: float = 2.0
    clock_offset_s: int = 0
    dies_at: int | None = None
    dies_as: Death = Death.HTTP_503

    def __post_init__(self) -> None:
        """Refuse figures that make no sense; SettingsError names the switch and its range."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            # Written so that NaN is refused as well.
            if not low <= value <= high:
                raise SettingsError(f"{name} is {value}; give a number from {low:g} to {high:,}")
        for name, (low, what) in _COUNTS.items():
            count = getattr(self, name)
            if count is not None and count < low:
                raise SettingsError(f"{name} is {count}; give the number of {what}, {low} or more")
        if not 0 <= self.catalogue_cut_at < 1:
            raise SettingsError(
                f"catalogue_cut_at is {self.catalogue_cut_at}; give a fraction of the page from 0 to below 1"
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
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        rules = {rule.fault.value: {"rate": rule.rate, "times": rule.times} for rule in self.dashboard_faults}
        return {**plain, "dashboard_faults": rules}


def cut(page: bytes, fraction: float) -> bytes:
    """Return the page's beginning, without any closing table tag; maybe cut inside a character."""
    end = int(len(page) * fraction)
    closing = page.find(_CLOSING_TABLE)
    return page[: min(end, closing) if closing >= 0 else end]


def dashboard_fault_or_none(rules: tuple[DashboardRule, ...], seed: int, slug: str) -> DashboardRule | None:
    """Return the first rule that has this host, or None."""
    return next((rule for rule in rules if share_of(seed, rule.fault, slug) < rule.rate), None)


def _rules(name: str, value: object) -> tuple[DashboardRule, ...]:
    if isinstance(value, dict):
        return tuple(_rule(name, kind, figures) for kind, figures in value.items())
    raise SettingsError(f'{name} is {value!r}; give an object such as {{"http-500": 0.2}}')


def _rule(name: str, kind: object, figures: object) -> DashboardRule:
    fault = choice(DashboardFault, f"{name}: kind", kind)
    if not isinstance(figures, dict):
        return DashboardRule(fault, number(f"{name}: {fault}", figures))
    if unknown := sorted(set(figures) - {"rate", "times"}):
        raise SettingsError(f"{name}: {fault} has unknown {', '.join(map(str, unknown))}; give rate and times")
    rate = number(f"{name}: rate of {fault}", figures.get("rate"))
    return DashboardRule(fault, rate, whole_number_or_none(f"{name}: times of {fault}", figures.get("times")))


_FROM_JSON: Final[dict[str, Callable[[str, object], Any]]] = {
    "latency_ms": whole_number,
    "latency_spread_ms": whole_number,
    "catalogue_latency_ms": whole_number,
    "catalogue_fault": choice_of(CatalogueFault),
    "catalogue_fault_times": whole_number_or_none,
    "catalogue_cut_at": number,
    "dashboard_faults": _rules,
    "pause_at": whole_number_or_none,
    "retry_after_form": choice_of(RetryAfterForm),
    "retry_after_s": whole_number,
    "drip_s": number,
    "oversize_bytes": whole_number,
    "nested_bytes": whole_number,
    "validators": choice_of(Validators),
    "robots": choice_of(RobotsFault),
    "robots_rate": number,
    "robots_times": whole_number_or_none,
    "crawl_delay_s": number,
    "clock_offset_s": whole_number,
    "dies_at": whole_number_or_none,
    "dies_as": choice_of(Death),
}
_RANGES: Final = {
    "latency_ms": (0, _MOST_LATENCY_MS),
    "latency_spread_ms": (0, _MOST_LATENCY_MS),
    "catalogue_latency_ms": (0, _MOST_LATENCY_MS),
    "retry_after_s": (0, _MOST_SECONDS),
    "drip_s": (0.001, _MOST_SECONDS),
    "oversize_bytes": (1, _MOST_BYTES),
    "nested_bytes": (1, _MOST_BYTES),
    "robots_rate": (0, 1),
    "crawl_delay_s": (0, _MOST_SECONDS),
    "clock_offset_s": (-_MOST_CLOCK_OFFSET, _MOST_CLOCK_OFFSET),
}
_COUNTS: Final = {
    "pause_at": (0, "dashboards to answer first"),
    "catalogue_fault_times": (1, "reads that go wrong"),
    "robots_times": (1, "requests of each host"),
    "dies_at": (0, "requests to answer first"),
}
