"""Sealing a bundle: for these devices to read and nobody else (docs/bundle.md, Sealed bundles; the reader is srup.sealed)."""

import hashlib
import hmac
import os
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from srup import bundle, limits, sealed
from srup.keys import key_id
from srup_host.console import Failure
from srup_host.signing import PrivateKey, public_bytes

_HEAD = 71  # magic, ephemeral key, count
_RECIPIENT = 40


def is_sealed(raw: bytes) -> bool:
    return raw.startswith(bundle.SEALED)


def recipients(raw: bytes) -> list[str]:
    """For whom a sealed bundle is: the first 8 bytes of SHA-256 of their keys, in hex."""
    ends = range(_HEAD, _HEAD + _RECIPIENT * raw[_HEAD - 1], _RECIPIENT) if len(raw) >= _HEAD else ()
    return [raw[at : at + 8].hex() for at in ends]


def seal(
    packed: bytes,
    keys: Sequence[bytes],
    ephemeral: Callable[[], PrivateKey] = lambda: ec.generate_private_key(ec.SECP256R1()),
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """A bundle, as bytes, for the devices with these public ECDH keys (65 bytes each). Each time it is other bytes."""
    if is_sealed(packed):
        raise Failure("this bundle is sealed already")
    if not 1 <= len(keys) <= limits.RECIPIENTS:
        raise Failure(f"a bundle is sealed for 1 to {limits.RECIPIENTS} devices, not {len(keys)}")
    own, content_key = ephemeral(), random(32)
    public = public_bytes(own)
    wrapped = b"".join(key_id(key) + _xor(content_key, _pad(own, public, key)) for key in keys)
    derived = _hkdf(content_key, sealed.SEAL, 64)
    cipher = Cipher(algorithms.AES(derived[:32]), modes.CTR(bytes(16))).encryptor()
    covered = bundle.SEALED + public + bytes((len(keys),)) + wrapped + cipher.update(packed) + cipher.finalize()
    return covered + hmac.digest(derived[32:], covered, hashlib.sha256)


def _pad(own: PrivateKey, public: bytes, key: bytes) -> bytes:
    try:
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        raise Failure("a recipient's key is no P-256 public key") from None
    return _hkdf(own.exchange(ec.ECDH(), theirs), sealed.WRAP + public + key, 32)


def _hkdf(secret: bytes, info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, None, info).derive(secret)


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
