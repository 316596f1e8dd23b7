"""A cgroup of its own for each node's pods, in every hierarchy: two kubelets in one would fight."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from tests.cluster.supervision import kill_all
from tests.cluster.waiting import wait_until

_MOUNT: Final = Path("/sys/fs/cgroup")


def is_unified() -> bool:
    """Whether the machine has cgroup v2 only."""
    return (_MOUNT / "cgroup.controllers").exists()


def ensure_group(name: str) -> None:
    """Make the group with all controllers that a kubelet needs."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # v1 gives a new group no CPUs at all; v2 takes the parent's.
            if not is_unified() and (group / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())
    if is_unified():
        wanted = " ".join(f"+{controller}" for controller in (_MOUNT / "cgroup.controllers").read_text().split())
        for parent in (_MOUNT, _MOUNT / name):
            (parent / "cgroup.subtree_control").write_text(wanted)


def freeze(name: str, *, frozen: bool) -> None:
    """Stop or continue every process in the group."""
    if is_unified():
        (_MOUNT / name / "cgroup.freeze").write_text("1" if frozen else "0")
    elif (state := _MOUNT / "freezer" / name / "freezer.state").exists():
        state.write_text("FROZEN" if frozen else "THAWED")


def remove_group(name: str) -> None:
    """Kill everything in the group and remove it; nothing happens where nothing is."""
    if any((hierarchy / name).exists() for hierarchy in _hierarchies()):
        with suppress(OSError):
            freeze(name, frozen=False)
        wait_until(lambda: _killed_all(name), seconds=10)
    for hierarchy in _hierarchies():
        # Right after their last process is gone the kernel may still call a group busy.
        wait_until(partial(_removed, hierarchy / name), seconds=5)


def _hierarchies() -> list[Path]:
    """Return each hierarchy's root once, although v1 reaches some by two names."""
    if is_unified():
        return [_MOUNT]
    return sorted({path.resolve() for path in _MOUNT.iterdir() if path.is_dir() and (path / "cgroup.procs").exists()})


def _killed_all(name: str) -> bool:
    pids: set[int] = set()
    for hierarchy in _hierarchies():
        for members in (hierarchy / name).rglob("cgroup.procs"):
            with suppress(OSError):
                pids.update(int(pid) for pid in members.read_text().split())
    kill_all(pids)
    return not pids


def _removed(top: Path) -> bool:
    if not top.exists():
        return True
    folders = [top, *(path for path in top.rglob("*") if path.is_dir())]
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()
    return not top.exists()
