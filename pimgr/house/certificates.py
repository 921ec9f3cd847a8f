"""Certificates of the house: a gateway's self-signed one, and a small authority for the mail server.

Keys are ECDSA P-256, made at the start, kept in memory; a scenario may give its own so that a pinned fingerprint stays.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pimgr.api import Frozen

VALID = timedelta(days=3650)


class Identity(Frozen):
    """A private key and its certificate, as PEM text."""

    key_pem: str
    certificate_pem: str

    @property
    def pem(self) -> str:
        """Both in one text, as a scenario's `certificate_pem` takes it."""
        return self.key_pem + self.certificate_pem

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as it goes over the wire, in lower-case hex."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate_pem)).hexdigest()

    def server_context(self) -> ssl.SSLContext:
        """For a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # the ssl module loads from files only; 0600
            file.write(self.pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def from_pem(text: str) -> Identity:
    """An identity from PEM text that holds a private key and a certificate. Raises ValueError where one is missing."""
    certificate = x509.load_pem_x509_certificate(text.encode())
    key = serialization.load_pem_private_key(text.encode(), password=None)
    return Identity(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def self_signed(name: str) -> Identity:
    """A certificate that vouches for itself, as a gateway shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _builder(name, _named(name), key).sign(key, hashes.SHA256())
    return _identity(key, certificate)


class Authority:
    """The house's own certificate authority."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        builder = _builder(name, self._name, self._key, authority=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The certificate that a client trusts."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str) -> Identity:
        """An identity for a server on loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, self._name, key).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        return _identity(key, builder.sign(self._key, hashes.SHA256()))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _identity(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Identity:
    return Identity(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool = False
) -> x509.CertificateBuilder:
    """A certificate for loopback. Python 3.13 checks strictly, so it has every extension that RFC 5280 asks for."""
    today = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    hosts = [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + VALID)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    )
