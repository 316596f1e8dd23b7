"""The configuration files of the cluster's programs; each one is a value here and a file in the state folder."""

from pathlib import Path
from typing import Any, Final

from tests.cluster.files import write_file, write_json
from tests.cluster.names import PROBE_IMAGE
from tests.cluster.network import POD_RANGE, SERVICE_DNS, NodePlace
from tests.cluster.paths import Layout

CLUSTER_DOMAIN: Final = "cluster.local"
_CNI_PROGRAMS: Final = "/usr/lib/cni"

AUDIT_POLICY: Final[dict[str, Any]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    # Who did what: enough to compare with the RBAC rules, without the cluster's own chatter.
    "rules": [
        {"level": "None", "userGroups": ["system:nodes"]},
        {
            "level": "None",
            "users": [f"system:{name}" for name in ("kube-scheduler", "kube-proxy", "coredns", "apiserver")],
        },
        {"level": "None", "users": ["system:kube-controller-manager"]},
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/openapi*", "/version"]},
        {"level": "Metadata"},
    ],
}

# CNI's bridge plug-in would need the kernel to filter bridged packets (or a pod never sees the
# translated answer of a pod beside it); with ptp every packet is routed, which needs nothing.
_CNI_PLUGIN: Final = "ptp"


def containerd_socket(layout: Layout, place: NodePlace) -> Path:
    """Return the short path under which a node's containerd listens."""
    return layout.sockets / place.name / "containerd.sock"


def node_data(layout: Layout, place: NodePlace) -> Path:
    """Return the folder of what grows on a node: images, containers, the pods' files."""
    return layout.data / place.name


def node_config(layout: Layout, place: NodePlace, name: str) -> Path:
    """Return the path of one of a node's configuration files."""
    return layout.config / place.name / name


def write_cluster_config(layout: Layout) -> None:
    """Write the files that exist once for the cluster."""
    layout.config.mkdir(parents=True, exist_ok=True)
    write_json(layout.config / "audit-policy.yaml", AUDIT_POLICY)


def write_node_config(layout: Layout, place: NodePlace, runc: str) -> None:
    """Write the files of one node."""
    folder = layout.config / place.name
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    write_file(folder / "containerd.toml", _containerd(layout, place, runc))
    write_json(folder / "cni" / "10-tracksync.conflist", _cni(layout, place))
    # Nothing outside can be asked for a name; the host's own resolvers would only time out.
    write_file(folder / "resolv.conf", "nameserver 127.0.0.1\n")
    write_json(folder / "kubelet.yaml", _kubelet(layout, place))
    write_json(folder / "kube-proxy.yaml", _kube_proxy(layout, place))
    write_file(folder / "Corefile", _corefile(layout, place))


def _containerd(layout: Layout, place: NodePlace, runc: str) -> str:
    sockets = layout.sockets / place.name
    return f"""version = 3
root = "{node_data(layout, place)}/containerd"
state = "{sockets}/containerd"

[grpc]
  address = "{containerd_socket(layout, place)}"
[ttrpc]
  address = "{containerd_socket(layout, place)}.ttrpc"

[plugins."io.containerd.nri.v1.nri"]
  # Its socket has one fixed name on the machine, and nothing here uses it.
  disable = true

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PROBE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
  # A root without CAP_SYS_RESOURCE may not lower the score, and every sandbox would die of it.
  restrict_oom_score_adj = true
  # Below our own folder, so that the pods' namespaces can be told from other people's.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{_CNI_PROGRAMS}"]
    conf_dir = "{node_config(layout, place, "cni")}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
      BinaryName = "{runc}"
"""


def _cni(layout: Layout, place: NodePlace) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": place.pod_range}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        # Below /run like the pods' namespaces: after a restart of the machine both are gone.
        "dataDir": str(layout.sockets / place.name / "addresses"),
    }
    plugin = {"type": _CNI_PLUGIN, "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "tracksync", "plugins": [plugin]}


def _kubelet(layout: Layout, place: NodePlace) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{pod_group(place)}",
        "containerRuntimeEndpoint": f"unix://{containerd_socket(layout, place)}",
        "clusterDNS": [SERVICE_DNS],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": str(node_config(layout, place, "resolv.conf")),
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / f"kubelet-{place.name}.crt"),
        "tlsPrivateKeyFile": str(layout.pki / f"kubelet-{place.name}.key"),
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "podLogsDir": str(layout.logs / f"pods-{place.name}"),
        # An image that was loaded by hand cannot be pulled again, so it must never be collected.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
    }


def _kube_proxy(layout: Layout, place: NodePlace) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.pki / "kube-proxy.kubeconfig")},
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        # Zero means: leave the machine's settings alone.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "hostnameOverride": place.name,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def _corefile(layout: Layout, place: NodePlace) -> str:
    return f""".:53 {{
  bind {place.address} 127.0.0.1
  errors
  health 127.0.0.1:8080
  ready 127.0.0.1:8181
  cache 5
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
    kubeconfig {layout.pki}/coredns.kubeconfig
    pods insecure
    ttl 5
  }}
  reload
}}
"""


def pod_group(place: NodePlace) -> str:
    """Return the cgroup that holds all pods of a node."""
    return f"tracksync-{place.key}-{place.name}"
