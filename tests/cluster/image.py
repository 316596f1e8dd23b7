"""The images of the cluster: ours from operator/Dockerfile, and PostgreSQL; built only when their inputs changed."""

import gzip
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.cluster.commands import run
from tests.cluster.console import step, tell
from tests.cluster.debian import POSTGRES_PACKAGES, PYTHON_PACKAGES, complete_root, packages_key, unpack_packages
from tests.cluster.errors import ClusterError
from tests.cluster.locking import exclusive
from tests.cluster.names import POSTGRES_IMAGE, PUBLIC_BASE_IMAGE, PUBLIC_POSTGRES_IMAGE, TRACKSYNC_IMAGE
from tests.cluster.paths import CHECKOUT, cache_root
from tests.cluster.system import docker_answers

_OPERATOR: Final = CHECKOUT / "operator"
_IMAGES: Final = Path(__file__).with_name("images")
_PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
_OUR_LAYERS: Final = 2
"""Dependencies and application; everything below them is the base."""


def build_images() -> tuple[Path, ...]:
    """Return docker-archive files of both images; builds what is missing, a second call takes no time.

    Raises:
        ClusterError: a tool is missing or a build failed; the remedy is named.
    """
    folder = cache_root() / "images"
    folder.mkdir(exist_ok=True)
    with exclusive(folder / "images.lock", waiting="another build of the images runs; waiting", tell=tell):
        return build_tracksync(folder), build_postgres(folder)


def build_tracksync(folder: Path) -> Path:
    """Return the archive of our image."""
    inputs = [CHECKOUT / "pyproject.toml", _OPERATOR / "requirements.lock", _OPERATOR / "Dockerfile"]
    inputs += [*(_OPERATOR / "image").glob("*.py"), *(_OPERATOR / "src").rglob("*")]
    archive = folder / f"tracksync-{_key(inputs, _base_key())}.tar"
    if not archive.exists():
        with step("image tracksync") as advance:
            advance(0, 0, "wheels")
            context = _context(folder)
            advance(1, 0, "building")
            _build(context, archive, TRACKSYNC_IMAGE, build_argument=f"BASE_IMAGE={_base_image(folder)}")
        _forget_others(folder, archive, "tracksync-*.tar")
        _tell_sizes(archive)
    return archive


def build_postgres(folder: Path) -> Path:
    """Return the archive of the PostgreSQL image: the public one, or Debian's packages."""
    if docker_answers():
        archive = folder / f"postgres-{hashlib.sha256(PUBLIC_POSTGRES_IMAGE.encode()).hexdigest()[:16]}.tar"
        if not archive.exists():
            with step("image postgres"):
                run(["docker", "pull", "--quiet", PUBLIC_POSTGRES_IMAGE], seconds=900)
                run(["docker", "tag", PUBLIC_POSTGRES_IMAGE, POSTGRES_IMAGE])
                run(["docker", "save", "--output", archive, POSTGRES_IMAGE], seconds=300)
        return archive
    packages = (*PYTHON_PACKAGES, *POSTGRES_PACKAGES)
    entrypoint = _IMAGES / "postgres_entrypoint.py"
    archive = folder / f"postgres-{_key([entrypoint], packages_key(packages))}.tar"
    if not archive.exists():
        with step("image postgres"):
            context = _fresh(folder / "postgres-context")
            root = context / "root"
            unpack_packages(packages, root)
            complete_root(root)
            shutil.rmtree(root / "usr/lib/postgresql/15/lib/bitcode", ignore_errors=True)
            shutil.copy(entrypoint, root / "postgres_entrypoint.py")
            (context / "Dockerfile").write_text(
                "FROM scratch\nCOPY root /\nUSER 999:999\n"
                "ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin LC_ALL=C.UTF-8\n"
                'ENTRYPOINT ["python3", "/postgres_entrypoint.py"]\n'
            )
            _build(context, archive, POSTGRES_IMAGE)
            shutil.rmtree(context)
        _forget_others(folder, archive, "postgres-*.tar")
    return archive


def _key(inputs: Iterable[Path], *more: str) -> str:
    content = hashlib.sha256(repr(more).encode())
    for path in sorted(path for path in inputs if path.is_file() and "__pycache__" not in path.parts):
        content.update(os.fsencode(path.relative_to(CHECKOUT)) + b"\0" + path.read_bytes())
    return content.hexdigest()[:16]


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _context(folder: Path) -> Path:
    """Return a build context with checked wheels of the dependencies and our own wheel."""
    context = _fresh(folder / "tracksync-context")
    shutil.copytree(_wheelhouse(folder), context / "wheels", copy_function=os.link)
    shutil.copy(_OPERATOR / "image" / "install.py", context)
    shutil.copy(_OPERATOR / "Dockerfile", context)
    wheel = [*_PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--wheel-dir", context / "application"]
    run([*wheel, CHECKOUT], environment={"SOURCE_DATE_EPOCH": "315532800"})
    return context


def _wheelhouse(folder: Path) -> Path:
    """Return the folder with the wheels of operator/requirements.lock for the image's Python, hashes checked."""
    lock = _OPERATOR / "requirements.lock"
    wheels = folder / f"wheels-{_key([lock])}"
    if not wheels.exists():
        machine = platform.machine()
        platforms = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
        partial = _fresh(wheels.with_suffix(".part"))
        target = ("--python-version=3.11", "--implementation=cp", "--abi=cp311", *platforms)
        download = [*_PIP, "download", "--require-hashes", "--no-deps", "--only-binary=:all:", *target]
        run([*download, "--dest", partial, "--requirement", lock], seconds=900)
        partial.rename(wheels)
    return wheels


def _base_key() -> str:
    return PUBLIC_BASE_IMAGE if docker_answers() else packages_key(PYTHON_PACKAGES)


def _base_image(folder: Path) -> str:
    """Return the name of the base: the public image, or one made of Debian's packages."""
    if docker_answers():
        return PUBLIC_BASE_IMAGE
    name = f"localhost/tracksync-base:{_base_key()}"
    if name not in _buildah(folder, "images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        context = _fresh(folder / "base-context")
        unpack_packages(PYTHON_PACKAGES, context / "root")
        complete_root(context / "root")
        (context / "Dockerfile").write_text("FROM scratch\nCOPY root /\nENV PATH=/usr/bin LC_ALL=C.UTF-8\n")
        _buildah(folder, "bud", "--isolation", "chroot", "--tag", name, context)
        shutil.rmtree(context)
    return name


def _build(context: Path, archive: Path, name: str, *, build_argument: str = "") -> None:
    arguments = ("--build-arg", build_argument) if build_argument else ()
    partial = archive.with_suffix(".part")
    partial.unlink(missing_ok=True)
    if docker_answers():
        run(["docker", "build", "--quiet", "--tag", name, *arguments, context], seconds=1200)
        run(["docker", "save", "--output", partial, name], seconds=300)
    else:
        folder = archive.parent
        _buildah(folder, "bud", "--isolation", "chroot", "--layers", "--timestamp", "315532800", "--tag", name, *arguments, context)
        _buildah(folder, "push", name, f"docker-archive:{partial}:{name}")
    partial.rename(archive)


def _buildah(folder: Path, *arguments: str | Path) -> str:
    storage = ("--root", folder / "storage", "--runroot", folder / "storage-run", "--storage-driver", "overlay")
    return run(["buildah", *storage, *arguments], seconds=1200)


def _forget_others(folder: Path, archive: Path, pattern: str) -> None:
    for other in folder.glob(pattern):
        if other != archive:
            other.unlink()


def _tell_sizes(archive: Path) -> None:
    """Print the size of the layers that we add, unpacked and packed."""
    unpacked = _fresh(archive.with_suffix(".layers"))
    try:
        shutil.unpack_archive(archive, unpacked, "tar")
        manifest = json.loads((unpacked / "manifest.json").read_text())
        layers = [(unpacked / name).read_bytes() for name in manifest[0]["Layers"][-_OUR_LAYERS:]]
    except (OSError, KeyError, ValueError) as error:
        raise ClusterError(f"{archive} is not a docker-archive: {error}; delete it and build again") from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    packed = sum(len(gzip.compress(layer, compresslevel=6)) for layer in layers)
    total = sum(len(layer) for layer in layers)
    tell(f"  layers that TrackSync adds: {total / 1e6:.0f} MB unpacked, {packed / 1e6:.0f} MB packed")
