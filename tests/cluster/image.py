"""The images of the cluster: ours from operator/Dockerfile, and PostgreSQL; built only when their inputs changed."""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.cluster.bases import build_postgres, ensure_base, packages_key, postgres_key
from tests.cluster.builders import BUILD_DATE, Builder, DockerBuilder, select_builder
from tests.cluster.commands import run
from tests.cluster.console import step, tell
from tests.cluster.layers import added_layers
from tests.cluster.locking import exclusive
from tests.cluster.names import POSTGRES_IMAGE, PUBLIC_BASE_IMAGE, PUBLIC_POSTGRES_IMAGE, TRACKSYNC_IMAGE
from tests.cluster.paths import CHECKOUT, cache_root

_OPERATOR: Final = CHECKOUT / "operator"
_PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
_PUBLIC_PYTHON: Final = "3.11"

# The Dockerfile's last stage adds the dependencies and the application; what is below them is the base.
OUR_LAYERS: Final = 2

# A few, because several checkouts share the cache.
_KEPT: Final = 3


def build_images() -> tuple[Path, ...]:
    """Return docker-archive files of all images; builds what is missing, a second call takes no time.

    Raises:
        ClusterError: a tool is missing or a build failed; the remedy is named.
    """
    folder = cache_root() / "images"
    with exclusive(folder / "lock", waiting="another build of the images runs; waiting", tell=tell):
        builder = select_builder(folder / "storage")
        return _tracksync(builder, folder), _postgres(builder, folder)


def _tracksync(builder: Builder, folder: Path) -> Path:
    archive = folder / f"tracksync-{_tracksync_key(builder)}.tar"
    if not archive.exists():
        base, python = (PUBLIC_BASE_IMAGE, _PUBLIC_PYTHON) if builder.is_docker else ensure_base(builder, folder)
        wheels = _wheelhouse(folder, python)
        with step(f"image {TRACKSYNC_IMAGE}"):
            context = _context(folder, wheels)
            builder.build(context, TRACKSYNC_IMAGE, {"BASE_IMAGE": base})
            builder.save(TRACKSYNC_IMAGE, archive)
            builder.trim()
            shutil.rmtree(context)
    tell(f"  {TRACKSYNC_IMAGE}: {added_layers(archive, OUR_LAYERS)}")
    _forget_old(folder, "tracksync-*.tar", archive)
    return archive


def _postgres(builder: Builder, folder: Path) -> Path:
    pulls = isinstance(builder, DockerBuilder)
    key = hashlib.sha256(PUBLIC_POSTGRES_IMAGE.encode()).hexdigest()[:16] if pulls else postgres_key()
    archive = folder / f"postgres-{key}.tar"
    if not archive.exists():
        with step(f"image {POSTGRES_IMAGE}"):
            if isinstance(builder, DockerBuilder):
                builder.pull(PUBLIC_POSTGRES_IMAGE, POSTGRES_IMAGE)
            else:
                build_postgres(builder, folder, POSTGRES_IMAGE)
            builder.save(POSTGRES_IMAGE, archive)
    _forget_old(folder, "postgres-*.tar", archive)
    return archive


def _tracksync_key(builder: Builder) -> str:
    """Return what names the image: a digest of all that goes into it."""
    base = PUBLIC_BASE_IMAGE if builder.is_docker else packages_key()
    inputs = [CHECKOUT / "pyproject.toml", _OPERATOR / "requirements.lock", _OPERATOR / "Dockerfile"]
    inputs += [*(_OPERATOR / "image").glob("*.py"), *(_OPERATOR / "src").rglob("*")]
    return _digest(inputs, base)


def _digest(inputs: Iterable[Path], *more: str) -> str:
    content = hashlib.sha256(repr(more).encode())
    for path in sorted(path for path in inputs if path.is_file() and "__pycache__" not in path.parts):
        data = path.read_bytes()
        content.update(b"%s\0%d\0%s" % (os.fsencode(path.relative_to(CHECKOUT)), len(data), data))
    return content.hexdigest()[:16]


def _context(folder: Path, wheels: Path) -> Path:
    """Return what operator/Dockerfile expects: wheels of the dependencies, our own wheel, the install script."""
    context = folder / "tracksync-context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(wheels, context / "wheels", copy_function=os.link)
    shutil.copy(_OPERATOR / "image" / "install.py", context)
    shutil.copy(_OPERATOR / "Dockerfile", context)
    options = ("--no-deps", "--no-build-isolation", "--no-cache-dir", "--wheel-dir", str(context / "application"))
    run([*_PIP, "wheel", *options, str(CHECKOUT)], environment={"SOURCE_DATE_EPOCH": BUILD_DATE}, seconds=300)
    return context


def _wheelhouse(folder: Path, python: str) -> Path:
    """Return the folder with the wheels of operator/requirements.lock for the image's Python, hashes checked."""
    lock = _OPERATOR / "requirements.lock"
    wheels = folder / f"wheels-{_digest([lock], python)}"
    if not wheels.exists():
        with step("wheels of the dependencies"):
            partial = wheels.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            only = ("--require-hashes", "--no-deps", "--only-binary=:all:", *_target(python))
            run([*_PIP, "download", *only, "--dest", str(partial), "--requirement", str(lock)], seconds=900)
            partial.rename(wheels)
    return wheels


def _target(python: str) -> list[str]:
    """Return pip's options for the image's Python, which may not be the one that runs this."""
    machine = platform.machine()
    tags = ("manylinux_2_36", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
    abi = f"cp{python.replace('.', '')}"
    return [
        f"--python-version={python}",
        "--implementation=cp",
        *(f"--abi={name}" for name in (abi, "abi3", "none")),
        *(f"--platform={tag}_{machine}" for tag in tags),
    ]


def _forget_old(folder: Path, pattern: str, current: Path) -> None:
    others = sorted((path for path in folder.glob(pattern) if path != current), key=lambda path: path.stat().st_mtime)
    for path in others[: -(_KEPT - 1)]:
        path.unlink()
