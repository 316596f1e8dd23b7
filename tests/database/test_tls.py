"""D8, encryption: an unknown authority, a wrong name, an expired certificate and no TLS at all are refused, and named.

The server is one of the test's own with OpenSSL, that is an installed one: the embedded wheel has none.
"""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.database.running import run_on
from tests.support.postgres import _programs as programs
from tests.support.postgres import fetch_all, started_server
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome
from tracksync.errors import DatabaseCredentialsError, ExitCode
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer

ROLE, PASSWORD, HOST = "encrypted", "canary-of-the-test", "db.test.example"
NOW = dt.datetime.now(dt.UTC)
LONG = dt.timedelta(days=30)


class Authority:
    """A certificate authority that vouches for one host name."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._issue(self.name, self.key.public_key(), NOW + LONG, is_authority=True)

    def issue(self, host: str, *, until: dt.datetime = NOW + LONG) -> tuple[bytes, bytes]:
        """Return a certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._issue(subject, key.public_key(), until, host=host)
        encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        return certificate.public_bytes(encoding), key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _issue(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        until: dt.datetime,
        *,
        host: str = "",
        is_authority: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 2 * LONG)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


AUTHORITY, STRANGER = Authority("ours"), Authority("a stranger")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[PostgresServer, str]]:
    """A server with TLS, and the URL of a migrated database on it, by the name that its certificate has."""
    with started_server(programs()) as own, own.database() as url:
        set_certificate(own, *AUTHORITY.issue(HOST))
        own.execute("ALTER SYSTEM SET ssl = on")
        own.stop()
        own.start_again()
        own.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
        fetch_all(url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
        fetch_all(url, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
        parts = urlsplit(url)
        port = parse_qs(parts.query)["port"][0]
        # libpq checks the name of `host` and connects to `hostaddr`: no name server is asked. On loopback nothing has
        # to be proved unless the URL says so.
        yield own, f"postgresql://{ROLE}:{PASSWORD}@{HOST}:{port}{parts.path}?hostaddr=127.0.0.1&sslmode=verify-full"
        fetch_all(url, f"DROP OWNED BY {ROLE}")


def set_certificate(server: PostgresServer, certificate: bytes, key: bytes) -> None:
    """Put the certificate where the server looks for it; a server that runs has to be told to read it again."""
    home = Path(parse_qs(urlsplit(server.url).query)["host"][0])
    for name, content in (("server.crt", certificate), ("server.key", key)):
        path = home / "data" / name
        path.write_bytes(content)
        path.chmod(0o600)
        owner = home.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def reload(server: PostgresServer) -> None:
    server.execute("SELECT pg_reload_conf()")


async def refusal(url: str) -> DatabaseCredentialsError:
    with pytest.raises(DatabaseCredentialsError) as caught:
        await PostgresDatabase.connect(url, application_name="tests", timeout_seconds=5)
    assert "canary" not in str(caught.value)
    assert ROLE not in str(caught.value)
    return caught.value


async def test_D8_a_verified_server_serves_a_whole_run(server: tuple[PostgresServer, str], tmp_path: Path) -> None:
    own, url = server
    root = AUTHORITY.write(tmp_path / "ca.pem")
    async with await PostgresDatabase.connect(f"{url}&sslrootcert={root}", application_name="tests") as database:
        assert (await run_on(database)).outcome is Outcome.SUCCEEDED
        async with database._session.transaction() as connection:
            question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert await (await connection.execute(question)).fetchone() == (True,)
    assert own.process is not None


async def test_D8_an_unknown_authority_is_refused_without_going_on_in_plain_text(
    server: tuple[PostgresServer, str], tmp_path: Path
) -> None:
    root = STRANGER.write(tmp_path / "ca.pem")
    assert "TLS" in str(await refusal(f"{server[1]}&sslrootcert={root}"))


async def test_D8_without_an_authority_nobody_is_believed(server: tuple[PostgresServer, str]) -> None:
    assert "TLS" in str(await refusal(server[1]))


async def test_D8_another_host_name_is_refused(server: tuple[PostgresServer, str], tmp_path: Path) -> None:
    root = AUTHORITY.write(tmp_path / "ca.pem")
    url = server[1].replace(HOST, "other.test.example")
    assert "host name" in str(await refusal(f"{url}&sslrootcert={root}"))


async def test_D8_an_expired_certificate_is_refused_and_ends_a_run_with_code_30(
    server: tuple[PostgresServer, str], tmp_path: Path
) -> None:
    own, url = server
    root = AUTHORITY.write(tmp_path / "ca.pem")
    set_certificate(own, *AUTHORITY.issue(HOST, until=NOW - LONG))
    reload(own)
    try:
        assert "certificate" in str(await refusal(f"{url}&sslrootcert={root}"))
        async with PostgresDatabase.prepare(f"{url}&sslrootcert={root}", application_name="tests") as database:
            result = await run_on(database, run_id="33333333-3333-4333-8333-333333333333")
        assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.CONFIGURATION
        assert "canary" not in result.message
    finally:
        set_certificate(own, *AUTHORITY.issue(HOST))
        reload(own)


async def test_D8_a_server_that_stops_speaking_tls_is_refused_and_not_spoken_to_in_plain_text(
    server: tuple[PostgresServer, str], tmp_path: Path
) -> None:
    own, url = server
    root = AUTHORITY.write(tmp_path / "ca.pem")
    own.execute("ALTER SYSTEM SET ssl = off")
    reload(own)
    try:
        assert "TLS" in str(await refusal(f"{url}&sslrootcert={root}"))
    finally:
        own.execute("ALTER SYSTEM SET ssl = on")
        reload(own)
