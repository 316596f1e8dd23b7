"""A harness that is killed at any point leaves nothing that the next command does not adopt or clear away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.network import Network
from tests.cluster.paths import CHECKOUT, Layout, layout_of
from tests.cluster.processes import ProcessCluster
from tests.cluster.supervision import Supervisor, start_time
from tests.cluster.teardown import clear_orphans
from tests.cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UP = (
    "import sys, pathlib\n"
    "from tests.cluster.paths import layout_of\n"
    "from tests.cluster.processes import ProcessCluster\n"
    "ProcessCluster(layout_of(pathlib.Path(sys.argv[1]))).up()"
)

# What `up` has just made when it is killed; in the order in which it makes them.
MOMENTS: dict[str, Callable[[Layout], Path]] = {
    "its claim": lambda layout: layout.sockets / "checkout",
    "its state": lambda layout: layout.state / "cluster.json",
    "the bridge": lambda layout: Path("/sys/class/net", f"ts-{layout.key}"),
    "the namespace": lambda layout: Path("/run/netns", f"ts-{layout.key}-node1"),
    "half of the certificates": lambda layout: layout.pki / "ca.key",
    "etcd": lambda layout: layout.pids / "etcd.json",
    "containerd": lambda layout: layout.pids / "containerd-node1.json",
    "containerd's socket": lambda layout: layout.sockets / "node1" / "containerd.sock",
    "the sandbox image": lambda layout: layout.data / "node1" / "images.json",
    "the kubelet": lambda layout: layout.pids / "kubelet-node1.json",
    "the kubeconfig": lambda layout: layout.kubeconfig,
}


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """Return the layout of an empty checkout, and clear away what a failed test left of it."""
    layout = layout_of(tmp_path)
    yield layout
    ProcessCluster(layout).down()


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_kill_in_up_down_leaves_nothing(layout: Layout, moment: str) -> None:
    _up_killed_at(MOMENTS[moment](layout), layout)
    ProcessCluster(layout).down()
    assert _remains(layout) == []


def test_after_a_kill_in_up_the_next_up_goes_on_with_what_runs(layout: Layout) -> None:
    _up_killed_at(layout.pids / "containerd-node1.json", layout)
    supervisor = _supervisor(layout)
    started = supervisor.pid("etcd")
    cluster = ProcessCluster(layout)
    cluster.up()
    assert started is not None
    assert supervisor.pid("etcd") == started
    assert cluster.running()


def test_up_restarts_only_the_part_that_died(layout: Layout) -> None:
    cluster = ProcessCluster(layout)
    cluster.up()
    before = cluster.process_table()
    _supervisor(layout).kill(["kube-scheduler", "kubelet-node1"])
    cluster.up()
    after = cluster.process_table()
    assert None not in after.values()
    assert {name for name in before if before[name] != after[name]} == {"kube-scheduler", "kubelet-node1"}


def test_a_cluster_that_cannot_be_brought_back_is_replaced_by_a_new_one(layout: Layout) -> None:
    cluster = ProcessCluster(layout)
    cluster.up()
    before = cluster.process_table()
    _supervisor(layout).kill(["etcd", "kube-apiserver"])
    # A machine that crashed can leave etcd's files like this.
    for file in (layout.data / "etcd").rglob("*.wal"):
        file.write_bytes(b"torn")
    cluster.up()
    assert cluster.running()
    assert set(before.values()).isdisjoint(cluster.process_table().values())


def test_down_leaves_a_process_alone_that_has_the_pid_of_a_dead_one_of_ours(layout: Layout) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        layout.pids.mkdir(parents=True)
        record = f'{{"pid": "{stranger.pid}", "started": "1", "fingerprint": ""}}'
        (layout.pids / "etcd.json").write_text(record)
        ProcessCluster(layout).down()
        lives = start_time(stranger.pid) is not None
        stranger.kill()
    assert lives


def test_the_cluster_of_a_checkout_that_is_gone_is_cleared_away(layout: Layout, tmp_path: Path) -> None:
    gone = layout_of(tmp_path / "gone")
    gone.checkout.mkdir()
    try:
        _up_killed_at(gone.pids / "containerd-node1.json", gone)
        shutil.rmtree(gone.checkout)
        assert gone.checkout in clear_orphans(layout)
        assert _remains(gone) == []
    finally:
        ProcessCluster(gone).down()


def _up_killed_at(moment: Path, layout: Layout) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", UP, str(layout.checkout)], cwd=CHECKOUT, stderr=subprocess.DEVNULL
    ) as up:
        reached = wait_until(moment.exists, seconds=60, every=0.001)
        os.kill(up.pid, signal.SIGKILL)
    assert reached, f"{moment} was never made"


def _supervisor(layout: Layout) -> Supervisor:
    return Supervisor(layout.key, layout.pids, layout.logs)


def _remains(layout: Layout) -> list[str]:
    """Return everything on the machine that carries the checkout's key."""
    place = Network(layout.key, IPv4Network("172.30.0.0/24")).place(1)
    folders = [layout.state, layout.data, layout.sockets, Path("/run/netns", place.namespace)]
    links = [path for path in Path("/sys/class/net").iterdir() if layout.key in path.name]
    groups = list(Path("/sys/fs/cgroup").glob(f"*/tracksync-{layout.key}*"))
    groups += Path("/sys/fs/cgroup").glob(f"tracksync-{layout.key}*")
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if layout.key in line]
    found = [str(path) for path in (*folders, *links, *groups) if path.exists()]
    return [*found, *mounts, *map(str, _supervisor(layout).strays())]
