"""Combs (see srup.p256_comb) in files: found, checked, or made. Imported when one is opened, and let go.

A file is the comb's 256 rows, then the SHA-256 of the public key (65 bytes, SEC 1 uncompressed) and the rows. That finds
what broke, not who broke it: keep the file where the key is, as it decides what is good no less. A file that is missing,
or was broken, is made from the key.

The comb of G may be frozen into the firmware, as ROWS in a module p256_g: there it takes no memory.
"""

import os

try:
    from uhashlib import sha256  # the firmware's own, even where micropython-lib's package hides it under `hashlib`
except ImportError:
    from hashlib import sha256

from srup.errors import StorageError
from srup.limits import const
from srup.p256_comb import ROW, Comb, Filed, let_go

SIZE = const(16_384)  # bytes of the rows
_PIECE = const(1024)


def kept(public_key, place, used):
    """The comb in this key's file, which is made if need be; None if there is no folder.

    place: the folder, and True to have the rows in memory · used: public keys whose files are to stay.
    Raises StorageError where it reads back differently, OSError where it can't be written.
    """
    folder, in_memory = place
    if not folder:
        return None
    path = folder + "/" + name(public_key)
    if not _is_good(path, public_key):
        _make_room(folder, used)
        make(path, public_key)
        if not _is_good(path, public_key):
            raise StorageError("a table reads back differently")
    file = open(path, "rb")
    if in_memory:
        rows = bytearray(SIZE)
        with file:
            file.readinto(rows)
        return Comb(rows)

    return Filed(file)


def frozen():
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

        return Comb(rows) if addressof(rows) & 1 == 0 else Filed(Pieces([rows]))
    except ImportError:
        return Comb(rows)


def made(public_key):
    """A comb in memory, for want of anything else; in pieces of 1 KB, as a larger one is not to be had for sure."""
    return Filed(Pieces([memoryview(bytes(rows)) for rows in _build(public_key)]))


class Pieces:
    """A file, as far as a comb needs one, in memory."""

    def __init__(self, pieces):
        self._pieces = pieces
        self._at = 0

    def seek(self, at):
        self._at = at

    def readinto(self, row):
        piece, at = divmod(self._at, len(self._pieces[0]))
        row[:] = self._pieces[piece][at : at + ROW]


def make(path, public_key):
    """Write a comb's file."""
    checksum = sha256(public_key)
    with open(path, "wb") as file:
        for rows in _build(public_key):
            checksum.update(rows)
            file.write(rows)
        file.write(checksum.digest())


def _make_room(folder, used):
    """Remove the files of other keys."""
    stay = [name(key) for key in used]
    for found in os.listdir(folder):
        if found.endswith(".comb") and found not in stay:
            os.remove(folder + "/" + found)


def name(public_key):
    return "".join("%02x" % octet for octet in sha256(public_key).digest()[:8]) + ".comb"


def _build(public_key):
    from srup.p256_build import build

    let_go("p256_build")
    return build(int.from_bytes(public_key[1:33], "big"), int.from_bytes(public_key[33:], "big"))


def _is_good(path, public_key):
    """True if the file is there, and as it was made."""
    checksum, piece = sha256(public_key), bytearray(_PIECE)
    try:
        with open(path, "rb") as file:
            for _ in range(SIZE // _PIECE):
                checksum.update(memoryview(piece)[: file.readinto(piece)])
            return file.read() == checksum.digest()
    except OSError:
        return False
