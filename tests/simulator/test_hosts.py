from __future__ import annotations

import pytest

from tracksync.simulator.hosts import HostRole, VirtualHost, virtual_host


@pytest.mark.parametrize(
    ("header", "role", "label"),
    [
        ("live.liverc.com", HostRole.CATALOGUE, ""),
        ("LIVE.LiveRC.com:8080", HostRole.CATALOGUE, ""),
        ("live.liverc.com.", HostRole.CATALOGUE, ""),
        ("reedford.liverc.com", HostRole.TRACK, "reedford"),
        ("ReedFord.liverc.com:443", HostRole.TRACK, "reedford"),
        ("www.liverc.com", HostRole.TRACK, "www"),
        ("127.0.0.1:8080", HostRole.BROWSE, ""),
        ("10.1.2.3", HostRole.BROWSE, ""),
        ("[::1]:8080", HostRole.BROWSE, ""),
        ("localhost", HostRole.BROWSE, ""),
        ("simulator", HostRole.BROWSE, ""),
        ("simulator.demo.svc:80", HostRole.BROWSE, ""),
        ("simulator.demo.svc.cluster.local", HostRole.BROWSE, ""),
        ("", HostRole.BROWSE, ""),
        ("liverc.com", HostRole.FOREIGN, ""),
        ("a.b.liverc.com", HostRole.FOREIGN, ""),
        ("reedford.example.org", HostRole.FOREIGN, ""),
        ("evilliverc.com", HostRole.FOREIGN, ""),
        ("live.liverc.com.example.org", HostRole.FOREIGN, ""),
    ],
)
def test_the_host_header_says_what_is_meant(header: str, role: HostRole, label: str) -> None:
    assert virtual_host(header, "liverc.com") == VirtualHost(role, label)
