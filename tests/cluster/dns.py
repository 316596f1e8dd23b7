"""The objects by which pods find the DNS server, which runs as a process and not as a pod."""

from typing import Any, Final

from tests.cluster.api import Api
from tests.cluster.network import SERVICE_DNS

_LABELS: Final = {"kubernetes.io/service-name": "kube-dns"}
_PORTS: Final = (("dns", "UDP"), ("dns-tcp", "TCP"))


def apply_dns(api: Api, address: str) -> None:
    """Make the service kube-dns lead to the DNS server at the address, and let that one read what it serves."""
    for path, content in _objects(address):
        api.apply(path, content)


def _objects(address: str) -> list[tuple[str, dict[str, Any]]]:
    ports = [{"name": name, "port": 53, "protocol": protocol} for name, protocol in _PORTS]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": SERVICE_DNS, "ports": ports},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kube-dns-node", "namespace": "kube-system", "labels": _LABELS},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    read = ["list", "watch"]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}],
    }
    roles = "/apis/rbac.authorization.k8s.io/v1"
    return [
        (f"{roles}/clusterroles/system:coredns", role),
        (f"{roles}/clusterrolebindings/system:coredns", binding),
        ("/api/v1/namespaces/kube-system/services/kube-dns", service),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-node", endpoints),
    ]
