"""An entry of the installation's source list: which hosts a run may talk to, and how fast.

The list belongs to the cluster's admin (a ConfigMap of the operator); a TrackSyncJob only names an entry and may lower
its limits. The operator hands the resolved entry to the worker as JSON.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tracksync.api.base import ApiModel


class SourceEntry(ApiModel):
    """One source that this installation allows."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")] = "liverc"
    """Name by which `spec.source.name` refers to it; also stored in `tracks.source`."""
    domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,253}$")] = "liverc.com"
    """Registrable domain. The catalogue is at `live.<domain>`, each track at `<slug>.<domain>`, one label below it."""
    scheme: Literal["https", "http"] = "https"
    """https, unless the source is a simulator or a mirror of one's own."""
    connect_to: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-]+:[0-9]{1,5}$|^\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}$")] | None
    ) = None
    """`host:port` that all connections go to instead of the names' own addresses; the Host header stays the track's.
    For a simulator or a forward mirror. None: ordinary name resolution, the scheme's own port."""
    requests_per_second: Annotated[float, Field(gt=0, le=100_000)] = 4.0
    """Ceiling of the request rate to the domain, in requests per second; a run may only lower it."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 6
    """Ceiling of requests in flight at once; a run may only lower it."""
    allow_private_addresses: bool = False
    """Whether loopback, private and link-local addresses may be connected to (a simulator in the cluster)."""
    catalogue_bytes: Annotated[int, Field(ge=100_000, le=67_108_864)] = 5_000_000
    """Cap of the catalogue page, in bytes: a larger one is refused. A track takes about 570 bytes, so the default has
    room for 8,700; reading a page takes about twelve times its size in memory."""
    contact: Annotated[str, Field(max_length=200)] = ""
    """Mail address or URL of whoever runs this installation; part of the User-Agent."""

    @property
    def catalogue_host(self) -> str:
        """Host of the page that lists all tracks."""
        return f"live.{self.domain}"

    def track_host(self, slug: str) -> str:
        """Return the host of one track's dashboard."""
        return f"{slug}.{self.domain}"
