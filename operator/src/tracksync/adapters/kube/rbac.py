"""Rights as data: every method that talks to the API server declares what it needs; roles are collected from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tracksync.api.identity import GROUP, JOB_PLURAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Method = TypeVar("Method", bound="Callable[..., object]")

_ATTRIBUTE: Final = "rights"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource of one API group."""

    group: str
    resource: str
    verb: str


def needs(group: str, resource: str, *verbs: str) -> Callable[[Method], Method]:
    """Declare that the decorated method needs these verbs; may be stacked."""

    def declare(method: Method) -> Method:
        declared = getattr(method, _ATTRIBUTE, ())
        setattr(method, _ATTRIBUTE, (*declared, *(Right(group, resource, verb) for verb in verbs)))
        return method

    return declare


def rights_of(owner: type) -> frozenset[Right]:
    """Return what all methods of the class need."""
    return frozenset(right for method in vars(owner).values() for right in getattr(method, _ATTRIBUTE, ()))


def rules(rights: Iterable[Right]) -> list[dict[str, object]]:
    """Return RBAC rules in a stable order, one for each resource."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource), set()).add(right.verb)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": sorted(granted)}
        for (group, resource), granted in sorted(verbs.items())
    ]


KOPF_RIGHTS: Final = frozenset(
    Right(group, resource, verb)
    for group, resource in ((GROUP, JOB_PLURAL), ("batch", "jobs"), ("", "pods"))
    for verb in ("list", "watch")
)
"""What kopf needs to watch the three kinds; it writes nothing."""

KOPF_SCANNING_RIGHTS: Final = frozenset(
    Right("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")
)
"""What kopf needs beside that to notice, cluster-wide, that the CRD comes or goes."""

WORKER_RIGHTS: Final = frozenset({Right(GROUP, JOB_PLURAL, "get"), Right(GROUP, f"{JOB_PLURAL}/status", "patch")})
"""What a worker's token may do: read its TrackSyncJob and report to its status."""
