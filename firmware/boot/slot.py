"""Where the two slots are, and whether what is in one is whole.

On stock firmware a slot is a folder: the files of the application, and three of its own, written last and in this order:

    .index      "<sha256 hex> <size> <path>\\n" for each file
    .signature  the release signature
    .manifest   JSON, signed; "tree" is the SHA-256 of .index. A slot without it is empty, whatever else is in it.
"""

import json
import os
import sys
from binascii import hexlify

try:
    from uhashlib import sha256  # the firmware's own, even where a package hides it under `hashlib`
except ImportError:
    from hashlib import sha256

_LINE = 256  # longer than any line of an index


class BadSlot(Exception):
    """What is in the slot is not what was staged: the message says what differs."""


def contents(root):
    """Where this board's slots are: Folders, or what slots.json, written by who provisioned it, says instead.

    {"regions": [a, b]}: raw flash, each of them what srup_boot.hw.region takes. {}: an ESP32's two firmwares. {"files": true}: each
    of these with a folder beside it.
    """
    try:
        with open(root + "/slots.json") as file:
            described = json.load(file)
    except (OSError, ValueError):  # there is none, as on every board with stock firmware; or it can't be read: recovery
        return Folders(root)
    from srup_boot import hw

    if "regions" in described:
        from srup_boot.region import Regions

        return Regions([hw.region(each) for each in described["regions"]])
    from srup_boot.firmware import Firmwares, Pairs

    return Pairs(hw.partition(), root) if "files" in described else Firmwares(hw.partition())


class Folders:
    """The two slots, as above."""

    def __init__(self, root):
        self._root = root

    def verify(self, slot):
        """Raises BadSlot unless it is whole."""
        verify(self._root, slot)

    def is_here(self, slot):
        """Can it begin now, or does that take another firmware?"""
        return True

    def enter(self, slot, trial):
        """From here on imports look there first."""
        sys.path.insert(0, slot_path(self._root, slot))


def slot_path(root, slot):
    """The folder of slot 0 or 1."""
    return root + ("/a", "/b")[slot]


def verify(root, slot):
    """Return if every file of the slot is what its index says, the index what the manifest says, and no other is there.

    Raises BadSlot. The signature over the manifest was checked when it was staged; this looks for corruption.
    """
    try:
        _verify(slot_path(root, slot), bytearray(1024))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as fault:
        # a file missing, no JSON, no "tree", not an object, nested too deep
        raise BadSlot("unreadable: %r" % fault)


def is_folder(path):
    """Raises OSError where there is nothing."""
    return os.stat(path)[0] & 0x4000 != 0


def _verify(folder, buffer):
    with open(folder + "/.manifest", "rb") as file:
        tree = json.load(file)["tree"]
    if _sha256_hex(folder + "/.index", buffer) != tree:
        raise BadSlot(".index differs")
    files = 3
    with open(folder + "/.index", "rb") as index:
        while True:
            line = index.readline(_LINE)
            if not line:
                break
            digest, _, path = str(line, "utf-8")[:-1].split(" ", 2)
            if _sha256_hex(folder + "/" + path, buffer) != digest:
                raise BadSlot(path + " differs")
            files += 1
    if _count(folder) != files:
        raise BadSlot("more files than its index says")


def _sha256_hex(path, buffer):
    view = memoryview(buffer)
    digest = sha256()
    with open(path, "rb") as file:
        while True:
            size = file.readinto(buffer)
            if not size:
                return str(hexlify(digest.digest()), "ascii")
            digest.update(view[:size])


def _count(folder):
    """How many files there are in it and below."""
    files = 0
    for name in os.listdir(folder):
        path = folder + "/" + name
        files += _count(path) if is_folder(path) else 1
    return files
