"""The cluster's own certificate authority: every certificate, key and kubeconfig, written once."""

import base64
import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.files import write_file, write_json
from tests.cluster.network import MOST_NODES, SERVICE_API, Network

# A throw-away authority on a private network: its age must never be why something fails.
_LIFETIME: Final = dt.timedelta(days=3650)
_COMPLETE: Final = "complete"
_SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Identity:
    """A name that a certificate vouches for, and the file names it goes by."""

    file: str
    common_name: str
    group: str = ""
    hosts: tuple[str, ...] = ()
    has_kubeconfig: bool = False


def ensure_pki(folder: Path, network: Network, server: str) -> None:
    """Make all certificates and kubeconfigs for both nodes, unless they are there already."""
    if (folder / _COMPLETE).exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _Authority.new()
    write_file(folder / "ca.crt", authority.certificate_pem)
    write_file(folder / "ca.key", _key_pem(authority.key), mode=0o600)
    for identity in _identities(network):
        certificate, key = authority.issue(identity)
        write_file(folder / f"{identity.file}.crt", certificate)
        write_file(folder / f"{identity.file}.key", key, mode=0o600)
        if identity.has_kubeconfig:
            content = kubeconfig(server, authority.certificate_pem, certificate, key)
            write_json(folder / f"{identity.file}.kubeconfig", content, mode=0o600)
    _write_service_account_keys(folder)
    write_file(folder / _COMPLETE, server)


def kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes) -> dict[str, object]:
    """Return a kubeconfig that needs no other file."""
    cluster = {"server": server, "certificate-authority-data": _encoded(authority)}
    user = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tracksync", "cluster": cluster}],
        "users": [{"name": "tracksync", "user": user}],
        "contexts": [{"name": "tracksync", "context": {"cluster": "tracksync", "user": "tracksync"}}],
        "current-context": "tracksync",
    }


def _identities(network: Network) -> list[Identity]:
    service_names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    first = network.place(1)
    return [
        Identity(
            "apiserver", "kube-apiserver", hosts=(*service_names, "localhost", first.address, "127.0.0.1", SERVICE_API)
        ),
        Identity("apiserver-kubelet-client", "apiserver-kubelet-client", "system:masters"),
        Identity("front-proxy-client", "front-proxy-client"),
        Identity("admin", "kubernetes-admin", "system:masters", has_kubeconfig=True),
        Identity("controller-manager", "system:kube-controller-manager", has_kubeconfig=True),
        Identity("scheduler", "system:kube-scheduler", has_kubeconfig=True),
        Identity("kube-proxy", "system:kube-proxy", has_kubeconfig=True),
        Identity("coredns", "system:coredns", has_kubeconfig=True),
        *(
            Identity(
                f"kubelet-{place.name}",
                f"system:node:{place.name}",
                "system:nodes",
                hosts=(place.name, place.address),
                has_kubeconfig=True,
            )
            for place in map(network.place, range(1, MOST_NODES + 1))
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> "_Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("tracksync-cluster-ca")
        builder = _builder(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, identity: Identity) -> tuple[bytes, bytes]:
        """Return certificate and key in PEM; both usages, because a kubelet serves and asks with one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(identity.common_name, identity.group), self.certificate.subject, key)
        builder = builder.add_extension(x509.ExtendedKeyUsage([_SERVER, _CLIENT]), critical=False)
        if identity.hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(_names(identity.hosts)), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _write_service_account_keys(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_file(folder / "sa.key", _key_pem(key), mode=0o600)
    write_file(folder / "sa.pub", public)


def _name(common_name: str, group: str = "") -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
