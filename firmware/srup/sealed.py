"""A sealed bundle (docs/bundle.md): one for this device, or for a group it is in, and nobody else to read.

    "SRUP" 0x03 | ephemeral key (65) | count (1) | count x ( recipient (8) | wrapped key (32) ) | ciphertext | tag (32)

The content key is wrapped for each recipient by ECDH P-256 and HKDF-SHA-256 (RFC 5869); it gives the keys of AES-256-CTR and of
HMAC-SHA-256 (RFC 2104) over all that comes before the tag, which is checked before anything is decrypted.
"""

import os
import struct

from srup import bundle, keys, limits, p256, port
from srup.errors import InvalidKey, UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_BUNDLE

WRAP = b"SRUP-wrap-1\0"
SEAL = b"SRUP-seal-1\0"

_HEAD = const(71)  # magic, ephemeral key, count
_RECIPIENT = const(40)
_TAG = const(32)
_BLOCK = const(16)
_XOR = const(256)  # bytes at once, as a number


def unseal(path, target, private_key):
    """Generator: write the bundle that is sealed in the file `path` to the file `target`, yielding after each chunk.

    private_key: the device's ECDH key, 32 bytes. Raises UpdateFailed: UPDATE_FAIL_BOARD if it is for others,
    UPDATE_FAIL_BUNDLE if its form or its tag is not right; then there is no `target`. OSError passes through.
    """
    buffer = memoryview(bytearray(limits.CHUNK))
    end = os.stat(path)[6] - _TAG
    with open(path, "rb") as file:
        content_key, begin = _content_key(file, private_key)
        if end < begin:
            raise _bad("ends too early")
        both = expand(content_key, SEAL, 64)
        yield
        yield from _check_tag(file, both[32:], end, buffer)
        file.seek(begin)
        with open(target, "wb") as out:
            counter = Counter(both[:32])
            for chunk in _chunks(file, end - begin, buffer):
                counter.crypt(chunk)
                out.write(chunk)
                yield


def _content_key(file, private_key):
    """(the content key, where the ciphertext begins)"""
    head = file.read(_HEAD)
    if len(head) != _HEAD or head[:5] != bundle.SEALED or not 1 <= head[70] <= limits.RECIPIENTS:
        raise _bad("not a sealed bundle")
    ours = p256.public_key(private_key, port.random)
    identity = keys.key_id(ours)
    found = None
    for _ in range(head[70]):
        recipient = file.read(_RECIPIENT)
        if len(recipient) != _RECIPIENT:
            raise _bad("ends too early")
        if recipient[:8] == identity:
            found = recipient[8:]
    if not found:
        raise UpdateFailed(UPDATE_FAIL_BOARD, "sealed for others")
    try:
        shared = p256.shared_secret(private_key, head[5:70], port.random)
    except InvalidKey:
        raise _bad("no point of the curve")
    return xor(found, expand(shared, WRAP + head[5:70] + ours, 32)), file.tell()


def _check_tag(file, key, end, buffer):
    file.seek(0)
    tag = Hmac(key)
    for chunk in _chunks(file, end, buffer):
        tag.update(chunk)
        yield
    if tag.digest() != file.read(_TAG):  # of a file that INITIATE has named: nobody learns from how long it took
        raise _bad("the tag does not match")


def _chunks(file, size, buffer):
    """Views of the next `size` bytes, each but the last of whole blocks."""
    while size:
        view = buffer[: min(size, len(buffer))]
        if file.readinto(view) != len(view):
            raise _bad("ends too early")
        yield view
        size -= len(view)


class Counter:
    """AES-256-CTR (NIST SP 800-38A, 6.5) from block 0 on, out of the firmware's ECB. key: 32 bytes"""

    def __init__(self, key):
        self._encrypt = port.aes_ecb(key)
        self._blocks = bytearray(limits.CHUNK)
        self._stream = memoryview(bytearray(limits.CHUNK))
        self._next = 0

    def crypt(self, view):
        """Encrypt or decrypt in place: at most limits.CHUNK bytes, and whole blocks each time but the last."""
        for at in range(0, len(view), _BLOCK):
            struct.pack_into(">I", self._blocks, at + 12, self._next)  # the twelve bytes before it stay 0: 64 GB
            self._next += 1
        self._encrypt(self._blocks, self._stream)
        for at in range(0, len(view), _XOR):
            piece = view[at : at + _XOR]
            piece[:] = xor(piece, self._stream[at : at + len(piece)])


class Hmac:
    """HMAC-SHA-256 (RFC 2104)."""

    def __init__(self, key):
        key = port.sha256(key).digest() if len(key) > 64 else key
        key = key + bytes(64 - len(key))
        self._inner = port.sha256(xor(key, b"\x36" * 64))
        self._outer = xor(key, b"\x5c" * 64)

    def update(self, data):
        self._inner.update(data)

    def digest(self):
        return port.sha256(self._outer + self._inner.digest()).digest()


def hmac(key, message):
    found = Hmac(key)
    found.update(message)
    return found.digest()


def expand(secret, info, size, salt=b""):
    """`size` bytes, at most 255 * 32: HKDF-SHA-256 of a secret (RFC 5869)."""
    key = hmac(salt, secret)
    made = last = b""
    while len(made) < size:
        last = hmac(key, last + info + bytes((len(made) // 32 + 1,)))
        made += last
    return made[:size]


def xor(a, b):
    """Of the same length; as numbers, for byte by byte it would take long."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def _bad(why):
    return UpdateFailed(UPDATE_FAIL_BUNDLE, why)
