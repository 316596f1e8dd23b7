"""From a source's host name to the address that is connected to: resolved, checked, and used as checked."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from tracksync.adapters.web.addresses import Address, is_public, resolve
from tracksync.adapters.web.fetching import FetchError, FetchProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracksync.api.source import SourceEntry

_PORT_BY_SCHEME: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked address and a port."""

    address: Address
    port: int

    @property
    def netloc(self) -> str:
        """The endpoint as part of a URL."""
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{host}:{self.port}"


class Endpoints:
    """Finds the endpoint of each host of one source entry."""

    def __init__(
        self, entry: SourceEntry, *, resolver: Callable[[str, int], Awaitable[tuple[Address, ...]]] = resolve
    ) -> None:
        self._allow_private = entry.allow_private_addresses
        self._connect_to = entry.connect_to
        self._resolver = resolver
        self._fixed: tuple[Endpoint, ...] | None = None

    async def find(self, host: str, scheme: str, *, turn: int) -> Endpoint:
        """Return an endpoint of the host; further turns go round its addresses.

        Raises:
            FetchError: the name does not resolve (CONNECTION), or one of its addresses is not allowed (ADDRESS).
        """
        if self._connect_to is None:
            endpoints = await self._resolve(host, _PORT_BY_SCHEME[scheme])
        else:
            if self._fixed is None:
                name, _, port = self._connect_to.rpartition(":")
                self._fixed = await self._resolve(name.strip("[]"), int(port))
            endpoints = self._fixed
        return endpoints[turn % len(endpoints)]

    def forget(self) -> None:
        """Resolve `connectTo` again at the next request: connecting failed."""
        self._fixed = None

    async def _resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchError(FetchProblem.CONNECTION, f"the name {host} does not resolve") from error
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise FetchError(
                FetchProblem.ADDRESS,
                f"{host} resolves to an address that is not public; set sources[].allowPrivateAddresses"
                " if this source is one of your own",
            )
        return tuple(Endpoint(address, port) for address in addresses)
