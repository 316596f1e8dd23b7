"""A simulated source as a process of its own: its switches, what it saw, and what a correct sync must have stored."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.cli.starting import TRACKSYNC
from tracksync.simulator.robots import CATALOGUE_LABEL
from tracksync.simulator.shares import share_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACKS: Final = 60
FEW: Final = 10
SEED: Final = 3
_CALL_SECONDS: Final = 30.0
_URL: Final = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True)
class Site:
    """A running simulator; `url` is where it listens."""

    url: str

    def call(self, path: str, *, method: str = "GET", send: object = None) -> dict[str, Any]:
        """Return the JSON answer of a control path."""
        data = None if send is None else json.dumps(send).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 -- loopback
        with urllib.request.urlopen(request, timeout=_CALL_SECONDS) as response:  # noqa: S310 -- loopback
            answer: dict[str, Any] = json.load(response)
        return answer

    def switch(self, **switches: object) -> dict[str, Any]:
        """Set some switches."""
        return self.call("/_faults", method="POST", send=switches)

    def hosts_of(self, kind: str, hosts: int) -> tuple[set[str], float]:
        """Return which hosts a fault strikes first, so many of them, and the rate that means them."""
        shares = sorted((share_of(SEED, kind, slug), slug) for slug in self.truth())
        return {slug for _, slug in shares[:hosts]}, (shares[hosts - 1][0] + shares[hosts][0]) / 2

    def afflict(self, kind: str, hosts: int, *, times: int | None = None, **switches: object) -> set[str]:
        """Give a dashboard fault to so many hosts, and return them."""
        hit, rate = self.hosts_of(kind, hosts)
        self.switch(dashboard_faults={kind: {"rate": rate, "times": times}}, **switches)
        return hit

    def afflict_robots(self, kind: str, hosts: int, **switches: object) -> set[str]:
        """Give a robots.txt to so many hosts, the catalogue's not among them, and return them."""
        hit, rate = self.hosts_of(f"robots-{kind}", hosts)
        assert share_of(SEED, f"robots-{kind}", CATALOGUE_LABEL) > rate, "the catalogue's host would have it as well"
        self.switch(robots=kind, robots_rate=rate, **switches)
        return hit

    def journal(self) -> dict[str, Any]:
        """Return what the source saw since the journal was begun."""
        return self.call("/_journal")

    def begin_journal(self) -> None:
        """Forget what was seen so far."""
        self.call("/_journal", method="DELETE")

    def truth(self) -> dict[str, dict[str, Any]]:
        """Return, by slug, the rows that a correct sync into an empty database must have stored."""
        return {row["slug"]: row for row in self.call("/_truth")["tracks"]}

    def next_day(self) -> dict[str, Any]:
        """Let a day pass in the source's world."""
        return self.call("/_day", method="POST")

    def reset(self) -> None:
        """Go back to a source without faults and pauses, whose journal is empty and who is asked nothing."""
        self.call("/_faults", method="DELETE")
        deadline = time.monotonic() + _CALL_SECONDS
        while self.journal()["in_flight"]:
            assert time.monotonic() < deadline, "requests of an earlier run are still under way"
        self.begin_journal()


@contextmanager
def running_site(*options: str, tracks: int = TRACKS) -> Iterator[Site]:
    """Run a simulator until the block ends."""
    command = [str(TRACKSYNC), "simulate", "--tracks", str(tracks), "--seed", str(SEED), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = _URL.search(process.stdout.readline())
            assert found is not None
            yield Site(found[0])
        finally:
            process.terminate()
            process.wait(timeout=20)
