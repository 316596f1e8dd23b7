"""Polite requests: tries, redirects by hand, the retry budget and the circuit, all within the domain's budget."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from tracksync.adapters.web.answers import AnswerReader, usable_validators
from tracksync.adapters.web.exchange import Exchanges, Question, Site
from tracksync.adapters.web.fetching import ROBOTS_LIMITS, FetchError, FetchProblem, Page, RobotsFile
from tracksync.adapters.web.redirects import Redirect, Target, follow_redirect
from tracksync.core.tracks.model import Traffic, Validators
from tracksync.core.tracks.politeness import Circuit, RetryBudget, backoff_seconds
from tracksync.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from tracksync.adapters.web.answers import Answer
    from tracksync.adapters.web.endpoints import Endpoints
    from tracksync.adapters.web.fetching import Limits
    from tracksync.adapters.web.spacing import HostSpacing
    from tracksync.ports import Clock, RequestBudget

__all__ = ["Site", "Transport"]

_Content = TypeVar("_Content")
_TRIES: Final = 4
_REDIRECTS: Final = 3
_ROBOTS_REDIRECTS: Final = 5
"""RFC 9309, section 2.3.1.2: at least five."""
_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class _Errand(Generic[_Content]):
    """What is fetched, and by which rules."""

    target: Target
    question: Question
    read: Callable[[Answer, Question], Awaitable[_Content]]
    is_robots: bool = False
    spacing: HostSpacing | None = None


class Transport:
    """Fetches pages and robots.txt files of one source; use as an async context manager, one for a whole run.

    Connections are shared between hosts that have the same address: a site's thousand hosts then cost a handful of
    handshakes. When one turns out to belong to another host, every later request gets a connection of its own.

    Args:
        site: what is asked, and how we introduce ourselves.
        endpoints: where hosts are found.
        budget: gives each request its slot.
        clock: wall clock and monotonic time.
        sleep: waits between tries.
    """

    def __init__(
        self,
        site: Site,
        *,
        endpoints: Endpoints,
        budget: RequestBudget,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._site = site
        self._endpoints = endpoints
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._exchanges = Exchanges(site, endpoints=endpoints)
        self._reader = AnswerReader(clock)
        self._retry_budget = RetryBudget()
        self._circuit = Circuit()
        self._requests = self._robots_requests = self._retries = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exchanges.close()

    def traffic(self) -> Traffic:
        """Return what was sent and received so far."""
        return Traffic(self._requests, self._reader.bytes_received, self._robots_requests, self._retries)

    async def fetch(
        self, host: str, *, limits: Limits, validators: Validators | None = None, spacing: HostSpacing | None = None
    ) -> Page | None:
        """Return the page at the host's root, or None when it is what the validators say; up to four tries.

        Raises:
            FetchError: the last try's failure.
            SourceUnavailableError: the source asked for a pause that is too long to wait for, or fails again and again.
            SourceOffError: somebody switched the source off.
        """
        known = validators or Validators()
        question = Question(limits, validators=usable_validators(known.etag, known.last_modified))
        target = Target(self._site.scheme, host)
        return await self._run(_Errand(target, question, self._reader.page, spacing=spacing))

    async def fetch_robots(self, host: str) -> RobotsFile:
        """Return what the host answers when it is asked for its robots.txt; up to four tries.

        Up to five redirects are followed, to other hosts of the domain as well.

        Raises:
            FetchError: no host says anything; ADDRESS only when it is this host that may not be connected to.
            SourceUnavailableError, SourceOffError: as `fetch`.
        """
        question = Question(ROBOTS_LIMITS, accept="text/plain, */*;q=0.1")
        target = Target(self._site.scheme, host, "/robots.txt")
        return await self._run(_Errand(target, question, self._reader.robots, is_robots=True))

    async def _run(self, errand: _Errand[_Content]) -> _Content:
        for turn in range(_TRIES - 1):
            try:
                return await self._follow(errand, turn)
            except FetchError as error:
                if not self._may_repeat(error, turn):
                    raise
                await self._prepare_repetition(error, turn)
        return await self._follow(errand, _TRIES - 1)

    async def _follow(self, errand: _Errand[_Content], turn: int) -> _Content:
        target, redirects = errand.target, _ROBOTS_REDIRECTS if errand.is_robots else _REDIRECTS
        for hop in range(redirects + 1):
            try:
                answer = await self._request(errand, target, turn, hop)
            except FetchError as error:
                if hop and error.problem is FetchProblem.ADDRESS:
                    raise FetchError(FetchProblem.OUTSIDE, str(error)) from error
                raise
            if not isinstance(answer, Redirect):
                return answer
            target = follow_redirect(target, answer, domain=self._site.domain, may_change_host=errand.is_robots)
        raise FetchError(FetchProblem.MOVED, f"{errand.target.host} redirects more than {redirects} times")

    def _may_repeat(self, error: FetchError, turn: int) -> bool:
        if error.problem is FetchProblem.MISDIRECTED:
            # Not the source's trouble but that of our shared connections, and over with the next one.
            return turn == 0 or self._spend_retry()
        return error.is_worth_another_try and self._spend_retry()

    def _spend_retry(self) -> bool:
        self._retry_budget, may_retry = self._retry_budget.spend(self._clock.monotonic())
        return may_retry

    async def _prepare_repetition(self, error: FetchError, turn: int) -> None:
        if error.problem is FetchProblem.MISDIRECTED:
            await self._exchanges.stop_sharing()
        elif not error.is_pause_request:
            # The pause that the source asked for is waited for with the next slot.
            await self._sleep(backoff_seconds(turn + 1, _RANDOM.random()))
        if error.problem is FetchProblem.CONNECTION:
            self._endpoints.forget()

    async def _request(self, errand: _Errand[_Content], target: Target, turn: int, hop: int) -> _Content | Redirect:
        """Send one request in its slot, and let its outcome count."""
        spacing = errand.spacing
        async with spacing.turn(self._clock, self._sleep) if spacing else nullcontext(), self._budget.slot():
            self._refuse_when_open()
            sent_at = self._clock.monotonic()
            if spacing is not None:
                spacing.sent(sent_at)
            self._count_request(errand, is_retry=turn > 0 and hop == 0, now=sent_at)
            try:
                answer = await self._exchanges.ask(target, errand.question, errand.read, turn=turn)
            except FetchError as error:
                await self._count_failure(target.host, error, sent_at=sent_at, turn=turn)
                raise
            self._circuit = self._circuit.succeed(target.host)
            return answer

    def _count_request(self, errand: _Errand[_Content], *, is_retry: bool, now: float) -> None:
        self._requests += 1
        self._robots_requests += errand.is_robots
        self._retries += is_retry
        self._retry_budget = self._retry_budget.count_request(now)

    async def _count_failure(self, host: str, error: FetchError, *, sent_at: float, turn: int) -> None:
        if error.is_pause_request:
            now = self._clock.monotonic()
            self._circuit = self._circuit.pause(host, sent_at=sent_at, now=now)
            seconds = error.pause_seconds
            if seconds is None:
                seconds = backoff_seconds(max(turn + 1, self._circuit.pauses), _RANDOM.random())
            await self._budget.pause(seconds)
        elif error.is_worth_another_try:
            self._circuit = self._circuit.fail(host)
        elif error.status is not None:
            self._circuit = self._circuit.succeed(host)

    def _refuse_when_open(self) -> None:
        circuit = self._circuit
        if circuit.is_open:
            raise SourceUnavailableError(
                f"{self._site.domain}: the last {circuit.failures} requests in a row failed, to {len(circuit.failing)}"
                f" hosts, with {circuit.pauses} pauses asked for ({self._requests} requests in all): asking on would do"
                " harm. The run stops and keeps its checkpoint; run again later"
            )
