"""The cluster's own image: one static program, which is also the sandbox of every pod."""

import os
import tarfile
from pathlib import Path

from tests.cluster.archives import ImageSettings, add_bytes, write_image
from tests.cluster.build import Binaries
from tests.cluster.names import PROBE_IMAGE


def probe_archive(binaries: Binaries) -> Path:
    """Return the image as a docker-archive; it lies beside the program and is written once."""
    program = binaries["probe"]
    archive = program.with_suffix(".tar")
    if not archive.exists():
        # Two checkouts may come here at the same time.
        layer = program.with_suffix(f".{os.getpid()}.layer")
        with tarfile.open(layer, "w") as tar:
            add_bytes(tar, "probe", program.read_bytes(), mode=0o755)
        # A number, so that the kubelet can see that it is not root.
        settings = ImageSettings(names=(PROBE_IMAGE,), entrypoint=("/probe",), command=("pause",), user="65532")
        write_image(archive, [layer], settings, os.uname().machine)
        layer.unlink()
    return archive
