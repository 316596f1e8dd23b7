"""Where everything lies: the checkout, its state, its short-named run directory, the user's cache."""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one checkout's cluster.

    `state` is inside the checkout. What grows (etcd, images, the pods' files) and what has to be
    short (a socket's path may have 107 bytes) is outside of it, under the checkout's own key.
    """

    checkout: Path
    key: str
    state: Path
    data: Path
    sockets: Path

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        return self.state / "pids"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"


def layout_of(checkout: Path) -> Layout:
    """Return the folders that belong to a checkout; nothing is created."""
    key = hashlib.sha256(os.fsencode(checkout.resolve())).hexdigest()[:6]
    return Layout(
        checkout=checkout,
        key=key,
        state=checkout / ".cluster",
        data=Path("/var/lib") / f"tracksync-{key}",
        sockets=Path("/run") / f"tracksync-{key}",
    )


@cache
def cache_root() -> Path:
    """Return the user's cache folder for cluster parts, created when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base) / "tracksync" / "cluster"
    root.mkdir(parents=True, exist_ok=True)
    return root
