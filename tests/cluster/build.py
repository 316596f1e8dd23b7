"""The cluster's programs: built once from pinned Go modules into the user's cache, then only found."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.commands import last_lines, run
from tests.cluster.components import COMPONENTS, Component
from tests.cluster.console import Advance, step, tell
from tests.cluster.errors import ClusterError
from tests.cluster.locking import exclusive
from tests.cluster.paths import cache_root
from tests.cluster.toolchain import ENVIRONMENT, Go, find_go

_UNUSED_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where each built program lies."""

    folders: dict[str, Path]

    def __getitem__(self, program: str) -> Path:
        return self.folders[program] / program

    @property
    def search_path(self) -> str:
        """The folders as a PATH value: containerd looks its shim up there."""
        return os.pathsep.join(str(folder) for folder in dict.fromkeys(self.folders.values()))


def ensure_binaries(components: Iterable[Component] = COMPONENTS) -> Binaries:
    """Return the programs of the components; builds the missing ones, with a progress line each.

    Raises:
        ClusterError: a build failed, or no Go could be had.
    """
    go = find_go()
    folders = {component: _folder(component, go) for component in components}
    if not all(folder.exists() for folder in folders.values()):
        with exclusive(cache_root() / "build.lock", waiting="another build of the cluster runs; waiting", tell=tell):
            for component, folder in folders.items():
                if not folder.exists():
                    _build(component, go, folder)
            _forget_unused(folders.values())
    for folder in folders.values():
        os.utime(folder)
    return Binaries({program: folder for component, folder in folders.items() for program in component.programs})


def _folder(component: Component, go: Go) -> Path:
    return cache_root() / f"{component.name}-{component.key(go)}"


def _build(component: Component, go: Go, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    flags = ("-trimpath", "-ldflags", component.link_flags)
    with step(f"building {component.name} ({len(component.programs)} programs)") as advance:
        stale = _stale_packages(component, go, flags)
        for output, packages in _outputs(component, partial):
            _compile((str(go.command), "build", "-v", *flags, "-o", output, *packages), component, stale, advance)
    partial.rename(folder)


def _outputs(component: Component, folder: Path) -> list[tuple[str, tuple[str, ...]]]:
    """One call for all programs where Go names them as we do: it then uses all cores to the end."""
    named_alike = all(package.endswith(f"/{name}") for name, package in component.programs.items())
    if named_alike:
        return [(f"{folder}/", tuple(component.programs.values()))]
    return [(str(folder / name), (package,)) for name, package in component.programs.items()]


def _stale_packages(component: Component, go: Go, flags: tuple[str, ...]) -> int:
    listing = ("list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")
    arguments = [go.command, *listing, *flags, *component.programs.values()]
    # The first call on a machine fetches the modules as well.
    return len(run(arguments, folder=component.module, environment=ENVIRONMENT, seconds=1800).split())


def _compile(command: tuple[str, ...], component: Component, stale: int, advance: Advance) -> None:
    environment = {**os.environ, **ENVIRONMENT}
    output: list[str] = []
    compiled = 0
    with subprocess.Popen(
        # Politely: whatever else the person does meanwhile comes first.
        ("nice", "-n", "5", *command),
        cwd=component.module,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            output.append(line)
            compiled += not line.startswith(("go: ", "#", "\t"))
            advance(compiled, max(stale, compiled), line.strip())
    if process.returncode:
        raise ClusterError(f"building {component.name} failed:\n{last_lines(''.join(output))}")


def _forget_unused(in_use: Iterable[Path]) -> None:
    """Remove binaries of other versions that no checkout asked for in a month: 700 MB a set."""
    kept = set(in_use)
    oldest = time.time() - _UNUSED_DAYS * 86400
    names = tuple(f"{component.name}-" for component in COMPONENTS)
    for folder in cache_root().iterdir():
        if folder.is_dir() and folder.name.startswith(names) and folder not in kept and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
