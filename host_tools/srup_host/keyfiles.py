"""Key files: P-256 private keys as PKCS#8 PEM, readable by their owner alone, with a passphrase where one is wanted.

The passphrase comes from the environment variable SRUP_PASSPHRASE, from the file that SRUP_PASSPHRASE_FILE names, or it is
asked for on the terminal.
"""

import getpass
import os
import sys
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from srup_host import files
from srup_host.console import Failure
from srup_host.signing import PrivateKey, public_bytes


def generate() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def public_pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_pem_of(public: bytes) -> bytes:
    """The same of a public key, 65 bytes."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_private(path: Path) -> PrivateKey:
    """The P-256 private key in a PEM file, the passphrase being asked for where it has one."""
    pem = files.read(path)
    try:
        key = _load(path, pem)
    except (ValueError, UnsupportedAlgorithm):
        raise Failure(f"{path} holds no private key in PEM form") from None
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Failure(f"{path} holds a key of another kind", "ECDSA P-256 is asked for")
    return key


def _load(path: Path, pem: bytes) -> object:
    try:
        return load_pem_private_key(pem, None)
    except TypeError:  # it is encrypted
        passphrase = ask_passphrase(f"Passphrase of {path}")
    try:
        return load_pem_private_key(pem, passphrase)
    except ValueError:
        raise Failure(f"the passphrase does not open {path}") from None


def ask_passphrase(prompt: str, twice: bool = False, prefix: str = "SRUP_") -> bytes:
    """The passphrase, from the environment, from a file, or typed without being shown. prefix: of the variables' names"""
    if (passphrase := os.environ.get(f"{prefix}PASSPHRASE")) is not None:
        return _not_empty(passphrase.encode())
    if file := os.environ.get(f"{prefix}PASSPHRASE_FILE"):
        return _not_empty(files.read(Path(file)).rstrip(b"\r\n"))
    if not sys.stdin.isatty():
        hint = f"set {prefix}PASSPHRASE or {prefix}PASSPHRASE_FILE, or run it at a terminal"
        raise Failure(f"{prompt}: there is nobody to ask", hint)
    passphrase = getpass.getpass(f"{prompt}: ")
    if twice and passphrase != getpass.getpass("The same again: "):
        raise Failure("the two passphrases differ")
    return _not_empty(passphrase.encode())


def _not_empty(passphrase: bytes) -> bytes:
    if not passphrase:
        raise Failure("the passphrase is empty")
    return passphrase


def load_public(text: str) -> bytes:
    """The public key (65 bytes) that `text` gives: as hex, or as a file with PEM (public or private) or hex in it."""
    content = files.read(Path(text)) if os.path.isfile(text) else text.encode()
    if b"PRIVATE KEY-----" in content:
        return public_bytes(load_private(Path(text)))
    try:
        if b"-----BEGIN" in content:
            key = load_pem_public_key(content)
        else:
            encoded = bytes.fromhex(content.decode("ascii"))
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except (ValueError, UnsupportedAlgorithm):
        raise Failure(f"{text} is no public key", "give a PEM file, or 65 bytes in hex") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Failure(f"{text} is a key of another kind", "ECDSA P-256 is asked for")
    return public_bytes(key)
