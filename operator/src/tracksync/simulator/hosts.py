"""Which virtual host a request means, by its Host header."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_CATALOGUE_LABEL: Final = "live"
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal", ".svc")


class HostRole(Enum):
    """What a host serves."""

    CATALOGUE = auto()
    """The host of the listing."""
    TRACK = auto()
    """One label below the domain: a track, known or not."""
    BROWSE = auto()
    """An address, localhost or a name inside a cluster: a person with a browser, or a probe."""
    FOREIGN = auto()
    """Anything else: the client and the simulator disagree about the domain."""


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A host and what it serves; `label` is a track's slug, else empty."""

    role: HostRole
    label: str = ""


def virtual_host(header: str, domain: str) -> VirtualHost:
    """Return what the Host header means; upper case and a port make no difference."""
    host = _without_port(header.strip().lower()).rstrip(".")
    label, dot, parent = host.partition(".")
    if dot and parent == domain:
        return VirtualHost(HostRole.CATALOGUE) if label == _CATALOGUE_LABEL else VirtualHost(HostRole.TRACK, label)
    return VirtualHost(HostRole.BROWSE if _is_local(host) else HostRole.FOREIGN)


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header.partition("]")[0].removeprefix("[")
    return header.partition(":")[0]


def _is_local(host: str) -> bool:
    """Tell whether a host cannot be one of the public site: no dot, a local suffix, or an address."""
    if "." not in host or host.endswith(_LOCAL_SUFFIXES) or ".svc." in host:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
