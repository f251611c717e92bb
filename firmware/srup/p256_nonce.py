"""Secret numbers for ECDSA: the nonce of RFC 6979, section 3.2, and masks for the computation."""

try:
    from uhashlib import sha256  # the firmware's own, even where micropython-lib's package hides it under `hashlib`
except ImportError:
    from hashlib import sha256

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_INNER = int.from_bytes(b"\x36" * 64, "big")
_OUTER = int.from_bytes(b"\x5c" * 64, "big")


def nonces(secret, seed):
    """Yield numbers in [1, N - 1] as RFC 6979 makes them, out of two strings of 32 bytes."""
    pads, value = _pads(bytes(32)), b"\x01" * 32  # steps b and c
    for step in (b"\x00", b"\x01"):  # steps d to g
        pads = _pads(_hmac(pads, value + step + secret + seed))
        value = _hmac(pads, value)
    while True:  # step h
        value = _hmac(pads, value)
        yield from _in_range(value)
        pads = _pads(_hmac(pads, value + b"\x00"))
        value = _hmac(pads, value)


def masks(private_key, digest, random):
    """Yield numbers in [1, N - 1], new ones at each call if `random` is given, and secret even if that is stuck."""
    seed = private_key + (random(32) if random else b"") + digest
    while True:
        seed = private_key + sha256(seed).digest()
        yield from _in_range(sha256(b"mask" + seed).digest())


def _in_range(octets):
    number = int.from_bytes(octets, "big")
    if 0 < number < N:
        yield number


def _pads(key):
    """What HMAC-SHA-256 (RFC 2104) makes of a key of 32 bytes. As numbers, as byte by byte it would take longer."""
    number = int.from_bytes(key, "big") << 256
    return (number ^ _INNER).to_bytes(64, "big"), (number ^ _OUTER).to_bytes(64, "big")


def _hmac(pads, message):
    inner = sha256(pads[0])
    inner.update(message)
    outer = sha256(pads[1])
    outer.update(inner.digest())
    return outer.digest()
