from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.core.tracks.politeness import Circuit, Pace, RetryBudget, backoff_seconds, retry_after_seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def starts(pace: Pace, asked_at: list[float]) -> list[float]:
    found = []
    for now in asked_at:
        pace, start = pace.reserve(now)
        found.append(start)
    return found


def test_the_first_slot_is_now_and_the_next_ones_keep_the_rate() -> None:
    assert starts(Pace(rate=4), [10.0, 10.0, 10.0, 10.5]) == [10.0, 10.25, 10.5, 10.75]


def test_a_quiet_spell_saves_up_no_burst() -> None:
    assert starts(Pace(rate=2), [0.0, 100.0, 100.0]) == [0.0, 100.0, 100.5]


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50), st.floats(0.1, 1000))
def test_slots_never_come_closer_than_the_rate(times: list[float], rate: float) -> None:
    found = starts(Pace(rate=rate), sorted(times))
    assert all(later - earlier >= 1 / rate - 1e-9 for earlier, later in pairwise(found))


def test_no_slot_lies_in_a_pause_and_a_pause_never_shortens_a_longer_one() -> None:
    pace = Pace(rate=4).pause(30.0).pause(20.0)
    assert starts(pace, [10.0, 10.0]) == [30.0, 30.25]


def test_the_wait_between_tries_doubles_and_has_full_jitter() -> None:
    assert [backoff_seconds(tries, 1.0) for tries in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert backoff_seconds(3, 0.0) == 0.0
    assert backoff_seconds(3, 0.25) == 0.5
    assert backoff_seconds(10_000, 1.0) == backoff_seconds(17, 1.0)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", None, 0.0),
        (" 120 ", None, 120.0),
        ("86400", None, 86_400.0),
        ("9" * 5_000, None, 1e9),
        ("0" * 5_000, None, 0.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", None, 120.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", "Sun, 01 Mar 2026 12:01:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", "rubbish", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", None, 120.0),
        ("Sun Mar  1 12:02:00 2026", None, 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None, 0.0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", None, 1e9),
    ],
)
def test_trap_8_retry_after_is_obeyed_in_both_forms_and_without_a_short_cap(
    value: str, date: str | None, seconds: float
) -> None:
    assert retry_after_seconds(value, date=date, now=NOW) == seconds


@pytest.mark.parametrize(
    "value", [None, "", "soon", "-5", "1.5", "1e3", "\u0663", "Sun, 99 Mar 2026 12:02:00 GMT", "Sun,"]
)
def test_an_unusable_retry_after_says_nothing(value: str | None) -> None:
    assert retry_after_seconds(value, date=None, now=NOW) is None


@given(st.text(max_size=40), st.none() | st.text(max_size=40))
def test_no_header_raises(value: str, date: str | None) -> None:
    seconds = retry_after_seconds(value, date=date, now=NOW)
    assert seconds is None or seconds >= 0


def spent(budget: RetryBudget, now: float, wishes: int) -> tuple[RetryBudget, int]:
    """Return how many of so many wishes the budget grants."""
    granted = 0
    for _ in range(wishes):
        budget, may_retry = budget.spend(now)
        granted += may_retry
    return budget, granted


@pytest.mark.parametrize(
    ("requests", "granted"),
    [(0, 10), (1, 10), (50, 10), (54, 10), (55, 11), (100, 20), (1_000, 200)],
)
def test_a_fifth_of_the_requests_may_be_repeated_and_ten_always(requests: int, granted: int) -> None:
    budget = RetryBudget()
    for _ in range(requests):
        budget = budget.count_request(5.0)
    assert spent(budget, 5.0, 1_000)[1] == granted


def test_repetitions_come_back_when_the_window_has_passed() -> None:
    budget, _ = spent(RetryBudget(), 0.0, 10)
    assert spent(budget, 59.0, 1)[1] == 0
    assert spent(budget, 71.0, 20)[1] == 10


def test_a_long_life_costs_no_memory() -> None:
    budget = RetryBudget()
    for second in range(10_000):
        budget = budget.count_request(float(second))
    assert len(budget.buckets) <= 8


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200))
def test_no_window_ever_has_more_repetitions_than_its_share(steps: list[tuple[float, bool]]) -> None:
    budget, now = RetryBudget(), 0.0
    requests: list[float] = []
    retries: list[float] = []
    for wait, is_wish in steps:
        now += wait
        may_retry = False
        if is_wish:
            budget, may_retry = budget.spend(now)
        if may_retry:
            retries.append(now)
        else:
            budget = budget.count_request(now)
            requests.append(now)
        recent_retries = sum(instant > now - 60 for instant in retries)
        recent_requests = sum(instant > now - 80 for instant in requests)
        assert recent_retries <= max(10, 0.2 * recent_requests)


def hosts(circuit: Circuit, events: str) -> Circuit:
    """Return the circuit after events: `-a` is a failure of host a, `+a` a good answer, `!a` a pause."""
    for now, event in enumerate(events.split()):
        kind, host = event[0], event[1:]
        if kind == "+":
            circuit = circuit.succeed(host)
        elif kind == "-":
            circuit = circuit.fail(host)
        else:
            circuit = circuit.pause(host, sent_at=now, now=now)
    return circuit


def row(kind: str, names: str, times: int = 1) -> str:
    return " ".join(f"{kind}{name}" for name in names * times)


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        ("", False),
        (row("-", "abcde", 4), True),
        (row("-", "abcdefghijklmnopqrst"), True),
        (row("-", "abcdefghijklmnopqrs"), False),
        (row("-", "abcdefghijklmnopqrs") + " +z " + row("-", "ABCDEFGHIJKLMNOPQRS"), False),
        (row("!", "abcde"), True),
        (row("!", "abcd"), False),
        (row("!", "abcd") + " +z " + row("!", "ABCD"), False),
        (row("!", "aabbccdde"), True),
        # A few hosts prove nothing about their source.
        (row("-", "abcd", 100), False),
        (row("!", "abcd", 100), False),
        # Hosts that failed while others answered well are broken themselves, and count no more ...
        (row("-", "abcdefgh") + " +z " + row("-", "abcdefgh", 50) + " " + row("!", "abcdefgh", 50), False),
        # ... until they answer well themselves.
        (row("-", "abcdefgh") + " +z " + row("+", "abcdefgh") + " " + row("-", "abcdefgh", 3), True),
        # An open circuit stays open.
        (row("-", "abcde", 4) + " +z", True),
    ],
)
def test_the_circuit_opens_when_the_source_fails_and_not_when_some_hosts_do(events: str, is_open: bool) -> None:  # noqa: FBT001
    assert hosts(Circuit(), events).is_open is is_open


def test_answers_to_requests_that_were_on_their_way_belong_to_the_pause_that_has_begun() -> None:
    circuit = Circuit()
    for host in "abcdefgh":
        circuit = circuit.pause(host, sent_at=1.0, now=2.0)
    assert (circuit.pauses, circuit.failures, circuit.is_open) == (1, 8, False)
    assert circuit.pause("i", sent_at=2.0, now=3.0).pauses == 2


@given(st.lists(st.tuples(st.sampled_from("+-!"), st.sampled_from("abcdefghij")), max_size=100))
def test_the_circuit_is_never_open_without_a_long_row_of_failures_of_several_hosts(
    events: list[tuple[str, str]],
) -> None:
    circuit, row_of_failures = Circuit(), list[str]()
    for now, (kind, host) in enumerate(events):
        if circuit.is_open:
            assert len(set(row_of_failures)) >= 5
            return
        row_of_failures = [] if kind == "+" else [*row_of_failures, host]
        circuit = circuit.pause(host, sent_at=now, now=now) if kind == "!" else hosts(circuit, kind + host)
