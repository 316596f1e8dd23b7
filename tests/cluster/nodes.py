"""One node of the processes' cluster: containerd, kubelet and kube-proxy in a namespace of its own."""

import signal
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.archives import image_names
from tests.cluster.cgroups import ensure_group, freeze
from tests.cluster.commands import run
from tests.cluster.configuration import containerd_socket, node_data, pod_group, write_node_config
from tests.cluster.console import step
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_json
from tests.cluster.network import NodePlace
from tests.cluster.paths import Layout
from tests.cluster.programs import Programs, node_program_names
from tests.cluster.supervision import Supervisor
from tests.cluster.system import find_program
from tests.cluster.waiting import wait_until


@dataclass(frozen=True, slots=True)
class ProcessNode:
    """A node by its place on the network; holds no state of its own."""

    place: NodePlace
    layout: Layout
    programs: Programs
    supervisor: Supervisor

    @property
    def name(self) -> str:
        return self.place.name

    def start_runtime(self) -> None:
        """Make containerd run; what a fault test stopped or froze goes on."""
        for folder in (node_data(self.layout, self.place), self.layout.sockets / self.name):
            folder.mkdir(parents=True, exist_ok=True)
        write_node_config(self.layout, self.place, str(find_program("runc")))
        ensure_group(pod_group(self.place))
        self._continue()
        self.supervisor.ensure(self.programs.containerd(self.place))

    def start(self) -> None:
        """Make the whole node run; returns once the processes are started."""
        self.start_runtime()
        self.supervisor.ensure(self.programs.kubelet(self.place))
        self.supervisor.ensure(self.programs.kube_proxy(self.place))

    def stop_kubelet(self) -> None:
        """Stop the kubelet; the pods keep running."""
        self.supervisor.kill([f"kubelet-{self.name}"])

    def pause(self) -> None:
        """Freeze the node's processes and its pods."""
        for name in node_program_names(self.place):
            self.supervisor.signal(name, signal.SIGSTOP)
        freeze(pod_group(self.place), frozen=True)

    def load_image(self, archive: Path) -> None:
        """Import the archive unless this node has exactly it already.

        Raises:
            ClusterError: containerd does not run or refuses the file.
        """
        mark = _mark_of(archive)
        names = image_names(archive)
        record = node_data(self.layout, self.place) / "images.json"
        # By name: of two archives with one name the later one counts.
        loaded = read_json(record) or {}
        if all(loaded.get(name) == mark for name in names):
            return
        self._wait_for_containerd()
        with step(f"{names[0]} into {self.name}"):
            run([*self._ctr(), "images", "import", archive], seconds=300)
        write_json(record, {**loaded, **dict.fromkeys(names, mark)})

    def _continue(self) -> None:
        for name in node_program_names(self.place):
            self.supervisor.signal(name, signal.SIGCONT)
        freeze(pod_group(self.place), frozen=False)

    def _wait_for_containerd(self) -> None:
        name = f"containerd-{self.name}"

        def answers() -> bool:
            self.supervisor.check(name)
            return containerd_socket(self.layout, self.place).is_socket()

        if not wait_until(answers, seconds=30):
            raise ClusterError(f"{name} does not listen; see {self.supervisor.log(name)}")

    def _ctr(self) -> tuple[str, ...]:
        socket = containerd_socket(self.layout, self.place)
        return (str(self.programs.binaries["ctr"]), "--address", str(socket), "--namespace", "k8s.io")


def _mark_of(archive: Path) -> str:
    """Archives are replaced and never edited, so place, size and time tell two of them apart."""
    status = archive.stat()
    return f"{archive.resolve()} {status.st_size} {status.st_mtime_ns}"
