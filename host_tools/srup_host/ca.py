"""The fleet's own small certificate authority: it vouches for the broker and the HTTPS server, and for nothing else.

Certificates follow RFC 5280, and keep to what mbedTLS on a board checks: no name constraints, which it does not know.
"""

import datetime
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from srup_host import files, keyfiles
from srup_host.console import Failure
from srup_host.signing import PrivateKey

YEAR = datetime.timedelta(days=365.25)
CA_YEARS = 20  # longer than a board lives
SERVER_YEARS = 2
WARN = datetime.timedelta(days=180)

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def create(fleet: str, now: datetime.datetime | None = None) -> tuple[PrivateKey, x509.Certificate]:
    """A new authority for a fleet: its key and its self-signed certificate, good from yesterday on for 20 years."""
    key = keyfiles.generate()
    start = (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(days=1)
    name = _name(fleet, "CA")
    builder = _builder(name, name, key, start, start + CA_YEARS * YEAR)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(certificates=True), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def issue(
    ca_key: PrivateKey,
    ca: x509.Certificate,
    key: PrivateKey,
    hosts: Iterable[str],
    not_after: datetime.datetime | None = None,
) -> x509.Certificate:
    """A server certificate for `hosts` (names and IP addresses) and the public half of `key`, good for two years.

    It begins when the CA's does: a board whose clock lags behind takes a renewed one as well as the first.
    """
    names = subject_names(hosts)
    until = not_after or datetime.datetime.now(datetime.UTC) + SERVER_YEARS * YEAR
    builder = _builder(_name(_fleet_of(ca), "server"), ca.subject, key, ca.not_valid_before_utc, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    issuer = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)
    return builder.add_extension(identifier, critical=False).sign(ca_key, hashes.SHA256())


def expiring(paths: Iterable[Path], now: datetime.datetime | None = None) -> list[str]:
    """A line for each of these certificates that is over, or will be within 180 days: boards take long to be told of another."""
    at, lines = now or datetime.datetime.now(datetime.UTC), []
    for path in paths:
        try:
            until = x509.load_pem_x509_certificate(files.read(path)).not_valid_after_utc
        except ValueError:
            raise Failure(f"{path} holds no certificate") from None
        if until - at < WARN:
            word = "is not valid any more, since" if until < at else "is valid until"
            lines.append(
                f"{path} {word} {until:%Y-%m-%d}; boards must know its successor before: srup send settings --ca"
            )
    return lines


def subject_names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    """Names for a certificate, each once. Raises Failure for what is neither a host name nor an IP address."""
    return [_general_name(host) for host in dict.fromkeys(check_host(host) for host in hosts)]


def check_host(host: str) -> str:
    """The host name or IP address in its usual form. Raises Failure for anything else, such as a URL or host:port."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        name = host.strip().rstrip(".").lower()
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")) or name[-1].isdigit():
        raise Failure(f"{host!r} is neither a host name nor an IP address", "give it without https:// and port")
    return name


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(fleet: str, role: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, fleet)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, f"{fleet} {role}")])


def _fleet_of(ca: x509.Certificate) -> str:
    return str(ca.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, start: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
