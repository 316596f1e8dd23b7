"""Building an image from a folder with a Dockerfile: by a Docker engine where one answers, else by buildah."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.system import IMAGE_NEEDS, docker_answers, ensure_programs

# The date of every file and layer, so that the same input gives the same image. Python's zip files begin in 1980.
BUILD_DATE = "315532800"
_SECONDS = 1200
_MOST_STEPS = 200


class Builder(Protocol):
    """What builds images and writes them as docker-archive files."""

    @property
    def is_docker(self) -> bool:
        """Whether public images can be had."""
        ...

    def has(self, name: str) -> bool:
        """Whether an image of that name was built here."""
        ...

    def build(self, context: Path, name: str, arguments: Mapping[str, str] | None = None) -> None:
        """Build the folder's Dockerfile, without a network inside."""
        ...

    def save(self, name: str, archive: Path) -> None:
        """Write the image as a docker-archive, whole or not at all."""
        ...

    def trim(self) -> None:
        """Keep what earlier builds left within bounds."""
        ...


def select_builder(storage: Path) -> Builder:
    """Return the builder of this machine; installs buildah where it is needed and missing."""
    if docker_answers():
        return DockerBuilder()
    ensure_programs(IMAGE_NEEDS)
    return BuildahBuilder(storage)


@dataclass(frozen=True, slots=True)
class DockerBuilder:
    """Builds by the Docker engine."""

    is_docker: bool = True

    def has(self, name: str) -> bool:
        return bool(run(["docker", "images", "--quiet", name]).strip())

    def build(self, context: Path, name: str, arguments: Mapping[str, str] | None = None) -> None:
        command = ["docker", "build", "--quiet", "--network", "none", "--tag", name, *_build_arguments(arguments)]
        run([*command, str(context)], environment={"SOURCE_DATE_EPOCH": BUILD_DATE}, seconds=_SECONDS)

    def save(self, name: str, archive: Path) -> None:
        partial = archive.with_suffix(".part")
        run(["docker", "save", "--output", str(partial), name], seconds=_SECONDS)
        partial.replace(archive)

    def trim(self) -> None:
        """The engine's storage is its owner's business."""

    def pull(self, public: str, name: str) -> None:
        """Fetch a public image and give it our name."""
        run(["docker", "pull", "--quiet", public], seconds=_SECONDS)
        run(["docker", "tag", public, name])


@dataclass(frozen=True, slots=True)
class BuildahBuilder:
    """Builds by buildah with a storage of its own; needs root, but no engine and no registry."""

    storage: Path
    is_docker: bool = False

    def has(self, name: str) -> bool:
        try:
            self._buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", name)
        except ClusterError:
            return False
        return True

    def build(self, context: Path, name: str, arguments: Mapping[str, str] | None = None) -> None:
        # Layers that came out the same are taken from the storage: unchanged dependencies cost nothing.
        how = ("--isolation", "chroot", "--layers", "--pull-never", "--timestamp", BUILD_DATE)
        self._buildah("bud", *how, "--tag", name, *_build_arguments(arguments), str(context))

    def save(self, name: str, archive: Path) -> None:
        partial = archive.with_suffix(".part")
        partial.unlink(missing_ok=True)
        self._buildah("push", name, f"docker-archive:{partial}:{name}")
        partial.replace(archive)

    def trim(self) -> None:
        """Empty the storage once it holds the steps of some thirty builds; the next build takes half a minute."""
        if len(self._buildah("images", "--all", "--quiet").split()) > _MOST_STEPS:
            self._buildah("rmi", "--all", "--force")

    def _buildah(self, *arguments: str) -> str:
        storage = ("--root", self.storage / "layers", "--runroot", self.storage / "run", "--storage-driver", "overlay")
        return run(["buildah", *storage, *arguments], seconds=_SECONDS)


def _build_arguments(arguments: Mapping[str, str] | None) -> list[str]:
    return [part for name, value in (arguments or {}).items() for part in ("--build-arg", f"{name}={value}")]
