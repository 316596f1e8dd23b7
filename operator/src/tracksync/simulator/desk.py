"""The state behind the switches: what is set now, who was served how often, and the gate at which dashboards wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracksync.simulator.faults import (
    CatalogueFault,
    DashboardFault,
    Death,
    RobotsFault,
    Switches,
    dashboard_fault_or_none,
)
from tracksync.simulator.shares import share_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class FaultDesk:
    """Decides for each request what goes wrong; changed only by its methods, within one event loop."""

    def __init__(self, seed: int, switches: Switches) -> None:
        self._seed = seed
        self._initial = switches
        self._switches = switches
        self._gate = asyncio.Event()
        self._passed = 0
        self._held = 0
        self._asked: Counter[str] = Counter()
        self._robots_asked: Counter[str] = Counter()
        self._catalogue_reads = 0
        self._lived = 0

    @property
    def switches(self) -> Switches:
        """The switches as they are set now."""
        return self._switches

    @property
    def held(self) -> int:
        """How many dashboards wait at the gate."""
        return self._held

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set some switches from JSON; SettingsError changes nothing.

        A `pause_at` among them counts from now on, and whoever waits passes; the other switches that count (`dies_at`,
        and every one with `times`) begin anew when they are set.
        """
        self._switches = self._switches.changed(changes)
        if "dashboard_faults" in changes:
            self._asked.clear()
        if {"robots", "robots_times"} & changes.keys():
            self._robots_asked.clear()
        if {"catalogue_fault", "catalogue_fault_times"} & changes.keys():
            self._catalogue_reads = 0
        if "dies_at" in changes:
            self._lived = 0
        if "pause_at" in changes:
            self._open_gate()

    def reset(self) -> None:
        """Go back to the switches of the start, with all counts at zero; whoever waits passes."""
        self._switches = self._initial
        self._asked.clear()
        self._robots_asked.clear()
        self._catalogue_reads = self._lived = 0
        self._open_gate()

    def release(self) -> int:
        """End the pause for good and return how many dashboards were waiting."""
        waiting = self._held
        self.change({"pause_at": None})
        return waiting

    async def pass_gate(self) -> None:
        """Return when this dashboard may be answered: at once, or after the pause that it ran into."""
        if self._switches.pause_at is None or self._passed < self._switches.pause_at:
            self._passed += 1
            return
        self._held += 1
        try:
            await self._gate.wait()
        finally:
            self._held -= 1

    def fault_for(self, slug: str) -> DashboardFault | None:
        """Return what is wrong with this answer of the host; counts the answer."""
        rule = dashboard_fault_or_none(self._switches.dashboard_faults, self._seed, slug)
        if rule is None:
            return None
        self._asked[slug] += 1
        return None if rule.times is not None and self._asked[slug] > rule.times else rule.fault

    def death_or_none(self) -> Death | None:
        """Return how a request of the domain is answered when the domain is dead; counts the request."""
        self._lived += 1
        switches = self._switches
        return switches.dies_as if switches.dies_at is not None and self._lived > switches.dies_at else None

    def latency_seconds(self, label: str, *, is_catalogue: bool) -> float:
        """Return how long this host's answer is delayed."""
        switches = self._switches
        spread = switches.latency_spread_ms * share_of(self._seed, "latency", label)
        further = switches.catalogue_latency_ms if is_catalogue else 0
        return (switches.latency_ms + spread + further) / 1000

    def read_catalogue(self) -> tuple[Switches, int]:
        """Return the switches that hold for this read of the catalogue, and its number from 1; counts the read."""
        self._catalogue_reads += 1
        times = self._switches.catalogue_fault_times
        is_right = times is not None and self._catalogue_reads > times
        fault = CatalogueFault.NONE if is_right else self._switches.catalogue_fault
        return replace(self._switches, catalogue_fault=fault), self._catalogue_reads

    def read_robots(self, label: str) -> Switches:
        """Return the switches that hold for this read of the host's robots.txt; counts the read."""
        self._robots_asked[label] += 1
        times = self._switches.robots_times
        if times is None or self._robots_asked[label] <= times:
            return self._switches
        return replace(self._switches, robots=RobotsFault.ALLOW)

    def affected(self, slugs: Iterable[str]) -> dict[str, int]:
        """Return how many of the hosts have each fault, so that a test knows what to expect."""
        rules = (dashboard_fault_or_none(self._switches.dashboard_faults, self._seed, slug) for slug in slugs)
        return dict(Counter(rule.fault.value for rule in rules if rule is not None))

    def _open_gate(self) -> None:
        """Let those who wait pass; the next pause gets a gate of its own."""
        self._gate.set()
        self._gate = asyncio.Event()
        self._passed = 0
