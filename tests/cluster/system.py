"""What the machine has to offer: programs, rights, kernel features; what is missing is named or installed."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.commands import run, succeeds
from tests.cluster.console import step, tell
from tests.cluster.errors import ClusterError

_SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CNI_FOLDERS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))


@dataclass(frozen=True, slots=True)
class Need:
    """A program that the cluster calls, the Debian package that brings it, and what it is for."""

    program: str
    package: str
    purpose: str


CLUSTER_NEEDS: Final = (
    Need("runc", "runc", "starts containers"),
    Need("ptp", "containernetworking-plugins", "connects pods to the network"),
    Need("host-local", "containernetworking-plugins", "gives pods their addresses"),
    Need("nft", "nftables", "translates service addresses"),
    Need("conntrack", "conntrack", "forgets connections to pods that are gone"),
    Need("ip", "iproute2", "makes the network"),
    Need("nsenter", "util-linux", "enters the network"),
)
IMAGE_NEEDS: Final = (
    Need("buildah", "buildah", "builds images from the Dockerfile"),
    Need("dpkg-deb", "dpkg", "unpacks Debian packages into base images"),
)


def docker_answers() -> bool:
    """Whether a Docker engine answers; an installed client alone does not count."""
    return shutil.which("docker") is not None and succeeds(
        ["docker", "info", "--format", "{{.ServerVersion}}"], seconds=10
    )


def find_program(name: str) -> Path | None:
    """Return where a program is, also one that is not on the PATH of an ordinary user."""
    folders = [*map(str, CNI_FOLDERS), _SEARCH_PATH]
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
    return None if found is None else Path(found)


def obstacles() -> list[str]:
    """Return why no cluster can be had on this machine; empty when one can.

    Missing packages are no obstacle where they can be installed.
    """
    if docker_answers():
        return []
    found = [reason for reason in (_not_linux(), _not_root()) if reason]
    if not found:
        found = [reason for reason in (_no_namespaces(), _no_overlay(), _no_cgroups(), _no_packages()) if reason]
    return ["no Docker engine answers (`docker info` fails), so kind cannot be used", *found] if found else []


def ensure_programs(needs: Sequence[Need] = CLUSTER_NEEDS) -> None:
    """Install the packages of the programs that are missing; says which.

    Raises:
        ClusterError: they are missing and cannot be installed here; names them and the command.
    """
    missing = [need for need in needs if find_program(need.program) is None]
    if not missing:
        return
    packages = sorted({need.package for need in missing})
    if not _can_install():
        lacking = ", ".join(f"{need.program} ({need.purpose})" for need in missing)
        raise ClusterError(f"missing: {lacking}; as root, run: apt-get install {' '.join(packages)}")
    tell(f"installing Debian packages: {' '.join(packages)}")
    with step("apt-get install"):
        _install(packages)
    still = [need.program for need in missing if find_program(need.program) is None]
    if still:
        raise ClusterError(f"{', '.join(still)} are still missing after installing {' '.join(packages)}")


def refresh_package_lists() -> None:
    """Fetch the package lists again: a machine's image may have none, or old ones."""
    run(["apt-get", "update", "--quiet"], seconds=300)


def _install(packages: Sequence[str]) -> None:
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(command, environment=quiet, seconds=900)
    except ClusterError:
        refresh_package_lists()
        run(command, environment=quiet, seconds=900)


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _not_linux() -> str | None:
    if os.uname().sysname == "Linux":
        return None
    return "the cluster without Docker needs Linux; start a Docker engine instead"


def _not_root() -> str | None:
    if os.geteuid() == 0:
        return None
    return "you are not root; run the command as root, or start a Docker engine that you may use"


def _no_namespaces() -> str | None:
    if succeeds(["unshare", "--mount", "--net", "--pid", "--fork", "true"]):
        return None
    return "the kernel refuses new namespaces (mount, network, process); a container needs `--privileged` for them"


def _no_overlay() -> str | None:
    if "\toverlay\n" in Path("/proc/filesystems").read_text() or succeeds(["modprobe", "overlay"]):
        return None
    return "the kernel has no overlay file system (CONFIG_OVERLAY_FS)"


def _no_cgroups() -> str | None:
    if succeeds(["test", "-w", "/sys/fs/cgroup"]) and any(Path("/sys/fs/cgroup").iterdir()):
        return None
    return "/sys/fs/cgroup is not mounted or is read-only, so pods cannot be given their resources"


def _no_packages() -> str | None:
    missing = sorted({need.package for need in (*CLUSTER_NEEDS, *IMAGE_NEEDS) if find_program(need.program) is None})
    if not missing or _can_install():
        return None
    return f"these packages are missing and there is no apt-get to install them: {' '.join(missing)}"
