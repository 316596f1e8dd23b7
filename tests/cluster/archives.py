"""docker-archive tars: images as files, written without an engine and read back."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# The same content gives the same bytes, and so the same image.
_CREATED: Final = "2026-01-01T00:00:00Z"
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """What an image says about how it is run."""

    names: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = "0"
    environment: Mapping[str, str] = field(default_factory=dict)


def write_image(archive: Path, layers: Sequence[Path], settings: ImageSettings, machine: str) -> None:
    """Write a docker-archive of the layers (uncompressed tars), whole or not at all."""
    digests = [f"sha256:{_file_digest(layer)}" for layer in layers]
    config = json.dumps(_image_config(digests, settings, _MACHINES.get(machine, machine)), sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_names = [f"{digest.removeprefix('sha256:')}.tar" for digest in digests]
    manifest = [{"Config": config_name, "RepoTags": list(settings.names), "Layers": layer_names}]
    partial = archive.with_name(f"{archive.name}.{os.getpid()}.part")
    with tarfile.open(partial, "w") as tar:
        # First, so that a reader who wants only the names does not pass the layers.
        add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
        add_bytes(tar, config_name, config)
        for name, layer in zip(layer_names, layers, strict=True):
            tar.add(layer, arcname=name, filter=_anonymous)
    partial.replace(archive)


def image_names(archive: Path) -> list[str]:
    """Return the names of all images in a docker-archive."""
    return [name for image in _manifest(archive) for name in image["RepoTags"] or []]


def image_ids(archive: Path) -> list[str]:
    """Return the ids (digests of the configuration) of all images in a docker-archive."""
    return [f"sha256:{Path(image['Config']).name.removesuffix('.json')}" for image in _manifest(archive)]


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    """Add a root-owned file without a date to the tar."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def layer_names(archive: Path) -> list[str]:
    """Return the file names of the first image's layers, the lowest first."""
    return [str(name) for name in _manifest(archive)[0]["Layers"]]


def _manifest(archive: Path) -> list[dict[str, Any]]:
    with tarfile.open(archive) as tar:
        member = tar.extractfile("manifest.json")
        assert member is not None, "a docker-archive's manifest is a regular file"
        return list(json.load(member))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _image_config(digests: Sequence[str], settings: ImageSettings, architecture: str) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "os": "linux",
        "created": _CREATED,
        "config": {
            "User": settings.user,
            "Entrypoint": list(settings.entrypoint),
            "Cmd": list(settings.command),
            "Env": [f"{name}={value}" for name, value in sorted(settings.environment.items())],
        },
        "rootfs": {"type": "layers", "diff_ids": list(digests)},
        "history": [{"created": _CREATED} for _ in digests],
    }


def _file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
