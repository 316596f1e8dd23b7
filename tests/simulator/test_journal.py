from __future__ import annotations

from dataclasses import dataclass, field

from tracksync.simulator.journal import Journal, RequestKind


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A journal and the clock that it reads."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.journal = Journal(self.clock)

    def request(
        self, *, at: float, kind: RequestKind = RequestKind.DASHBOARD, host: str = "one", status: int = 200
    ) -> None:
        self.clock.now = at
        self.journal.answered(self.journal.arrived(kind, host), status, 10)


def test_requests_are_counted_by_kind_and_status() -> None:
    site = Site()
    site.request(at=100, kind=RequestKind.CATALOGUE)
    site.request(at=101, kind=RequestKind.ROBOTS, status=404)
    site.request(at=102, kind=RequestKind.DASHBOARD)
    site.request(at=103, kind=RequestKind.OTHER, status=404)
    figures = site.journal.as_json()
    assert figures["total"] == 4
    assert figures["by_kind"] == {"catalogue": 1, "dashboard": 1, "robots": 1, "other": 1}
    assert figures["statuses"] == {"200": 2, "404": 2}
    assert figures["body_bytes"] == 40


def test_the_peak_is_the_most_arrivals_within_any_second_and_not_within_a_tick_of_the_clock() -> None:
    site = Site()
    for at in (100.0, 100.6, 100.7, 101.5, 101.55, 102.6):
        site.request(at=at)
    assert site.journal.as_json()["requests_per_second"]["peak"] == 4  # 100.6 to 101.55


def test_a_steady_client_peaks_at_its_rate() -> None:
    site = Site()
    for number in range(41):
        site.request(at=100 + number / 4)
    assert site.journal.as_json()["requests_per_second"] == {"peak": 4, "mean": 4.0}


def test_the_mean_of_fewer_than_two_requests_is_zero() -> None:
    site = Site()
    assert site.journal.as_json()["requests_per_second"]["mean"] == 0
    site.request(at=100)
    assert site.journal.as_json()["requests_per_second"] == {"peak": 1, "mean": 0}


def test_requests_in_flight_are_known_now_and_at_most() -> None:
    site = Site()
    entries = [site.journal.arrived(RequestKind.DASHBOARD, "one") for _ in range(3)]
    site.journal.answered(entries[0], 200, 1)
    site.journal.abandoned(entries[1])
    figures = site.journal.as_json()
    assert (figures["in_flight"], figures["max_in_flight"], figures["abandoned"]) == (1, 3, 1)
    assert figures["statuses"] == {"200": 1}


def test_a_dashboard_asked_for_again_counts_as_repeated() -> None:
    site = Site()
    for host in ("one", "two", "one", "one"):
        site.request(at=100, host=host)
    site.request(at=100, host="", kind=RequestKind.ROBOTS)
    assert site.journal.as_json()["dashboards"] == {"distinct": 2, "repeated": 2}


def test_a_restart_forgets_the_figures_but_not_what_is_in_flight() -> None:
    site = Site()
    entry = site.journal.arrived(RequestKind.DASHBOARD, "one")
    site.request(at=101)
    site.journal.restart()
    figures = site.journal.as_json()
    assert (figures["total"], figures["in_flight"], figures["max_in_flight"]) == (0, 1, 1)
    site.journal.answered(entry, 200, 5)
    figures = site.journal.as_json()
    assert (figures["in_flight"], figures["statuses"], figures["body_bytes"]) == (0, {}, 0)


def test_requests_before_the_end_of_a_pause_are_counted_and_later_ones_are_not() -> None:
    site = Site()
    site.request(at=100)
    site.journal.pause(5)
    for at in (102, 104.9, 105, 106):
        site.request(at=at)
    figures = site.journal.as_json()
    assert (figures["pauses"], figures["requests_during_pause"]) == (1, 2)


def test_of_two_pauses_the_later_end_counts() -> None:
    site = Site()
    site.journal.pause(50)
    site.journal.pause(2)
    site.request(at=149)
    assert site.journal.as_json()["requests_during_pause"] == 1


def test_a_restart_ends_a_pause() -> None:
    site = Site()
    site.journal.pause(50)
    site.journal.restart()
    site.request(at=101)
    assert site.journal.as_json()["requests_during_pause"] == 0


def test_the_busiest_host_is_known_by_its_rate_and_by_what_it_had_in_flight() -> None:
    site = Site()
    for at, host in ((100.0, "one"), (100.1, "two"), (100.2, "one"), (100.9, "one"), (101.1, "one"), (103, "two")):
        site.request(at=at, host=host)
    entries = [site.journal.arrived(RequestKind.DASHBOARD, host) for host in ("one", "two", "two")]
    assert site.journal.as_json()["per_host"] == {"peak": 3, "max_in_flight": 2}
    for entry in entries:
        site.journal.abandoned(entry)
    assert site.journal._in_flight_by_host == {}
