"""How large the layers are that an image of ours adds to its base."""

import gzip
import tarfile
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from tests.cluster.archives import layer_names
from tests.cluster.files import read_json, write_json

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class LayersSize:
    """Bytes, as they lie in the image and as they are sent (gzip)."""

    unpacked: int
    packed: int

    @override
    def __str__(self) -> str:
        return (
            f"{self.unpacked / 1e6:.0f} MB unpacked, {self.packed / 1e6:.0f} MB packed "
            "in the layers that it adds to its base"
        )


def added_layers(archive: Path, count: int) -> LayersSize:
    """Return the size of the last `count` layers of a docker-archive."""
    sizes = [_sizes(archive, name) for name in layer_names(archive)[-count:]]
    return LayersSize(*(sum(size[part] for size in sizes) for part in ("unpacked", "packed")))


def _sizes(archive: Path, layer: str) -> dict[str, int]:
    """Return a layer's two sizes; packing takes seconds, so they are kept under the layer's name, its digest."""
    record = archive.with_name("layer-sizes.json")
    known = read_json(record) or {}
    if layer not in known:
        known[layer] = _measured(archive, layer)
        write_json(record, known)
    return dict(known[layer])


def _measured(archive: Path, layer: str) -> dict[str, int]:
    counter = _Counter()
    unpacked = 0
    with tarfile.open(archive) as tar, gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6) as packer:
        content = tar.extractfile(layer)
        assert content is not None, "a layer is a regular file"
        while chunk := content.read(_CHUNK):
            unpacked += len(chunk)
            packer.write(chunk)
    return {"unpacked": unpacked, "packed": counter.count}


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, data: bytes) -> int:
        self.count += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""
