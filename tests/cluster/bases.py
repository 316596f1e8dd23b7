"""Images made of Debian's packages, for machines without a Docker engine: the base of ours, and PostgreSQL."""

import hashlib
import platform
import shutil
from pathlib import Path
from typing import Final

from tests.cluster import debian
from tests.cluster.builders import Builder
from tests.cluster.console import step
from tests.cluster.files import read_json, write_json
from tests.cluster.names import POSTGRES_UID

_IMAGES: Final = Path(__file__).with_name("images")

_COMPILE: Final = (
    "import compileall, py_compile, sysconfig; "
    "compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=2, "
    "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
)
"""Debian compiles the standard library after unpacking. Without that every start does, as the root is read-only."""
_BASE: Final = f"""FROM scratch
COPY root /
RUN ["/usr/bin/python3", "-c", "{_COMPILE}"]
ENV PATH=/usr/local/bin:/usr/bin LC_ALL=C.UTF-8
"""
_POSTGRES: Final = f"""ARG BASE_IMAGE
FROM ${{BASE_IMAGE}}
COPY root /
COPY postgres_entrypoint.py /
ENV PGDATA=/var/lib/postgresql/data
USER {POSTGRES_UID}:{POSTGRES_UID}
# Disconnects clients instead of waiting for them.
STOPSIGNAL SIGINT
ENTRYPOINT ["python3", "/postgres_entrypoint.py"]
"""


def packages_key(*more: str) -> str:
    """Return what the images here depend on: how they are made, and the distribution and its release.

    Not the packages' versions: an update of one must not make everybody build anew in the middle of work.
    """
    release = platform.freedesktop_os_release()
    parts = [release.get("ID", ""), release.get("VERSION_ID", ""), platform.machine(), *more]
    source = Path(debian.__file__).read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(repr(parts).encode() + source).hexdigest()[:16]


def ensure_base(builder: Builder, folder: Path) -> tuple[str, str]:
    """Return the base image's name and its Python's version; builds it when this machine has none yet."""
    key = packages_key()
    name, record = f"localhost/tracksync-base:{key}", folder / f"base-{key}.json"
    known = read_json(record)
    if known is None or not builder.has(name):
        with step("base image from Debian's packages"):
            context = folder / "base-context"
            debian.unpack_packages(debian.BASE_REQUEST, context / "root")
            known = {"python": debian.complete_base(context / "root")}
            (context / "Dockerfile").write_text(_BASE)
            builder.build(context, name)
            shutil.rmtree(context)
            write_json(record, known)
    return name, str(known["python"])


def postgres_key() -> str:
    """Return what the PostgreSQL image depends on."""
    return packages_key((_IMAGES / "postgres_entrypoint.py").read_text())


def build_postgres(builder: Builder, folder: Path, name: str) -> None:
    """Build PostgreSQL on top of the base image."""
    base, _ = ensure_base(builder, folder)
    context = folder / "postgres-context"
    debian.unpack_packages(debian.POSTGRES_REQUEST, context / "root", without=debian.BASE_REQUEST)
    shutil.rmtree(context / "root/etc", ignore_errors=True)
    _link_programs(context / "root")
    shutil.copy(_IMAGES / "postgres_entrypoint.py", context)
    (context / "Dockerfile").write_text(_POSTGRES)
    builder.build(context, name, {"BASE_IMAGE": base})
    shutil.rmtree(context)


def _link_programs(root: Path) -> None:
    """Put psql, pg_isready and the others on the PATH, as the public image has them; the version is Debian's."""
    folder = root / "usr/local/bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in (root / "usr/lib/postgresql").glob("*/bin/*"):
        (folder / program.name).symlink_to(f"/{program.relative_to(root)}")
