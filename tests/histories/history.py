"""One generated history: days pass, runs succeed, fail, are cancelled, killed, resumed, planned and run side by side.

After every step the stored table must be the oracle's, and the counters of each run the transitions that were seen.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.histories.oracle import LISTING, Oracle, Wish
from tests.histories.planning import plan_of
from tests.histories.stores import ports_of
from tests.histories.world_source import NO_FACT, Served, WorldSource
from tests.support.clocks import LoopClock
from tests.support.interfering import Calls, between
from tests.worker.running import a_request
from tracksync.adapters.memory import MemoryProgress
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.result import Outcome
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.model import DASHBOARD_COLUMNS
from tracksync.liverc.version import PARSER_VERSION
from tracksync.simulator.day import next_day
from tracksync.simulator.world import build_world
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from tests.histories.stores import Bench
    from tracksync.api.result import WorkerResult
    from tracksync.simulator.world import World

TRACKS = 24
CONTENT = (*LISTING, *(column for column in DASHBOARD_COLUMNS if column not in NO_FACT))
REFRESHES = (timedelta(0), timedelta(0), timedelta(days=7), None)
DONE = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})
WISHES = (
    Wish(),
    Wish(max_percent=100, max_count=1_000_000),
    Wish(max_percent=100, max_count=1_000_000),
    Wish(applies=False),
    Wish(looks=False),
)
COUNTERS = ("listed", "inserted", "updated", "reactivated", "unchanged", "deactivated", "withheld")


class KilledError(BaseException):
    """The process is dead: nothing of it runs on."""


@dataclass
class Run:
    """A run of the history, with all its epochs."""

    run_id: str
    wish: Wish
    refresh: timedelta | None
    only: frozenset[str] = frozenset()
    served: Served = field(default_factory=Served)
    attempt: int = 0
    merged: dict[str, int] | None = None
    """What its merge must have counted, once it is known to be committed."""


class History:
    """A history by its seed; `told` is what happened, for a failure's message."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.random = Random(seed)  # noqa: S311 -- a history must be the same for the same seed
        self.world: World = build_world(seed=seed, tracks=TRACKS, domain="liverc.com")
        self.oracle = Oracle()
        self.ids: dict[str, Any] = {}
        self.followed: set[str] = set()
        self.unfinished: list[Run] = []
        self.told: list[str] = []

    async def unfold(self, steps: int) -> None:
        """Let so many things happen, then end with one full run: the table is the world's truth."""
        for _ in range(steps):
            step = self.random.choices(
                (self.a_day, self.a_run, self.a_resumption, self.a_plan, self.a_pair, self.a_follower),
                (3, 6, 2, 1, 1, 1),
            )[0]
            await step()
            self.verify()
        await self.end()

    async def a_day(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.world = next_day(self.world)
        self.told.append(f"day {self.world.day}")

    async def a_run(self) -> None:
        await self.attempt(self.a_new_run())

    async def a_resumption(self) -> None:
        """Go on with a run that failed, was killed or was cancelled, perhaps days and other runs later."""
        if self.unfinished:
            await self.attempt(self.unfinished.pop(self.random.randrange(len(self.unfinished))))

    async def a_follower(self) -> None:
        if self.oracle.rows:
            slug = self.random.choice(sorted(self.oracle.rows))
            self.bench.follow(slug)
            self.followed.add(slug)

    async def a_pair(self) -> None:
        """Start two runs at once: they take turns, or one is told that the other holds the source."""
        runs = [self.a_new_run(), self.a_new_run()]
        merged: list[tuple[Run, WorkerResult]] = []

        async def one(run: Run) -> None:
            result = await self.start(run, WorldSource(self.world, run.served))
            merged.append((run, result))

        await asyncio.gather(*map(one, runs))
        self.told.append(f"pair: {[(run.run_id[:4], result.outcome) for run, result in merged]}")
        assert any(result.outcome in DONE for _, result in merged), merged
        for run, result in merged:
            if result.outcome in DONE:
                self.believe(run, result)
            else:
                assert result.reason == "LeaseHeld", result

    async def a_plan(self) -> None:
        """Plan, look that nothing was written, and apply: it does what the plan said."""
        run, before = self.a_new_run(), self.bench.fingerprint()
        database = await self.bench.connect()
        try:
            planned, changes = await self.planned(database, run)
        finally:
            await database.close()
        assert self.bench.fingerprint() == before, "a plan wrote"
        result = await self.start(run, WorldSource(self.world, run.served))
        self.told.append(f"plan and apply {run.run_id[:4]}: {result.outcome}")
        assert result.outcome in DONE, result
        self.believe(run, result)
        assert result.status.results is not None
        assert {name: getattr(planned, name) for name in COUNTERS if name != "listed"} == {
            name: getattr(result.status.results, name) for name in COUNTERS if name != "listed"
        }
        assert sorted((change.slug, str(change.kind), change.fields) for change in changes) == self.bench.changes(
            run.run_id
        )

    async def planned(self, database: Any, run: Run) -> tuple[Any, Any]:
        return await plan_of(
            database, self.request(run, run_id=self.an_id(), attempt=1), WorldSource(self.world, Served())
        )

    def a_new_run(self) -> Run:
        slugs = sorted(track.slug for track in self.world.tracks)
        only = frozenset(self.random.sample(slugs, 3)) if self.random.random() < 0.1 else frozenset()
        wish = Wish(looks=False) if only else self.random.choice(WISHES)
        return Run(self.an_id(), wish, self.random.choice(REFRESHES), only)

    def an_id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    async def attempt(self, run: Run) -> None:
        """Start the run's next epoch; now and then dashboards fail, somebody cancels it, or its process is killed."""
        slugs = sorted(track.slug for track in self.world.tracks)
        failing = self.random.sample(slugs, self.random.choice((0, 0, 0, 0, 1, 1, 2, 12)))
        source = WorldSource(self.world, run.served, failing=failing)
        fate = self.random.choices(("none", "stop", "kill"), (5, 2, 3))[0]
        position = self.random.randrange(2 + 2 * TRACKS if self.random.random() < 0.5 else 12)
        before = self.bench.fingerprint()
        try:
            result = await self.start(run, source, fate, position)
        except BaseException as death:
            if "KilledError" not in exception_names(death):
                raise
            self.after_kill(run, before, position)
            return
        self.told.append(
            f"run {run.run_id[:4]}/{run.attempt} {run.wish} {run.refresh} only={len(run.only)} failing={len(failing)} "
            f"{fate}@{position}: {result.outcome} {result.reason}"
        )
        if result.outcome in DONE:
            self.believe(run, result)
            return
        assert run.merged is None, "\n".join([*self.told, "a run that had merged did not end well"])
        assert self.bench.fingerprint() == before, f"a run that ended {result.outcome} wrote"
        if result.reason != "Cancelled" or self.random.random() < 0.5:
            self.unfinished.append(run)

    async def start(self, run: Run, source: WorldSource, fate: str = "none", position: int = 0) -> WorkerResult:
        run.attempt += 1
        stop = asyncio.Event()
        database = await self.bench.connect()
        calls = Calls(position, self.random.choice(("before", "after")), _act(fate, stop) if fate != "none" else None)
        ports = between(ports_of(database, source=source, progress=MemoryProgress(), clock=LoopClock()), calls)
        try:
            return await run_sync(self.request(run), ports, stop=stop)
        finally:
            await database.close()

    def request(self, run: Run, **changes: Any) -> Any:
        wish = run.wish
        policy = DeactivationPolicy.APPLY if wish.applies else DeactivationPolicy.WITHHOLD
        if not wish.looks:
            policy = DeactivationPolicy.DISABLED
        guard = DeactivationGuard(policy=policy, max_percent=wish.max_percent, max_count=wish.max_count)
        refresh = None if run.refresh is None else Refresh(run.refresh, PARSER_VERSION)
        values = {"run_id": run.run_id, "attempt": run.attempt, "refresh": refresh, "guard": guard, "attempts": 1}
        return a_request(**{**values, "only_slugs": run.only, **changes})

    def after_kill(self, run: Run, before: Any, position: int) -> None:
        """Find out from the ledger's own record whether the merge was committed, and go on with the run later."""
        self.bench.let_leases_expire()
        is_merged, is_closed = self.bench.fate(run.run_id)
        self.told.append(f"run {run.run_id[:4]}/{run.attempt} killed at {position}, merged: {is_merged}")
        assert is_merged or self.bench.fingerprint() == before, "a run that was killed before its merge wrote"
        if is_merged and run.merged is None:
            run.merged = self.oracle.merge(run.served, run.wish, run.only)
        if not is_closed:
            self.unfinished.append(run)

    def believe(self, run: Run, result: WorkerResult) -> None:
        """Apply the run to the oracle and hold its counters against the transitions that it must have made."""
        expected = run.merged or self.oracle.merge(run.served, run.wish, run.only)
        results = result.status.results
        assert results is not None
        counted = {name: getattr(results, name) for name in COUNTERS}
        assert counted == expected, "\n".join([*self.told, f"counted {counted}", f"expected {expected}"])

    def verify(self) -> None:
        stored = self.bench.rows()
        seen = {
            slug: {**{column: row[column] for column in CONTENT}, "is_active": row["is_active"]}
            for slug, row in stored.items()
        }
        wanted = {slug: dict.fromkeys(CONTENT) | row for slug, row in self.oracle.rows.items()}
        wrong = {slug: (seen.get(slug), wanted.get(slug)) for slug in seen.keys() | wanted.keys()}
        wrong = {slug: both for slug, both in wrong.items() if both[0] != both[1]}
        assert not wrong, "\n".join([*self.told, *map(str, wrong.items())])
        for slug, known in self.ids.items():
            assert stored[slug]["id"] == known, f"{slug} has another id"
        self.ids = {slug: row["id"] for slug, row in stored.items()}
        assert {slug for slug, row in stored.items() if row["is_followed"]} == self.followed

    async def end(self) -> None:
        """One full run without any fault: the active tracks are the world's truth, whatever came before."""
        run = Run(self.an_id(), Wish(max_percent=100, max_count=1_000_000), timedelta(0))
        result = await self.start(run, WorldSource(self.world, run.served))
        assert result.outcome is Outcome.SUCCEEDED, (result, self.told)
        self.believe(run, result)
        self.verify()
        truth = {row["slug"]: {column: row[column] for column in CONTENT} for row in self.world.truth()}
        active = {
            slug: {column: row[column] for column in CONTENT}
            for slug, row in self.bench.rows().items()
            if row["is_active"]
        }
        assert active == truth


def _act(fate: str, stop: asyncio.Event) -> Any:
    async def act() -> None:
        if fate == "kill":
            raise KilledError
        stop.set()
        await asyncio.sleep(0)

    return act


def exception_names(death: BaseException) -> set[str]:
    """Return the names of the exception and of all that it groups."""
    inner = getattr(death, "exceptions", ())
    return {type(death).__name__}.union(*map(exception_names, inner))
