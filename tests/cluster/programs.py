"""The command line of every program of the cluster."""

from dataclasses import dataclass
from typing import Final

from tests.cluster.build import Binaries
from tests.cluster.configuration import node_config, node_data
from tests.cluster.network import SERVICE_RANGE, Network, NodePlace
from tests.cluster.paths import Layout
from tests.cluster.supervision import Program

API_PORT: Final = 6443
_ETCD: Final = "http://127.0.0.1:2379"
_ETCD_PEER: Final = "http://127.0.0.1:2380"

# A lost node shows in half a minute instead of six: the fault tests wait for it.
_TOLERATION_SECONDS: Final = 10
_GRACE_PERIOD: Final = "20s"

# The default of 20 calls a second makes the start 5 s longer and 200 Jobs take half a minute.
_FAST_CLIENT: Final = ("--kube-api-qps=500", "--kube-api-burst=1000")


@dataclass(frozen=True, slots=True)
class Programs:
    """Builds the Program values of one checkout's cluster."""

    layout: Layout
    network: Network
    binaries: Binaries

    def etcd(self) -> Program:
        """Without fsync: a machine that crashes loses a throw-away cluster, and `up` starts a new one."""
        return self._control_plane(
            "etcd",
            f"--data-dir={self.layout.data}/etcd",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            f"--listen-peer-urls={_ETCD_PEER}",
            f"--initial-advertise-peer-urls={_ETCD_PEER}",
            f"--initial-cluster=default={_ETCD_PEER}",
            "--unsafe-no-fsync",
            "--logger=zap",
            "--log-level=warn",
        )

    def api_server(self) -> Program:
        pki, address = self.layout.pki, self.network.place(1).address
        return self._control_plane(
            "kube-apiserver",
            f"--etcd-servers={_ETCD}",
            # Without a default route it cannot find its own address.
            f"--advertise-address={address}",
            "--bind-address=0.0.0.0",
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={pki}/sa.key",
            f"--service-account-key-file={pki}/sa.pub",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            # Nobody resolves a node's name: `kubectl logs` would fail on it.
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            "--allow-privileged=true",
            f"--default-not-ready-toleration-seconds={_TOLERATION_SECONDS}",
            f"--default-unreachable-toleration-seconds={_TOLERATION_SECONDS}",
            f"--audit-policy-file={self.layout.config}/audit-policy.yaml",
            f"--audit-log-path={self.layout.logs}/audit.log",
            "--audit-log-maxsize=200",
            "--audit-log-maxbackup=2",
            "--shutdown-delay-duration=0s",
        )

    def controller_manager(self) -> Program:
        pki = self.layout.pki
        return self._control_plane(
            "kube-controller-manager",
            f"--kubeconfig={pki}/controller-manager.kubeconfig",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--node-monitor-grace-period={_GRACE_PERIOD}",
            "--concurrent-job-syncs=20",
            *_FAST_CLIENT,
        )

    def scheduler(self) -> Program:
        return self._control_plane(
            "kube-scheduler",
            f"--kubeconfig={self.layout.pki}/scheduler.kubeconfig",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            *_FAST_CLIENT,
        )

    def dns(self) -> Program:
        return self._control_plane("coredns", "-conf", str(node_config(self.layout, self.network.place(1), "Corefile")))

    def containerd(self, place: NodePlace) -> Program:
        config = node_config(self.layout, place, "containerd.toml")
        return Program(
            name=f"containerd-{place.name}",
            command=(str(self.binaries["containerd"]), "--config", str(config)),
            namespace=place.namespace,
            search_path=self.binaries.search_path,
            reads=(config,),
        )

    def kubelet(self, place: NodePlace) -> Program:
        config = node_config(self.layout, place, "kubelet.yaml")
        data = node_data(self.layout, place) / "kubelet"
        kubeconfig = self.layout.pki / f"kubelet-{place.name}.kubeconfig"
        return Program(
            name=f"kubelet-{place.name}",
            command=(
                str(self.binaries["kubelet"]),
                f"--config={config}",
                f"--kubeconfig={kubeconfig}",
                f"--hostname-override={place.name}",
                f"--node-ip={place.address}",
                f"--root-dir={data}",
                f"--cert-dir={data}/pki",
            ),
            namespace=place.namespace,
            reads=(config, kubeconfig),
        )

    def kube_proxy(self, place: NodePlace) -> Program:
        config = node_config(self.layout, place, "kube-proxy.yaml")
        return Program(
            name=f"kube-proxy-{place.name}",
            command=(str(self.binaries["kube-proxy"]), f"--config={config}"),
            namespace=place.namespace,
            reads=(config,),
        )

    def _control_plane(self, name: str, *arguments: str) -> Program:
        return Program(
            name=name,
            command=(str(self.binaries[name]), *arguments),
            namespace=self.network.place(1).namespace,
            reads=(self.layout.pki / "complete",),
        )


def node_program_names(place: NodePlace) -> tuple[str, ...]:
    """Return the names of the processes that make up a node."""
    return (f"kubelet-{place.name}", f"kube-proxy-{place.name}", f"containerd-{place.name}")


CONTROL_PLANE_NAMES: Final = ("kube-scheduler", "kube-controller-manager", "coredns", "kube-apiserver", "etcd")
