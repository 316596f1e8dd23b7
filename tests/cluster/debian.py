"""Small root file systems out of Debian packages, unpacked and not installed, as distroless images are made."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.names import POSTGRES_UID, TRACKSYNC_UID
from tests.cluster.system import refresh_package_lists

BASE_REQUEST: Final = ("python3-minimal", "libpython3-stdlib", "ca-certificates", "tzdata", "libstdc++6", "libgcc-s1")
"""Python as the distribution has it, and what the manylinux wheels of our dependencies load beyond it."""

POSTGRES_REQUEST: Final = ("postgresql", "dash")
"""The server with its client; initdb starts the server through a shell."""

# What the requested packages depend on but nothing in an image runs: installers, their helpers and
# languages, PostgreSQL's just-in-time compiler (its LLVM has 110 MB), SQLite and Berkeley DB.
_LEFT_OUT: Final = re.compile(
    r"(dpkg|tar|debconf|debianutils|openssl|adduser|passwd|ucf|usrmerge|ssl-cert|sensible-utils|netbase|lsb-base"
    r"|init-system-helpers|sysvinit-utils|locales|libc-l10n|postgresql-common.*|postgresql-client-common|postgresql"
    r"|readline-common|libz3-.*|libllvm.*|libdb5.*|libsqlite3.*|libedit2|libbsd0|libgdbm.*|libsem.*|libsepol.*"
    r"|libpam-modules.*|libtirpc.*|libnsl2|python3-minimal|libpython3-stdlib|media-types|gcc-.*-base"
    r"|.*perl.*)"
)
_MERGED: Final = ("bin", "sbin", "lib", "lib64")
_UNUSED: Final = (
    *(f"usr/share/{name}" for name in ("doc", "man", "locale", "lintian", "bug", "zoneinfo/right", "zoneinfo/posix")),
    "usr/lib/*/gconv",
    "usr/lib/python3*/test",
    "usr/lib/python3*/pydoc_data",
    "usr/lib/postgresql/*/lib/bitcode",
    "usr/lib/postgresql/*/lib/llvmjit*",
)
_ACCOUNTS: Final = (("root", 0), ("postgres", POSTGRES_UID), ("tracksync", TRACKSYNC_UID), ("nobody", 65534))


def unpack_packages(request: Sequence[str], root: Path, *, without: Sequence[str] = ()) -> None:
    """Fill `root` with the requested packages and what they need, except what `without` brings already.

    Raises:
        ClusterError: the packages cannot be had; the message says what apt said.
    """
    try:
        _unpack(request, root, without)
    except ClusterError:
        # Lists that are missing or name versions that the mirror no longer has.
        refresh_package_lists()
        _unpack(request, root, without)


def _unpack(request: Sequence[str], root: Path, without: Sequence[str]) -> None:
    shutil.rmtree(root, ignore_errors=True)
    archives = root.with_name("packages")
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir(parents=True)
    there = set(_resolved(without, archives)) if without else set()
    wanted = [package for package in _resolved(request, archives) if package not in there]
    run(["apt-get", "download", "--quiet", "-o", "APT::Sandbox::User=root", *wanted], folder=archives, seconds=300)
    for folder in _MERGED:
        (root / "usr" / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).symlink_to(f"usr/{folder}")
    for archive in sorted(archives.glob("*.deb")):
        _extract(archive, root)
    for pattern in _UNUSED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(archives)


def _resolved(request: Sequence[str], scratch: Path) -> list[str]:
    """Return `name=version` of the packages and their dependencies, as if nothing were installed."""
    nothing = scratch / "status"
    nothing.touch()
    plan = run(
        [
            "apt-get",
            "install",
            "--print-uris",
            "--yes",
            "-qq",
            "--no-install-recommends",
            "-o",
            f"Dir::State::status={nothing}",
            *request,
        ]
    )
    files = re.findall(r"^'\S+' (\S+)_(\S+)_\S+\.deb ", plan, re.MULTILINE)
    return [f"{name}={version.replace('%3a', ':')}" for name, version in files if not _LEFT_OUT.fullmatch(name)]


def _extract(archive: Path, root: Path) -> None:
    command = ("tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", str(root))
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as content:
        unpacked = subprocess.run(command, stdin=content.stdout, check=False, capture_output=True, text=True)
    if content.returncode or unpacked.returncode:
        raise ClusterError(f"{archive.name} cannot be unpacked: {unpacked.stderr.strip()}")


def complete_base(root: Path) -> str:
    """Write what package scripts would have written; returns Python's version, such as 3.11."""
    etc = root / "etc"
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (etc / "passwd").write_text(
        _lines(f"{name}:x:{uid}:{uid}:{name}:/tmp:/usr/sbin/nologin" for name, uid in _ACCOUNTS)
    )
    (etc / "group").write_text(_lines(f"{name}:x:{uid}:" for name, uid in _ACCOUNTS))
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    _write_certificates(root)
    python = next((root / "usr/bin").glob("python3.*[0-9]"))
    (root / "usr/bin/python3").symlink_to(python.name)
    return python.name.removeprefix("python")


def _write_certificates(root: Path) -> None:
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    single = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle.write_bytes(b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in single))
    # Where Debian's OpenSSL looks; the links come with the package openssl, which is left out.
    library = root / "usr/lib/ssl"
    library.mkdir(parents=True, exist_ok=True)
    (library / "cert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")
    (library / "certs").symlink_to("/etc/ssl/certs")


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
