"""The contract that every kind of cluster keeps; what stands above it does not know which one it runs on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Node(Protocol):
    """One machine of the cluster and the faults that it can have."""

    @property
    def name(self) -> str:
        """The name as `kubectl get nodes` shows it."""
        ...

    def stop_kubelet(self) -> None:
        """Stop the kubelet; pods keep running, and the node becomes NotReady in about 20 s."""
        ...

    def pause(self) -> None:
        """Freeze the node with its pods, as a hung machine does."""
        ...

    def start(self) -> None:
        """Undo `stop_kubelet` and `pause`; returns once the kubelet runs, Ready follows."""
        ...


class Cluster(Protocol):
    """A real Kubernetes of this checkout's own. Every method raises ClusterError with a remedy."""

    @property
    def kind(self) -> str:
        """`processes` or `kind`."""
        ...

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig file (mode 0600) inside the checkout; never the user's own."""
        ...

    @property
    def host_address(self) -> str:
        """The host's address as pods reach it; a test's own server listens there."""
        ...

    def up(self, nodes: int = 1) -> None:
        """Make a healthy cluster with at least that many nodes; quick when there is one already.

        Adopts what a killed harness left behind, or clears it away.
        """
        ...

    def down(self) -> None:
        """Remove the cluster with everything in it; nothing of it is left on the machine."""
        ...

    def exists(self) -> bool:
        """Whether there is a cluster, be it healthy or not."""
        ...

    def running(self) -> bool:
        """Whether the cluster exists and its API server answers."""
        ...

    def nodes(self) -> Sequence[Node]:
        """The nodes, the control plane's first."""
        ...

    def node(self, name: str) -> Node:
        """The node of that name."""
        ...

    def load_image(self, archive: Path) -> None:
        """Make the images of a docker-archive tar available on every node, under their names.

        Pods then use them with `imagePullPolicy: Never` or `IfNotPresent`. Does nothing on nodes
        that hold the same archive already.
        """
        ...

    def local_volume(self, name: str) -> str:
        """Create (if need be) a folder on the first node that every user may write; return its path there.

        The path is meant for a `local` PersistentVolume with affinity to the first node. The folder
        lives as long as the cluster.
        """
        ...

    def api_restart(self) -> None:
        """Kill the API server and start it again; returns when it answers."""
        ...

    def logs(self, component: str) -> str:
        """The log of a part, such as `kube-apiserver` or `kubelet`; `audit` is the API server's audit log."""
        ...

    def kubectl_command(self, *arguments: str) -> tuple[str, ...]:
        """The command line that runs kubectl against this cluster, for whoever runs it on a terminal."""
        ...

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl against this cluster and return its standard output."""
        ...
