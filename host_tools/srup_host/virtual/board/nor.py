"""NOR flash in a file, and the file system that a board has on it. MicroPython's unix port runs this.

The rules are the chip's (a Pico's W25Q16, and an ESP32's alike): erasing sets the 4,096 bytes of a block to 0xFF, and
programming pages of 256 bytes only clears bits. An operation is in the file when it returns, so that killing the process at
any time is a power cut between two operations; `cut` is one at a chosen operation, or in the middle of it.
"""
# pyright: basic, reportMissingImports=false

import random
import struct
import sys

import ffi
import vfs

BLOCK = 4096
PAGE = 256
POWER_CUT = 65  # exit code of a process whose power was cut at the operation that was asked for

_ERASED = b"\xff" * PAGE


class Nor:
    """Block device of MicroPython's extended protocol.

    image: the chip's contents; counters: u32 operations done, then u32 erases for each block; both files opened "r+b".
    cut: number of the operation, counted over the chip's life, that the power does not last for; 0 for none.
    torn: half of that operation is done, with random remains; otherwise nothing of it.
    """

    def __init__(self, image, counters, cut=0, torn=False):
        self._image = image
        self._blocks = image.seek(0, 2) // BLOCK
        self._counters = counters
        self._count = bytearray(4)
        self._done = self._add(0, 0)
        self._cut = cut
        self._torn = torn
        self._page = memoryview(bytearray(PAGE))

    def readblocks(self, block, buffer, offset=0):
        self._image.seek(block * BLOCK + offset)
        self._image.readinto(buffer)

    def writeblocks(self, block, data, offset=None):
        """Program; without an offset, erase first. Raises ValueError unless it is whole pages: the chip takes no less."""
        if offset is None:
            offset = 0
            for each in range(len(data) // BLOCK):
                self._erase(block + each)
        if offset % PAGE or len(data) % PAGE:
            raise ValueError("not whole pages")
        data = memoryview(data)
        for start in range(0, len(data), PAGE):
            self._program(block * BLOCK + offset + start, data[start : start + PAGE])

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK
        if operation == 6:
            self._erase(argument)
        return 0

    def _program(self, at, data):
        fails = self._begin()
        page = self._page
        self._image.seek(at)
        self._image.readinto(page)
        if fails:
            data = _half_programmed(data)
        if page != _ERASED:
            for i in range(PAGE):
                page[i] &= data[i]
            data = page
        self._write(at, data)
        self._end(fails)

    def _erase(self, block):
        fails = self._begin()
        for at in range(block * BLOCK, block * BLOCK + BLOCK, PAGE):
            self._write(at, self._half_erased(at) if fails else _ERASED)
        self._add(4 + 4 * block, 1)
        self._end(fails)

    def _half_erased(self, at):
        """The page at `at` with bits at random set to 1."""
        self._image.seek(at)
        self._image.readinto(self._page)
        for i in range(PAGE):
            self._page[i] |= random.getrandbits(8)
        return self._page

    def _write(self, at, data):
        self._image.seek(at)
        self._image.write(data)

    # Counting, and cutting the power

    def _begin(self):
        """Does the power fail during the operation that begins? If it fails before, this does not return."""
        if self._done + 1 != self._cut:
            return False
        if not self._torn:
            exit_now(POWER_CUT)
        random.seed(self._cut)
        return True

    def _end(self, fails):
        self._done = self._add(0, 1)
        if fails:
            exit_now(POWER_CUT)

    def _add(self, at, number):
        """Add to the counter at this offset of the file; its new value."""
        self._counters.seek(at)
        self._counters.readinto(self._count)
        value = struct.unpack("<I", self._count)[0] + number
        if number:
            struct.pack_into("<I", self._count, 0, value)
            self._counters.seek(at)
            self._counters.write(self._count)
        return value


def _half_programmed(data):
    """What gets into a page before the power fails: a beginning, some bits of a byte, nothing of the rest."""
    done = random.randrange(PAGE)  # noqa: S311 - where a power cut hits
    half = bytearray(_ERASED)
    half[:done] = data[:done]
    half[done] = data[done] | random.getrandbits(8)
    return half


def exit_now(code):
    """The process ends here: no exception to catch, no `finally`."""
    ffi.open(None).func("v", "_exit", "i")(code)


class Part:
    """`count` blocks of a Nor, from `first` on, as a block device."""

    def __init__(self, flash, first, count):
        self._flash = flash
        self._first = first
        self._count = count

    def readblocks(self, block, buffer, offset=0):
        self._flash.readblocks(self._first + block, buffer, offset)

    def writeblocks(self, block, data, offset=None):
        self._flash.writeblocks(self._first + block, data, offset)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._count
        return self._flash.ioctl(operation, self._first + argument if operation == 6 else argument)


class Rp2:
    """In place of the module rp2: the chip, from `start` on; `len` bytes, or all that is left."""

    def __init__(self, flash):
        blocks = flash.ioctl(4, 0)
        self.Flash = lambda start=0, len=0: Part(flash, start // BLOCK, len // BLOCK or blocks - start // BLOCK)


def raw_blocks(directory):
    """How many blocks there are before the file system: what DIRECTORY/flash.raw says, if it is there."""
    try:
        with open(directory + "/flash.raw") as file:
            return int(file.read()) // BLOCK
    except OSError:
        return 0


def mount(directory, cut=0, torn=False):
    """Mount DIRECTORY/flash.img at / as a Pico's firmware does: littlefs, made anew if it can't be mounted."""
    image = open(directory + "/flash.img", "r+b")  # noqa: SIM115, for as long as the process lives
    counters = open(directory + "/flash.counters", "r+b")  # noqa: SIM115
    flash = Nor(image, counters, cut, torn)
    raw = raw_blocks(directory)
    sys.modules["rp2"] = Rp2(flash)  # pyright: ignore[reportArgumentType]
    storage = Part(flash, raw, flash.ioctl(4, 0) - raw)
    try:
        disk = vfs.VfsLfs2(storage, progsize=PAGE)
    except OSError:
        vfs.VfsLfs2.mkfs(storage, progsize=PAGE)
        disk = vfs.VfsLfs2(storage, progsize=PAGE)
    vfs.umount("/")
    vfs.mount(disk, "/")
    sys.path[:] = ["", ".frozen", "/lib"]
