"""The ports: what the worker and the operator need from the world, as Protocols and frozen values. Nothing else.

Each port has one real adapter and an in-memory twin (`tracksync.adapters`), and one behaviour suite runs against both.
"""

from tracksync.ports.cluster import Cluster
from tracksync.ports.run import Clock, Progress
from tracksync.ports.source import (
    DomainState,
    RequestBudget,
    ReservedSlots,
    RobotsCache,
    RobotsRecord,
    SharedPace,
    Source,
)
from tracksync.ports.store import (
    HEARTBEAT_SECONDS,
    LEASE_SECONDS,
    History,
    Ledger,
    RunIdentity,
    RunTicket,
    TrackStore,
)

__all__ = [
    "HEARTBEAT_SECONDS",
    "LEASE_SECONDS",
    "Clock",
    "Cluster",
    "DomainState",
    "History",
    "Ledger",
    "Progress",
    "RequestBudget",
    "ReservedSlots",
    "RobotsCache",
    "RobotsRecord",
    "RunIdentity",
    "RunTicket",
    "SharedPace",
    "Source",
    "TrackStore",
]
