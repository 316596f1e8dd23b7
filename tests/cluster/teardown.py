"""Removing a cluster, whole or half-built, from whatever its harness left behind."""

import shutil
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from tests.cluster.cgroups import remove_group
from tests.cluster.commands import run
from tests.cluster.configuration import pod_group
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_file, write_json
from tests.cluster.network import MOST_NODES, Network
from tests.cluster.paths import Layout, layout_of
from tests.cluster.supervision import Supervisor, kill_all

_OWNER: Final = "checkout"

# The kubelet sets these for the whole machine. They are noted before and put back afterwards.
_SETTINGS: Final = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")
_SETTINGS_FILE: Final = "machine-settings.json"


def claim(layout: Layout) -> None:
    """Note whose the run directory is and what the machine's settings were, before anything is made."""
    layout.sockets.mkdir(parents=True, exist_ok=True)
    write_file(layout.sockets / _OWNER, str(layout.checkout.resolve()))
    if not (layout.sockets / _SETTINGS_FILE).exists():
        write_json(layout.sockets / _SETTINGS_FILE, _settings_without_clusters())


def _settings_without_clusters() -> dict[str, str]:
    for noted in Path("/run").glob(f"tracksync-*/{_SETTINGS_FILE}"):
        # Another checkout's cluster has changed them already, and knows what they were.
        values = read_json(noted)
        if values is not None:
            return dict(values)
    return {name: Path("/proc/sys", name).read_text().strip() for name in _SETTINGS}


def has_traces(layout: Layout) -> bool:
    """Whether anything of a cluster of this checkout is left on the machine."""
    places = (layout.sockets, layout.data, layout.pids, Path("/sys/class/net", f"ts-{layout.key}"))
    return any(place.exists() for place in places)


def clear(layout: Layout) -> None:
    """Remove every process, mount, namespace, cgroup and file of the checkout's cluster.

    Raises:
        ClusterError: a process or a mount withstood.
    """
    supervisor = Supervisor(layout.key, layout.pids, layout.logs)
    network = Network(layout.key, IPv4Network("172.30.0.0/24"))
    kill_all(supervisor.strays())
    for number in range(1, MOST_NODES + 1):
        remove_group(pod_group(network.place(number)))
    # A shim that was just starting a container may have been born in between.
    kill_all(supervisor.strays())
    for folder in (layout.data, layout.sockets):
        _unmount_below(folder)
    network.remove()
    _restore_settings(layout)
    for folder in (layout.data, layout.state, layout.sockets):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise ClusterError(f"{folder} could not be removed; is something using it? Remove it by hand")


def clear_orphans(own: Layout) -> list[Path]:
    """Remove the clusters of checkouts that no longer exist; returns where those were."""
    removed = []
    for owner in Path("/run").glob(f"tracksync-*/{_OWNER}"):
        checkout = Path(owner.read_text())
        if owner.parent != own.sockets and not checkout.exists():
            clear(layout_of(checkout))
            removed.append(checkout)
    return removed


def _unmount_below(folder: Path) -> None:
    for point in _mounts_below(folder):
        with suppress(ClusterError):
            run(["umount", "--lazy", point])
    left = _mounts_below(folder)
    if left:
        raise ClusterError(f"could not unmount {left[0]}; unmount it by hand and repeat")


def _mounts_below(folder: Path) -> list[str]:
    """Return mount points at or below the folder, deepest first."""
    # proc_pid_mountinfo(5): the fifth field, with white space as octal escapes.
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    below = [point for point in points if Path(point).is_relative_to(folder)]
    return sorted(below, key=len, reverse=True)


def _restore_settings(layout: Layout) -> None:
    others = [owner for owner in Path("/run").glob(f"tracksync-*/{_OWNER}") if owner.parent != layout.sockets]
    values = read_json(layout.sockets / _SETTINGS_FILE)
    if others or values is None:
        return
    for name, value in values.items():
        with suppress(OSError):
            Path("/proc/sys", name).write_text(value)


def boot_id() -> str:
    """Return what changes with every start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
