"""The same contract through kind, for machines where a Docker engine answers."""

import json
import shutil
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.cluster.archives import image_ids, image_names
from tests.cluster.build import ensure_binaries
from tests.cluster.commands import run
from tests.cluster.components import KIND, KIND_VERSION, KUBECTL
from tests.cluster.configuration import AUDIT_POLICY
from tests.cluster.console import step
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_json
from tests.cluster.paths import Layout
from tests.cluster.waiting import wait_until

# Inside a node's container.
_AUDIT_FOLDER: Final = "/var/log/tracksync-audit"
_POLICY_FILE: Final = "/etc/kubernetes/tracksync/audit-policy.yaml"
_VOLUMES: Final = "/var/local/tracksync"
_SYSTEM_PARTS: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns")
_START_SECONDS: Final = 180

# What the pinned kind writes for its own node image.
_KUBEADM: Final = "kubeadm.k8s.io/v1beta4"


class KindNode:
    """A node, which is a Docker container of the same name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def stop_kubelet(self) -> None:
        run(["docker", "exec", self.name, "systemctl", "stop", "kubelet"])

    def pause(self) -> None:
        run(["docker", "pause", self.name])

    def start(self) -> None:
        state = run(["docker", "inspect", "--format", "{{.State.Status}}", self.name]).strip()
        if state == "paused":
            run(["docker", "unpause", self.name])
        elif state != "running":
            run(["docker", "start", self.name])
        run(["docker", "exec", self.name, "systemctl", "start", "kubelet"])

    def holds(self, image: str) -> bool:
        """Whether the node has an image of that content (a Docker image id)."""
        listed = run(["docker", "exec", self.name, "crictl", "images", "--output", "json", "--no-trunc"])
        return any(known["id"] == image for known in json.loads(listed)["images"])


class KindCluster:
    """Keeps tests.cluster.contract.Cluster with one kind cluster that carries the checkout's key."""

    kind = "kind"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._cluster = f"tracksync-{layout.key}"

    @cached_property
    def _kind(self) -> Path:
        installed = shutil.which("kind")
        # Another version writes other kubeadm settings, which our patches would miss.
        if installed is not None and run([installed, "version", "--quiet"]).strip() == KIND_VERSION:
            return Path(installed)
        return ensure_binaries([KIND])["kind"]

    @cached_property
    def _kubectl(self) -> Path:
        installed = shutil.which("kubectl")
        return Path(installed) if installed else ensure_binaries([KUBECTL])["kubectl"]

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def host_address(self) -> str:
        """Return the gateway of the network that kind's nodes are in."""
        networks = json.loads(run(["docker", "network", "inspect", "kind"]))
        gateways = [entry.get("Gateway", "") for entry in networks[0]["IPAM"]["Config"]]
        for gateway in gateways:
            if "." in gateway:
                return str(gateway)
        raise ClusterError("the Docker network `kind` has no IPv4 gateway")

    def exists(self) -> bool:
        """Whether kind knows a cluster of this name."""
        return self._cluster in run([self._kind, "get", "clusters"]).split()

    def up(self, nodes: int = 1) -> None:
        if self.exists():
            self._adopt(nodes)
        else:
            self._create(nodes)

    def down(self) -> None:
        if self.exists():
            self._empty_volumes()
            run(
                [self._kind, "delete", "cluster", "--name", self._cluster, "--kubeconfig", self.kubeconfig], seconds=180
            )
        shutil.rmtree(self.layout.state, ignore_errors=True)
        if self.layout.state.exists():
            raise ClusterError(f"the cluster is gone, but files of it are left; remove {self.layout.state} as root")

    def running(self) -> bool:
        return self.exists() and self._answers()

    def nodes(self) -> tuple[KindNode, ...]:
        names = run([self._kind, "get", "nodes", "--name", self._cluster]).split()
        # `-control-plane` sorts before `-worker`.
        return tuple(KindNode(name) for name in sorted(names))

    def node(self, name: str) -> KindNode:
        for node in self.nodes():
            if node.name == name:
                return node
        raise ClusterError(f"there is no node {name}")

    def load_image(self, archive: Path) -> None:
        wanted = image_ids(archive)
        lacking = [node.name for node in self.nodes() if not all(map(node.holds, wanted))]
        if lacking:
            with step(f"{image_names(archive)[0]} into {', '.join(lacking)}"):
                command = [self._kind, "load", "image-archive", archive, "--name", self._cluster]
                run([*command, "--nodes", ",".join(lacking)], seconds=600)

    def local_volume(self, name: str) -> str:
        folder = self.layout.volumes / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        return f"{_VOLUMES}/{name}"

    def api_restart(self) -> None:
        first = self.nodes()[0].name
        found = run(["docker", "exec", first, "crictl", "ps", "--quiet", "--name", "^kube-apiserver$"]).split()
        for container in found:
            # The kubelet starts it again: it is a static pod.
            run(["docker", "exec", first, "crictl", "stop", "--timeout", "0", container])
        self._wait_for_api()

    def logs(self, component: str) -> str:
        if component == "audit":
            return run(["docker", "exec", self.nodes()[0].name, "cat", f"{_AUDIT_FOLDER}/audit.log"])
        if component in {"kubelet", "containerd"}:
            commands = [["docker", "exec", node.name, "journalctl", "--unit", component] for node in self.nodes()]
            return "".join(run(command) for command in commands)
        if component not in _SYSTEM_PARTS:
            raise ClusterError(f"no log of {component}; there are: {', '.join(('audit', 'kubelet', *_SYSTEM_PARTS))}")
        label = "k8s-app=kube-dns" if component == "coredns" else f"component={component}"
        selector = "k8s-app=kube-proxy" if component == "kube-proxy" else label
        return self.kubectl("--namespace", "kube-system", "logs", "--selector", selector, "--tail=-1")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return run(self.kubectl_command(*arguments), stdin=stdin, seconds=300)

    def kubectl_command(self, *arguments: str) -> tuple[str, ...]:
        return (str(self._kubectl), f"--kubeconfig={self.kubeconfig}", *arguments)

    def _create(self, nodes: int) -> None:
        for folder in (self.layout.state, self.layout.config, self.layout.volumes):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(self.layout.config / "audit-policy.yaml", AUDIT_POLICY)
        config = self.layout.config / "kind.yaml"
        write_json(config, kind_config(self.layout, nodes))
        command = [self._kind, "create", "cluster", "--name", self._cluster, "--config", config]
        # The kubeconfig option keeps kind away from the user's own file.
        with step("kind create cluster"):
            run([*command, "--kubeconfig", self.kubeconfig, "--wait", f"{_START_SECONDS}s"], seconds=900)
        self.kubeconfig.chmod(0o600)
        write_json(self.layout.state / "kind.json", {"nodes": nodes})

    def _empty_volumes(self) -> None:
        """Remove what pods wrote: as other users than the one who runs this."""
        for node in self.nodes()[:1]:
            with suppress(ClusterError):
                node.start()
                run(["docker", "exec", node.name, "find", _VOLUMES, "-mindepth", "1", "-delete"])

    def _adopt(self, nodes: int) -> None:
        known = read_json(self.layout.state / "kind.json")
        if known is None:
            # A harness that was killed while kind was creating it left half a cluster.
            self.down()
            self._create(nodes)
            return
        if known["nodes"] < nodes:
            raise ClusterError("kind cannot add a node; first run: python -m tests.cluster down")
        for node in self.nodes():
            node.start()
        export = [self._kind, "export", "kubeconfig", "--name", self._cluster]
        run([*export, "--kubeconfig", self.kubeconfig])
        self.kubeconfig.chmod(0o600)
        self._wait_for_api()
        self.kubectl("wait", "node", "--all", "--for=condition=Ready", f"--timeout={_START_SECONDS}s")

    def _wait_for_api(self) -> None:
        if not wait_until(self._answers, seconds=_START_SECONDS, every=0.5):
            raise ClusterError(f"the API server does not answer; see: docker logs {self.nodes()[0].name}")

    def _answers(self) -> bool:
        try:
            return self.kubectl("get", "--raw", "/readyz", "--request-timeout=3s").strip() == "ok"
        except ClusterError:
            return False


def kind_config(layout: Layout, nodes: int) -> dict[str, Any]:
    """Return kind's configuration: the nodes, the folder for volumes, and the API server's audit log."""
    control_plane = {
        "role": "control-plane",
        "extraMounts": [
            {"hostPath": str(layout.volumes), "containerPath": _VOLUMES},
            {"hostPath": str(layout.config / "audit-policy.yaml"), "containerPath": _POLICY_FILE, "readOnly": True},
        ],
        "kubeadmConfigPatches": [json.dumps(patch) for patch in (_components_patch(), _TAINTS_PATCH)],
    }
    workers = [{"role": "worker"} for _ in range(nodes - 1)]
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [control_plane, *workers]}


# With a worker kubeadm would keep pods off the control plane; here every node takes them.
_TAINTS_PATCH: Final[dict[str, Any]] = {
    "apiVersion": _KUBEADM,
    "kind": "InitConfiguration",
    "nodeRegistration": {"taints": []},
}


def _components_patch() -> dict[str, Any]:
    api_flags = {
        "audit-policy-file": _POLICY_FILE,
        "audit-log-path": f"{_AUDIT_FOLDER}/audit.log",
        "default-not-ready-toleration-seconds": "10",
        "default-unreachable-toleration-seconds": "10",
    }
    manager_flags = {"node-monitor-grace-period": "20s"}
    policy = {
        "name": "audit-policy",
        "hostPath": _POLICY_FILE,
        "mountPath": _POLICY_FILE,
        "readOnly": True,
        "pathType": "File",
    }
    log = {"name": "audit-log", "hostPath": _AUDIT_FOLDER, "mountPath": _AUDIT_FOLDER, "pathType": "DirectoryOrCreate"}
    return {
        "apiVersion": _KUBEADM,
        "kind": "ClusterConfiguration",
        "apiServer": {"extraArgs": _named(api_flags), "extraVolumes": [policy, log]},
        "controllerManager": {"extraArgs": _named(manager_flags)},
    }


def _named(flags: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in flags.items()]
