"""The real Kubernetes as plain processes in network namespaces of their own; needs root, no Docker engine."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from tests.cluster.api import Api
from tests.cluster.build import Binaries, ensure_binaries
from tests.cluster.commands import run
from tests.cluster.configuration import write_cluster_config
from tests.cluster.console import step, tell
from tests.cluster.dns import apply_dns
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_file, write_json
from tests.cluster.locking import exclusive
from tests.cluster.network import MOST_NODES, Network, free_subnet
from tests.cluster.nodes import ProcessNode
from tests.cluster.paths import Layout, cache_root
from tests.cluster.pki import ensure_pki
from tests.cluster.probe import probe_archive
from tests.cluster.programs import API_PORT, CONTROL_PLANE_NAMES, Programs
from tests.cluster.supervision import Supervisor
from tests.cluster.system import ensure_programs, obstacles
from tests.cluster.teardown import boot_id, claim, clear, clear_orphans, has_traces
from tests.cluster.waiting import wait_until

# A bare machine needs about 10 s; one whose cores are busy with a build needs far more.
_START_SECONDS: Final = 180


@dataclass(frozen=True, slots=True)
class State:
    """What was decided when the cluster was made; written before anything is."""

    boot: str
    subnet: str
    nodes: int


class ProcessCluster:
    """Keeps tests.cluster.contract.Cluster. `up` brings whatever is there to what should be there."""

    kind = "processes"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._supervisor = Supervisor(layout.key, layout.pids, layout.logs)

    @cached_property
    def _binaries(self) -> Binaries:
        return ensure_binaries()

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def host_address(self) -> str:
        return self._network(self._existing()).host_address

    def up(self, nodes: int = 1) -> None:
        if not 1 <= nodes <= MOST_NODES:
            raise ClusterError(f"this cluster can have 1 to {MOST_NODES} nodes, not {nodes}")
        with self._locked():
            state = self._state()
            if state is None:
                self._check_machine()
                self._remove_remains()
                self._converge(self._new_state(nodes))
                return
            wanted = replace(state, nodes=max(nodes, state.nodes))
            try:
                self._converge_twice(wanted)
            except ClusterError as error:
                tell(f"the cluster that was here cannot be brought back: {error}")
                tell(f"starting a new one; the old one's logs: {self._keep_logs()}")
                clear(self.layout)
                self._converge(self._new_state(wanted.nodes))

    def down(self) -> None:
        with self._locked():
            clear(self.layout)
            self._lock.unlink()

    def exists(self) -> bool:
        return self._state() is not None

    def running(self) -> bool:
        state = self._state()
        return state is not None and self._api(self._network(state)).ready()

    def nodes(self) -> tuple[ProcessNode, ...]:
        return self._nodes(self._existing())

    def node(self, name: str) -> ProcessNode:
        for node in self.nodes():
            if node.name == name:
                return node
        raise ClusterError(f"there is no node {name}; `up --nodes 2` adds the second")

    def load_image(self, archive: Path) -> None:
        with self._locked():
            for node in self.nodes():
                node.load_image(archive)

    def local_volume(self, name: str) -> str:
        self._existing()
        folder = self.layout.volumes / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        return str(folder)

    def api_restart(self) -> None:
        with self._locked():
            state = self._existing()
            self._supervisor.kill(["kube-apiserver"])
            self._supervisor.ensure(self._programs(state).api_server())
            self._wait_for_api(state)

    def logs(self, component: str) -> str:
        """Return the log; of all nodes where the component runs on each, `kubelet-node2` of one."""
        if component == "audit":
            return "".join(path.read_text() for path in sorted(self.layout.logs.glob("audit*.log")))
        files = sorted((*self.layout.logs.glob(f"{component}.log"), *self.layout.logs.glob(f"{component}-node?.log")))
        if not files:
            known = sorted(path.stem for path in self.layout.logs.glob("*.log"))
            raise ClusterError(f"no log of {component}; there are: {', '.join(known) or 'none, the cluster is down'}")
        return "".join(path.read_text(errors="replace") for path in files)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return run(self.kubectl_command(*arguments), stdin=stdin, seconds=300)

    def kubectl_command(self, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs kubectl against this cluster and no other."""
        self._existing()
        return (str(self._binaries["kubectl"]), f"--kubeconfig={self.kubeconfig}", *arguments)

    def process_table(self) -> dict[str, int | None]:
        """Return each process that should run, with its pid."""
        state = self._existing()
        parts = ("containerd", "kubelet", "kube-proxy")
        on_nodes = [f"{part}-{node.name}" for node in self._nodes(state) for part in parts]
        return {name: self._supervisor.pid(name) for name in (*reversed(CONTROL_PLANE_NAMES), *on_nodes)}

    def _converge_twice(self, state: State) -> None:
        """Give a cluster that somebody may have work in a second chance: the first failure may have been chance."""
        try:
            self._converge(state)
        except ClusterError as error:
            tell(f"not yet healthy ({error}); once more")
            self._converge(state)

    def _keep_logs(self) -> Path:
        kept = Path(tempfile.gettempdir()) / f"tracksync-logs-{self.layout.key}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.layout.logs, kept)
        return kept

    def _converge(self, state: State) -> None:
        """Make every part of the cluster as it should be; a part that is so already is left alone."""
        for folder in (self.layout.pids, self.layout.logs, self.layout.volumes, self.layout.data):
            folder.mkdir(parents=True, exist_ok=True)
        claim(self.layout)
        write_json(self.layout.state / "cluster.json", asdict(state))
        ensure_programs()
        network, programs, nodes = self._network(state), self._programs(state), self._nodes(state)
        network.ensure(state.nodes)
        ensure_pki(self.layout.pki, network, self._server(network))
        write_cluster_config(self.layout)
        self._supervisor.ensure(programs.etcd())
        self._supervisor.ensure(programs.api_server())
        archive = probe_archive(self._binaries)
        for node in nodes:
            node.start_runtime()
        for node in nodes:
            node.load_image(archive)
        self._wait_for_api(state)
        for program in (programs.controller_manager(), programs.scheduler(), programs.dns()):
            self._supervisor.ensure(program)
        for node in nodes:
            node.start()
        api = self._api(network)
        apply_dns(api, network.place(1).address)
        self._wait_for_nodes(state, api)
        write_file(self.kubeconfig, (self.layout.pki / "admin.kubeconfig").read_bytes(), mode=0o600)

    def _wait_for_api(self, state: State) -> None:
        api = self._api(self._network(state))
        self._wait("kube-apiserver", ("etcd", "kube-apiserver"), api.ready)

    def _wait_for_nodes(self, state: State, api: Api) -> None:
        names = {node.name for node in self._nodes(state)}
        started = (*CONTROL_PLANE_NAMES, *(f"kubelet-{name}" for name in names))
        self._wait("the nodes", started, lambda: names <= api.ready_nodes())
        # Pods are refused until the controller has made it.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait("the default service account", started, lambda: api.exists(account))

    def _wait(self, what: str, needed: tuple[str, ...], condition: Callable[[], bool]) -> None:
        def came_true() -> bool:
            for name in needed:
                self._supervisor.check(name)
            return condition()

        if not came_true():
            with step(f"waiting for {what}"):
                if not wait_until(came_true, seconds=_START_SECONDS, every=0.1):
                    logs = ", ".join(str(self._supervisor.log(name)) for name in needed)
                    raise ClusterError(f"{what} did not become ready in {_START_SECONDS} s; see {logs}")

    def _remove_remains(self) -> None:
        for checkout in clear_orphans(self.layout):
            tell(f"removed the cluster of {checkout}, which no longer exists")
        if has_traces(self.layout):
            tell("removing what an earlier cluster of this checkout left behind")
            clear(self.layout)

    def _check_machine(self) -> None:
        found = obstacles()
        if found:
            raise ClusterError("no cluster can be had here:\n" + "\n".join(f"  - {reason}" for reason in found))

    def _new_state(self, nodes: int) -> State:
        return State(boot=boot_id(), subnet=str(free_subnet(self.layout.key)), nodes=nodes)

    def _state(self) -> State | None:
        """Return the state of a cluster that was made since the machine started."""
        content = read_json(self.layout.state / "cluster.json")
        state = None if content is None else State(**content)
        # After a restart nothing of it runs, and etcd did not sync its files: better begin anew.
        return state if state is not None and state.boot == boot_id() else None

    def _existing(self) -> State:
        state = self._state()
        if state is None:
            raise ClusterError("there is no cluster; start one with: python -m tests.cluster up")
        return state

    def _network(self, state: State) -> Network:
        return Network(self.layout.key, IPv4Network(state.subnet))

    def _programs(self, state: State) -> Programs:
        return Programs(self.layout, self._network(state), self._binaries)

    def _nodes(self, state: State) -> tuple[ProcessNode, ...]:
        network, programs = self._network(state), self._programs(state)
        places = map(network.place, range(1, state.nodes + 1))
        return tuple(ProcessNode(place, self.layout, programs, self._supervisor) for place in places)

    def _api(self, network: Network) -> Api:
        return Api(network.place(1).address, API_PORT, self.layout.pki)

    def _server(self, network: Network) -> str:
        return f"https://{network.place(1).address}:{API_PORT}"

    @property
    def _lock(self) -> Path:
        return cache_root() / f"cluster-{self.layout.key}.lock"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if has_traces(self.layout) and os.geteuid() != 0:
            raise ClusterError("the cluster of this checkout belongs to root; run the command as root")
        with exclusive(self._lock, waiting="another command works on this cluster; waiting", tell=tell):
            yield
