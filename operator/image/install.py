# ruff: noqa: INP001 - a script for the image's build, in no package
"""Unpacks wheels into a folder, leaves out what never runs, and compiles the rest. Runs inside the image's build.

Usage: install.py WHEELS TARGET. Hashes were checked when the wheels were downloaded.
"""

from __future__ import annotations

import compileall
import configparser
import py_compile
import shutil
import sys
import zipfile
from pathlib import Path

# Parts of dependencies that no process of ours imports: tests, stubs, sources of extensions, the synchronous client.
UNUSED_FOLDERS = ("tests", "test", "testing_data", "__pycache__")
UNUSED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h", ".cpp", ".so.debug")
UNUSED_PATHS = (
    "kubernetes/client",
    "kubernetes/dynamic",
    "kubernetes/leaderelection",
    "kubernetes/stream",
    "kubernetes/watch",
    "kubernetes/config",
    "kubernetes/utils",
    "kubernetes/docs",
    "sqlalchemy/testing",
    "alembic/testing",
    "bin",
)
# Generated code, 40 MB with its docstrings: kept as bytecode only, without them.
BYTECODE_ONLY = ("kubernetes/aio/client",)


def unpack(wheel: Path, target: Path) -> None:
    """Unpack a wheel's packages; its scripts and headers stay out."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            top, *rest = member.filename.split("/")
            if not top.endswith(".data"):
                archive.extract(member, target)
            elif rest and rest[0] in ("purelib", "platlib") and not member.is_dir():
                path = target.joinpath(*rest[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(member))


def prune(target: Path) -> None:
    """Remove what never runs."""
    for path in UNUSED_PATHS:
        shutil.rmtree(target / path, ignore_errors=True)
    for folder in [path for path in target.rglob("*") if path.is_dir() and path.name in UNUSED_FOLDERS]:
        shutil.rmtree(folder, ignore_errors=True)
    for file in target.rglob("*"):
        if file.is_file() and file.name.endswith(UNUSED_SUFFIXES):
            file.unlink()


def write_commands(target: Path) -> None:
    """Write the console scripts of our own distribution; of the dependencies' none is needed."""
    for declared in target.glob("tracksync-*.dist-info/entry_points.txt"):
        entries = configparser.ConfigParser()
        entries.read(declared)
        for name, reference in entries["console_scripts"].items():
            module, function = reference.split(":")
            script = target / "bin" / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n\n{function}()\n")
            script.chmod(0o755)


def keep_bytecode(folder: Path, target: Path) -> None:
    """Replace the sources below the folder by bytecode in their place, from which Python imports as well."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if folder.is_dir() and compileall.compile_dir(
        folder, quiet=1, legacy=True, optimize=2, stripdir=str(target), invalidation_mode=mode
    ):
        for source in folder.rglob("*.py"):
            source.unlink()


def main(wheels: Path, target: Path) -> None:
    """Unpack every wheel, prune, compile; the same input gives the same bytes."""
    target.mkdir(parents=True)
    for wheel in sorted(wheels.glob("*.whl")):
        unpack(wheel, target)
    if (target / "kubernetes").is_dir():
        (target / "kubernetes" / "__init__.py").write_text('"""Only kubernetes.aio is kept in this image."""\n')
    prune(target)
    write_commands(target)
    for path in BYTECODE_ONLY:
        keep_bytecode(target / path, target)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # sources never change in an image: no stat at import
    if not compileall.compile_dir(target, quiet=1, invalidation_mode=mode, workers=1, stripdir=str(target)):
        sys.exit("install.py: some files could not be compiled")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
