"""What the processes' cluster is built from: one Go module per component, several programs each."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.toolchain import GO_FOLDER, Go

KUBERNETES_VERSION: Final = "1.37.2"
KIND_VERSION: Final = "0.33.0"

_STAMP: Final = "k8s.io/component-base/version"
_KUBERNETES_FLAGS: Final = " ".join(
    f"-X {_STAMP}.{name}={value}"
    for name, value in (
        ("gitVersion", f"v{KUBERNETES_VERSION}"),
        ("gitMajor", "1"),
        ("gitMinor", "37"),
        ("gitTreeState", "clean"),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A Go module of `go/` and the main packages that are built from it, by program name."""

    name: str
    programs: dict[str, str]
    stamp: str = ""
    folder: str = ""

    @property
    def module(self) -> Path:
        return GO_FOLDER / (self.folder or self.name)

    @property
    def link_flags(self) -> str:
        return f"-s -w {self.stamp}".strip()

    def key(self, go: Go) -> str:
        """Return what names this component's binaries: all that goes into them, shortened."""
        content = hashlib.sha256(f"{go.version}\n{self.link_flags}\n{sorted(self.programs.items())}\n".encode())
        for path in sorted((*self.module.glob("go.*"), *self.module.glob("*.go"))):
            content.update(path.name.encode() + b"\0" + path.read_bytes())
        return content.hexdigest()[:16]


def _kubernetes(*names: str) -> dict[str, str]:
    return {name: f"k8s.io/kubernetes/cmd/{name}" for name in names}


def _containerd(*names: str) -> dict[str, str]:
    return {name: f"github.com/containerd/containerd/v2/cmd/{name}" for name in names}


PROBE: Final = Component("probe", {"probe": "."})
KUBERNETES: Final = Component(
    "kubernetes",
    _kubernetes("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
    stamp=_KUBERNETES_FLAGS,
)

KUBECTL: Final = Component("kubectl", _kubernetes("kubectl"), stamp=_KUBERNETES_FLAGS, folder="kubernetes")
KIND: Final = Component("kind", {"kind": "sigs.k8s.io/kind"})

# Quick ones first: a mistake in the set-up shows before the long build.
COMPONENTS: Final = (
    PROBE,
    Component("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Component("containerd", _containerd("containerd", "containerd-shim-runc-v2", "ctr")),
    KUBERNETES,
    Component("coredns", {"coredns": "."}),
)
