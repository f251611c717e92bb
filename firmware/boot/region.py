"""Slots in raw flash: an image from the beginning of the region on, and a header in its last block, written last.

    "SRR1" | L16 size of the manifest | CRC-32 of what follows (4 bytes) | release signature (64) | manifest (JSON, signed)

The manifest's "size" and "tree" are the image's length and SHA-256; of a set, "image_size" and "image". A region without a valid header holds no slot, whatever else
is in it. The image is a ROMFS, mounted where it lies.
"""

import json
import sys
from binascii import crc32, hexlify

from srup_boot.slot import BadSlot

try:
    from uhashlib import sha256
except ImportError:
    from hashlib import sha256

MAGIC = b"SRR1"
SIGNATURE = 64
MOUNTED = "/slot"

_HEAD = 10


class Region:
    """A block device (MicroPython's extended protocol) to be read like a file, and written by the block.

    Raises OSError where the device does, or returns an error number.
    """

    def __init__(self, device):
        self.device = device
        self.block = device.ioctl(5, 0)
        self.size = device.ioctl(4, 0) * self.block
        self.room = self.size - self.block  # bytes that an image may have
        self._at = 0

    def seek(self, at):
        self._at = at

    def readinto(self, buffer):
        """Fills all of the buffer, or what there is up to the end; returns how many bytes."""
        view = memoryview(buffer)
        done, size = 0, min(len(view), self.size - self._at)
        while done < size:
            offset = self._at % self.block
            count = min(size - done, self.block - offset)
            _check(self.device.readblocks(self._at // self.block, view[done : done + count], offset))
            done += count
            self._at += count
        return size

    def program(self, at, data):
        """Write whole pages into erased flash, within one block."""
        _check(self.device.writeblocks(at // self.block, data, at % self.block))

    def erase(self, at):
        """The block that begins there."""
        _check(self.device.ioctl(6, at // self.block))

    def header(self):
        """(manifest, signature) as bytes. Raises BadSlot if there is no valid one."""
        head = bytearray(_HEAD)
        self.seek(self.room)
        self.readinto(head)
        size = int.from_bytes(head[4:6], "big")
        if head[:4] != MAGIC or _HEAD + SIGNATURE + size > self.block:
            raise BadSlot("empty")
        body = bytearray(SIGNATURE + size)
        self.readinto(body)
        if crc32(body) != int.from_bytes(head[6:], "big"):
            raise BadSlot("header differs")
        return bytes(body[SIGNATURE:]), bytes(body[:SIGNATURE])

    def memory(self, size):
        """The first bytes of it: where they lie if the machine maps its flash (RP2040), else a copy in RAM."""
        try:
            return memoryview(self.device)[:size]
        except TypeError:
            copy = bytearray(size)
            self.seek(0)
            self.readinto(copy)
            return copy


def header(manifest, signature):
    """What `Region.header` reads."""
    body = signature + manifest
    return MAGIC + len(manifest).to_bytes(2, "big") + crc32(body).to_bytes(4, "big") + body


class Regions:
    """The two slots, each in a region of its own. Methods as of srup_boot.slot.Folders."""

    def __init__(self, devices):
        self.regions = [Region(device) for device in devices]

    def verify(self, slot):
        try:
            described = self.regions[slot].header()[0]
        except OSError as fault:
            raise BadSlot("unreadable: %r" % fault)
        verify_described(self.regions[slot], described)

    def is_here(self, slot):
        return True

    def enter(self, slot, trial):
        """Mounts the image, and puts it first on sys.path. Raises OSError where it is no ROMFS."""
        import vfs

        region = self.regions[slot]
        image = region.memory(image_of(json.loads(region.header()[0]))[0])
        vfs.mount(vfs.VfsRom(image), MOUNTED)  # pyright: ignore[reportAttributeAccessIssue] - of a build with ROMFS
        sys.path.insert(0, MOUNTED)


def verify_described(region, manifest):
    """Raise BadSlot unless the image is the one that this manifest (bytes) means."""
    try:
        verify_image(region, *image_of(json.loads(manifest)))
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadSlot("unreadable: %r" % fault)


def image_of(manifest):
    """(bytes, SHA-256 in hex) of the image that a manifest describes: in a set, there are files beside it."""
    if manifest.get("image"):
        return manifest["image_size"], manifest["image"]
    return manifest["size"], manifest["tree"]


def verify_image(region, size, tree):
    """Raise BadSlot unless the first `size` bytes have this SHA-256 (hex)."""
    if size > region.room:
        raise BadSlot("larger than its place")
    digest, view = sha256(), memoryview(bytearray(1024))
    region.seek(0)
    while size:
        count = region.readinto(view[: min(size, len(view))])
        digest.update(view[:count])
        size -= count
    if str(hexlify(digest.digest()), "ascii") != tree:
        raise BadSlot("image differs")


def _check(result):
    if result:  # devices written in Python may return -errno
        raise OSError(5)  # EIO
