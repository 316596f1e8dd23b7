"""Small root file systems out of Debian packages, unpacked and not installed, as distroless images are made."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.paths import cache_root

PYTHON_PACKAGES: Final = (
    "base-files", "ca-certificates", "libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1", "liblzma5",
    "libpython3.11-minimal", "libpython3.11-stdlib", "libssl3", "libstdc++6", "libuuid1", "media-types",
    "python3.11-minimal", "tzdata", "zlib1g",
)  # fmt: skip
"""What Python 3.11 and the manylinux wheels of our dependencies load."""

POSTGRES_PACKAGES: Final = (
    "postgresql-15", "postgresql-client-15", "libcap2", "libcom-err2", "libgcrypt20", "libgmp10", "libgnutls30",
    "libgpg-error0", "libgssapi-krb5-2", "libhogweed6", "libicu72", "libidn2-0", "libk5crypto3", "libkeyutils1",
    "libkrb5-3", "libkrb5support0", "libldap-2.5-0", "liblz4-1", "libnettle8", "libp11-kit0", "libpam0g", "libpq5",
    "libreadline8", "libsasl2-2", "libselinux1", "libsystemd0", "libtasn1-6", "libtinfo6", "libunistring2", "libxml2",
    "libxslt1.1", "libzstd1", "libaudit1", "libcap-ng0", "libpcre2-8-0",
)  # fmt: skip
"""What the server and psql load; the just-in-time compiler (LLVM) is left out."""

_MERGED: Final = ("bin", "sbin", "lib", "lib64")
_UNUSED: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug")
_USERS: Final = "root:x:0:0:root:/root:/sbin/nologin\npostgres:x:999:999:postgres:/tmp:/sbin/nologin\n"


def packages_key(packages: Iterable[str]) -> str:
    """Return a key of the versions that Debian offers now; it changes when one of them is updated."""
    policy = run(["apt-cache", "policy", *packages])
    candidates = re.findall(r"^(\S+):$|^  Candidate: (\S+)$", policy, re.MULTILINE)
    if any(version == "(none)" for _, version in candidates) or not candidates:
        raise ClusterError("Debian's package lists are missing or too old: run `apt-get update`")
    return hashlib.sha256(repr(candidates).encode()).hexdigest()[:16]


def unpack_packages(packages: Iterable[str], root: Path) -> None:
    """Download the packages and unpack them below `root`, which then can be the root of an image."""
    archives = root.parent / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir(parents=True)
    run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages], folder=archives, seconds=300)
    for folder in _MERGED:
        (root / "usr" / folder).mkdir(parents=True, exist_ok=True)
        if not (root / folder).is_symlink():
            (root / folder).symlink_to(f"usr/{folder}")
    for archive in sorted(archives.glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as content:
            command = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", root]
            subprocess.run(command, stdin=content.stdout, check=True)
        if content.returncode:
            raise ClusterError(f"{archive.name} cannot be unpacked; delete {cache_root()} and try again")
    for folder in _UNUSED:
        shutil.rmtree(root / folder, ignore_errors=True)
    shutil.rmtree(archives)


def complete_root(root: Path) -> None:
    """Write what package scripts would have written: users, certificates, the names of Python and of the time zone."""
    etc = root / "etc"
    (etc / "passwd").write_text(_USERS)
    (etc / "group").write_text("root:x:0:\npostgres:x:999:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (etc / "ssl" / "certs").mkdir(parents=True, exist_ok=True)
    (etc / "ssl" / "certs" / "ca-certificates.crt").write_bytes(b"".join(file.read_bytes() for file in certificates))
    python = root / "usr" / "bin" / "python3"
    if not python.is_symlink():
        python.symlink_to("python3.11")
