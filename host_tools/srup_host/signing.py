"""Signatures of the host, the one place that makes them: ECDSA P-256 over SHA-256, raw r and s, low-S (protocol.md, 1).

Private keys are handled by `cryptography` alone. Nonces are RFC 6979's: the same key and bytes give the same signature.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from srup import auth, keys, p256, wire
from srup.errors import BadSignature

PrivateKey = ec.EllipticCurvePrivateKey
Elements = Mapping[str, Any]  # name: bytes, or int for those of one byte

_SIGN = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY = ec.ECDSA(hashes.SHA256())


def public_bytes(key: PrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """The public key, 65 bytes, SEC 1 uncompressed."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The low-S signature over `data`, 64 bytes."""
    return low_s(key.sign(data, _SIGN))


def der(signature: bytes) -> bytes:
    """A signature of r and s, 32 bytes each, in DER."""
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def low_s(der: bytes) -> bytes:
    """The low-S form, 64 bytes, of a signature in DER. Raises ValueError."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + min(s, p256.N - s).to_bytes(32, "big")


class Signer(Protocol):
    """Whatever has a private key, here or elsewhere: see srup_host.signers for one that asks another program."""

    @property
    def public_key(self) -> bytes:
        """65 bytes."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The low-S signature over `data`, 64 bytes."""
        ...


class KeySigner:
    """A private key that is here."""

    def __init__(self, key: PrivateKey):
        self._key = key
        self.public_key = public_bytes(key)

    def sign(self, data: bytes) -> bytes:
        return sign(self._key, data)


def verify(public_key: bytes, data: bytes, signature: bytes) -> None:
    """Return if this is a low-S signature by `public_key` (65 bytes) over `data`; otherwise raise BadSignature.

    Raises InvalidKey for what is no point of the curve.
    """
    p256.check_public_key(public_key)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    if len(signature) != 64:
        raise BadSignature(f"{len(signature)} bytes, not 64")
    if not p256.is_low_s(signature):
        raise BadSignature("high-S")
    try:
        key.verify(der(signature), data, _VERIFY)
    except InvalidSignature:
        raise BadSignature("does not match") from None


def sign_frame(key: PrivateKey, kind: int, elements: Elements) -> bytes:
    """A signed frame of type `kind`, held to the sizes that a device accepts and verified before it is handed out.

    elements: {name: bytes, or int for one-byte ones}, exactly those of the type. Raises Malformed for any others.
    """
    signed = wire.preimage(kind, elements)
    frame: bytes = wire.seal(signed, sign(key, signed))
    unverified = wire.decode(frame)
    wire.check_sizes(unverified)
    verify_frame(public_bytes(key), unverified)
    return frame


def verify_frame(public_key: bytes, unverified: wire.Unverified) -> None:
    """Return if `public_key` (65 bytes) signed this frame; otherwise raise BadSignature or InvalidKey."""
    verify(public_key, b"".join(unverified.signed_parts()), unverified.signature)


def role(kind: int, elements: Elements) -> str:
    """Which of the fleet's keys signs this frame: `command` or `authority`, by the device's own rule."""
    named = {keys.COMMAND: "command", keys.AUTHORITY: "authority"}
    return named[auth.role_for(wire.Unverified(b"", kind, b"", elements))]


def second_signature(authority: PrivateKey, kind: int, elements: Elements, nonce: bytes) -> bytes:
    """`nonce | signature`: what the authority key adds where two keys are asked for (protocol.md, Actions, Two keys).

    elements: those of the command, `parameters` being its own alone. nonce: 16 bytes, of the device's latest inventory.
    """
    action, own = elements.get("action", 0), elements.get("parameters", b"")
    command = _l16(elements["target"]) + _l16(elements["token"]) + bytes((action,)) + _l16(own)
    return nonce + sign(authority, b"SRUP-second-1\0" + bytes((wire.VERSION, kind)) + command + nonce)


def _l16(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value
