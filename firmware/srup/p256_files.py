"""Combs (see srup.p256_comb) found: in a file, or in the firmware. Imported when one is needed, and let go.

The file p256.combs has a section for G and for each key that is used often: 256 rows, the SHA-256 of the public key
(65 bytes, SEC 1 uncompressed), and the SHA-256 of the key and the rows. That finds what broke, not who broke it: keep the
file where the keys are, as it decides what is good no less. A section that is missing, or was broken, is made from the
key. It is one file, as one that is open takes a kilobyte of memory.

The comb of G may be frozen into the firmware, as ROWS in a module p256_g: there it takes no memory.
"""

try:
    from uhashlib import sha256  # the firmware's own, even where micropython-lib's package hides it under `hashlib`
except ImportError:
    from hashlib import sha256

from srup.errors import StorageError
from srup.limits import const
from srup.p256_comb import Comb, Filed, let_go

G = bytes.fromhex(
    "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
    "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
)
_SIZE = const(16_384)  # bytes of the rows
_SECTION = const(16_448)
_PIECE = const(1024)
_NAME = "/p256.combs"


def found(public_key, place, combs, make=True):
    """The comb of this key, or for b"" of G. None if there is no folder, or nothing good and not to `make`; but not for G.

    place, combs: those of srup.p256; the sections of these combs are to stay.
    Raises StorageError where one reads back differently, OSError where it can't be written.
    """
    if not public_key:
        comb = _frozen()
        if comb:
            return comb
    if place[0]:
        return _filed(public_key or G, place, combs, make)
    if public_key:
        return None
    from srup.p256_build import made

    let_go("p256_build")
    return made(*_point(G))


def _frozen():
    """The comb of G that is part of the firmware, or None."""
    try:
        from p256_g import ROWS  # pyright: ignore[reportMissingImports] there is one in a firmware only
    except ImportError:
        return None
    return _mapped(memoryview(ROWS))


def _mapped(rows):
    """A comb of rows that stay where they are. A kernel reads 16 bits at a time, which not every processor can anywhere."""
    try:
        from uctypes import addressof
    except ImportError:
        return Comb(rows)
    if addressof(rows) & 1 == 0:
        return Comb(rows)
    from srup.p256_build import in_pieces

    return in_pieces([rows])


def _filed(public_key, place, combs, make):
    folder, in_memory, _ = place
    path = folder + _NAME
    start = _start(path, public_key)
    if start is None:
        if not make:
            return None
        for _ in making(public_key, place, combs):
            pass
        start = _start(path, public_key)
        if start is None:
            raise StorageError("a table reads back differently")
    if in_memory:
        rows = bytearray(_SIZE)
        with open(path, "rb") as file:
            file.seek(start)
            file.readinto(rows)
        return Comb(rows)
    if not place[2]:
        place[2] = open(path, "rb")
    return Filed(place, start)


def _start(path, public_key):
    """Where this key's section begins; None if there is none, or not as it was made."""
    identity = sha256(public_key).digest()
    try:
        with open(path, "rb") as file:
            for start, mark in _sections(file):
                if mark[:32] == identity:
                    return start if mark[32:] == _checksum(file, start, public_key) else None
    except OSError:
        pass  # there is no file
    return None


def _sections(file):
    """(where it begins, its last 64 bytes) of each."""
    start = 0
    while True:
        file.seek(start + _SIZE)
        mark = file.read(64)
        if len(mark) < 64:
            return
        yield start, mark
        start += _SECTION


def _checksum(file, start, public_key):
    checksum, piece = sha256(public_key), bytearray(_PIECE)
    file.seek(start)
    for _ in range(_SIZE // _PIECE):
        checksum.update(memoryview(piece)[: file.readinto(piece)])
    return checksum.digest()


def making(public_key, place, used):
    """Generator: write its section, a KB of rows in each step, in the place of the first that is not in use, or behind all.

    One that ends early leaves what is no good. Until the end whoever reads the file finds what was there before (on
    littlefs; elsewhere, too, but for the section that is written).
    """
    from srup.p256_build import build

    let_go("p256_build")
    path, identity = place[0] + _NAME, sha256(public_key).digest()
    stay = [sha256(key or G).digest() for key in used] + [sha256(G).digest()]
    with open(path, "ab"):
        pass  # so that there is one
    try:
        with open(path, "r+b") as file:
            start = 0
            for start, mark in _sections(file):
                if mark[:32] == identity or mark[:32] not in stay:
                    break
                start += _SECTION
            file.seek(start)
            checksum = sha256(public_key)
            for rows in build(*_point(public_key)):
                checksum.update(rows)
                file.write(rows)
                yield
            file.write(identity + checksum.digest())
    finally:
        if place[2]:  # it would go on with what the file was
            place[2].close()
            place[2] = open(path, "rb")


def _point(public_key):
    return int.from_bytes(public_key[1:33], "big"), int.from_bytes(public_key[33:], "big")
