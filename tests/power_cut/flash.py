"""NOR flash in memory, as a block device of MicroPython's extended protocol. Runs on MicroPython.

The rules are those of the chip (a Pico's W25Q16, an ESP32's alike; the same as srup_host.virtual's nor.py): programming clears
bits, a page of 256 bytes at a time; only erasing sets them, a block of 4,096 bytes at a time. Each is one operation.

An image is a list of blocks, and none of them is ever changed: a Flash copies a block when it first writes to it, so that
thousands of images share what they have in common. A power cut is made from the record of a run: what is in flash
when the power goes at operation N is the image before it, with nothing of it, or a part of it (`torn`). That this is what a
device leaves that dies at N is tested by letting it (`dies_at`).
"""

from hashlib import sha256

import micropython

BLOCK = 4096
PAGE = 256
PAGES = BLOCK // PAGE
EIO = 5

# What has become of a page of the image that a flash began with
UNTOUCHED = 0
READ = 1  # or programmed, which does not undo what is there
ERASED_UNREAD = 2

_ERASED_PAGE = b"\xff" * PAGE
ERASED = b"\xff" * BLOCK


class Flash:
    """image: what is in it · record: called before each operation with (block, offset, data) to program, (block, 0, None) to
    erase · dies_at: number of the operation, from 1, that it does not do, nor anything after it · disturb: (block, reads, bit):
    after so many reads of the block, bit `bit` of it is cleared (read disturb)."""

    def __init__(self, image, record=None, dies_at=0, disturb=None):
        self.began = image
        self.pages = bytearray(PAGES * len(image))  # UNTOUCHED ...
        self._blocks = list(image)
        self._mine = bytearray(len(self._blocks))  # blocks that are copies
        self._record = record
        self._dies_at = dies_at
        self._disturb = disturb
        self._state = bytearray(1)  # not 0: dead
        self.operations = 0
        if not disturb:
            self.readblocks = _reader(self._state, self._blocks, self.pages)

    @property
    def dead(self):
        return self._state[0] != 0

    def image(self):
        """What is in it now. The flash itself is dead from here on: a new boot has a new one."""
        self._state[0] = 1
        return self._blocks

    # the block device

    def readblocks(self, block, buffer, offset=0):
        """With read disturb; without it, `_reader` takes the place of this."""
        self._wear_by_reading(block)
        return _reader(self._state, self._blocks, self.pages)(block, buffer, offset)

    def writeblocks(self, block, data, offset=None):
        """Program; without an offset, erase first."""
        if offset is None:
            offset = 0
            for each in range(len(data) // BLOCK):
                if self._erase(block + each):
                    return -EIO
        if offset % PAGE or len(data) % PAGE:
            raise ValueError("not whole pages")
        data = memoryview(data)
        for at in range(0, len(data), PAGE):
            if self._program(block + (offset + at) // BLOCK, (offset + at) % BLOCK, data[at : at + PAGE]):
                return -EIO
        return 0

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self._blocks)
        if operation == 5:
            return BLOCK
        if operation == 6:
            return self._erase(argument)
        return 0

    # operations

    def _program(self, block, offset, data):
        if not self._begin(block, offset, data):
            return -EIO
        page = block * PAGES + offset // PAGE
        self.pages[page] = self.pages[page] or READ
        program(self._own(block), offset, data)
        return 0

    def _erase(self, block):
        if not self._begin(block, 0, None):
            return -EIO
        for page in range(block * PAGES, (block + 1) * PAGES):
            self.pages[page] = self.pages[page] or ERASED_UNREAD
        self._blocks[block] = ERASED
        self._mine[block] = 0
        return 0

    def _begin(self, block, offset, data):
        if self.dead:
            return False
        if self._record:
            self._record(block, offset, data)
        self.operations += 1
        self._state[0] = self.operations == self._dies_at
        return not self.dead

    def _own(self, block):
        if not self._mine[block]:
            self._blocks[block] = bytearray(self._blocks[block])
            self._mine[block] = 1
        return self._blocks[block]

    def _wear_by_reading(self, block):
        victim, reads, bit = self._disturb or (None, 0, 0)
        if block == victim:
            self._disturb = (victim, reads - 1, bit) if reads > 1 else None
            if reads <= 1:
                self._own(block)[bit >> 3] &= ~(1 << (bit & 7))


def _reader(state, blocks, pages):
    """`readblocks` of a Flash. littlefs reads some twenty thousand times in a board's life, 32 bytes and more at a time, as it
    follows its lists at every step: nothing is looked up here that need not be."""
    copy = _copy

    @micropython.native
    def readblocks(block, buffer, offset=0):
        if state[0]:
            return -EIO
        copy(buffer, blocks[block], offset, len(buffer), pages, block << 4)
        return 0

    return readblocks


@micropython.viper
def _copy(target: ptr8, source: ptr8, at: int, count: int, pages: ptr8, first: int):  # noqa: F821 - viper's types
    """Bytes of a block; and its pages, from number `first` on, are READ if they were UNTOUCHED."""
    for page in range(first + (at >> 8), first + (at + count - 1 >> 8) + 1):
        if pages[page] == 0:
            pages[page] = 1
    to = ptr32(target)  # noqa: F821
    words = ptr32(uint(source) + at)  # noqa: F821
    for i in range(count >> 2):
        to[i] = words[i]
    for i in range(count & ~3, count):
        target[i] = source[at + i]


class Region:
    """`count` blocks of a chip, from `first` on: a partition, or the part that the file system has."""

    def __init__(self, flash, first, count):
        self._flash = flash
        self._first = first
        self._count = count
        if not first:
            self.readblocks = flash.readblocks

    def readblocks(self, block, buffer, offset=0):
        return self._flash.readblocks(self._first + block, buffer, offset)

    def writeblocks(self, block, data, offset=None):
        return self._flash.writeblocks(self._first + block, data, offset)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._count
        return self._flash.ioctl(operation, self._first + argument if operation == 6 else argument)


def program(block, offset, data):
    """Clear the bits of the page at `offset` that are 0 in `data`."""
    old = block[offset : offset + PAGE]
    block[offset : offset + PAGE] = data if old == _ERASED_PAGE else _and(old, data)


def done(block, offset, data):
    """The block after this operation."""
    if data is None:
        return ERASED
    after = bytearray(block)
    program(after, offset, data)
    return after


def torn(block, offset, data, seed, salt):
    """The block when the power goes in the middle of this operation. Odd seeds: it comes as far as somewhere; even
    ones: everywhere at once, and so far. salt: another number for each operation."""
    chance = _random(seed, salt)
    if data is None:
        return _torn_erase(block, chance, seed & 1)
    return done(block, offset, _torn_page(bytes(data), chance, seed & 1))


def _torn_page(data, chance, in_order):
    """What reaches the page: a beginning and some bits of a byte; or any of its bits."""
    if not in_order:
        return _or(data, chance(PAGE))
    at = chance(1)[0]
    return data[:at] + bytes((data[at] | chance(1)[0],)) + _ERASED_PAGE[at + 1 :]


def _torn_erase(block, chance, in_order):
    """Some of the block's bits set: its first pages whole and random ones of a page; or any of all of them."""
    if not in_order:
        return _or(block, chance(BLOCK))
    at = chance(1)[0] % (BLOCK // PAGE) * PAGE
    return ERASED[:at] + _or(block[at : at + PAGE], chance(PAGE)) + block[at + PAGE :]


def _random(*seeds):
    """A function giving the next n bytes."""
    count = 0
    left = b""

    def take(n):
        nonlocal count, left
        while len(left) < n:
            left += sha256(b"%d %r" % (count, seeds)).digest()
            count += 1
        taken, left = left[:n], left[n:]
        return taken

    return take


def _and(one, other):
    return (int.from_bytes(one, "big") & int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _or(one, other):
    return (int.from_bytes(one, "big") | int.from_bytes(other, "big")).to_bytes(len(one), "big")
