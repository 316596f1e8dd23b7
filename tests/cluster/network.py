"""The cluster's private network: a bridge on the host, and a network namespace for each node.

There is no default route inside, so nothing in the cluster reaches anything outside of it, and the
host's own packet filter is not touched.
"""

import ipaddress
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError

SERVICE_RANGE: Final = "10.96.0.0/16"
SERVICE_API: Final = "10.96.0.1"
SERVICE_DNS: Final = "10.96.0.10"
POD_RANGE: Final = "10.244.0.0/16"
_NODE_RANGES: Final = ipaddress.ip_network("172.30.0.0/16")
MOST_NODES: Final = 2

# What leaves the pods' own range takes the node's address: the host knows no way back to a pod.
_MASQUERADE: Final = f"""
add table ip tracksync
delete table ip tracksync
table ip tracksync {{
  chain postrouting {{
    type nat hook postrouting priority srcnat
    ip saddr {POD_RANGE} ip daddr != {POD_RANGE} masquerade
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where a node is on the network; `number` counts from 1."""

    number: int
    key: str
    subnet: ipaddress.IPv4Network

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def address(self) -> str:
        return str(self.subnet[self.number + 1])

    @property
    def pod_range(self) -> str:
        return f"10.244.{self.number - 1}.0/24"

    @property
    def namespace(self) -> str:
        return f"ts-{self.key}-{self.name}"

    @property
    def link(self) -> str:
        return f"ts-{self.key}-n{self.number}"


@dataclass(frozen=True, slots=True)
class Network:
    """The network of one checkout's cluster; every name on the host carries the checkout's key."""

    key: str
    subnet: ipaddress.IPv4Network

    @property
    def bridge(self) -> str:
        return f"ts-{self.key}"

    @property
    def host_address(self) -> str:
        return str(self.subnet[1])

    def place(self, number: int) -> NodePlace:
        return NodePlace(number, self.key, self.subnet)

    def ensure(self, nodes: int) -> None:
        """Make the bridge and the nodes' namespaces; what is there already is left alone."""
        if not _link_exists(self.bridge):
            _ip("link", "add", self.bridge, "type", "bridge")
        _ip("addr", "replace", f"{self.host_address}/{self.subnet.prefixlen}", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        places = [self.place(number) for number in range(1, nodes + 1)]
        for place in places:
            self._ensure_node(place)
        for place in places:
            for other in places:
                if other is not place:
                    _inside(place, "ip", "route", "replace", other.pod_range, "via", other.address)

    def remove(self) -> None:
        """Take everything away again; nothing happens where nothing is."""
        for number in range(1, MOST_NODES + 1):
            place = self.place(number)
            # First: the kernel removes the links of a namespace some time after it.
            _remove_link(place.link)
            if _namespace_file(place).exists():
                _ip("netns", "del", place.namespace)
        _remove_link(self.bridge)

    def _ensure_node(self, place: NodePlace) -> None:
        if not _namespace_works(place):
            # A file without a namespace mounted on it: the harness was killed between the two.
            with suppress(ClusterError):
                _ip("netns", "del", place.namespace)
            _ip("netns", "add", place.namespace)
        if not _link_exists(place.link):
            _ip("link", "add", place.link, "type", "veth", "peer", "name", "eth0", "netns", place.namespace)
        _ip("link", "set", place.link, "master", self.bridge, "up")
        _inside(place, "ip", "addr", "replace", f"{place.address}/{self.subnet.prefixlen}", "dev", "eth0")
        _inside(place, "ip", "link", "set", "lo", "up")
        _inside(place, "ip", "link", "set", "eth0", "up")
        # Without any route the kernel refuses a service address before it could be translated.
        _inside(place, "ip", "route", "replace", SERVICE_RANGE, "dev", "eth0")
        _inside(place, "tee", "/proc/sys/net/ipv4/ip_forward", stdin="1")
        _inside(place, "nft", "-f", "-", stdin=_MASQUERADE)


def free_subnet(key: str) -> ipaddress.IPv4Network:
    """Return a /24 that no address and no route of the host overlaps; the key decides where to look first.

    Raises:
        ClusterError: the whole range is in use.
    """
    taken = _networks_in_use()
    candidates = [ipaddress.IPv4Network((int(_NODE_RANGES[256 * third]), 24)) for third in range(256)]
    first = int(key, 16) % len(candidates)
    for candidate in candidates[first:] + candidates[:first]:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise ClusterError(f"no free network in {_NODE_RANGES}: addresses or routes of this machine cover all of it")


def _networks_in_use() -> list[ipaddress.IPv4Network]:
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"]) or "[]")
    found = []
    for route in routes:
        with suppress(ValueError):
            network = ipaddress.IPv4Network(route["dst"], strict=False)
            if network.prefixlen > 0:
                found.append(network)
    return found


def _link_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _remove_link(name: str) -> None:
    try:
        _ip("link", "del", name)
    except ClusterError:
        if _link_exists(name):
            raise


def _namespace_file(place: NodePlace) -> Path:
    return Path("/run/netns", place.namespace)


def _namespace_works(place: NodePlace) -> bool:
    try:
        _inside(place, "true")
    except ClusterError:
        return False
    return True


def _ip(*arguments: str) -> None:
    run(["ip", *arguments])


def _inside(place: NodePlace, *command: str, stdin: str | None = None) -> None:
    run(["nsenter", f"--net={_namespace_file(place)}", "--", *command], stdin=stdin)
