"""A folder of its own for a test: on MicroPython a littlefs, like a board's; on CPython a temporary one.

Its disk is no part of the heap, like a board's flash: a file without a name. On a chip there is no other place for it.
"""

import os
import sys
from binascii import hexlify

MICROPYTHON = sys.implementation.name == "micropython"
BLOCK = 512
CHIP = MICROPYTHON and sys.platform != "linux"
BLOCKS = 96 if CHIP else 160  # a chip has no RAM for more
_disk = [bytearray(BLOCK) for _ in range(BLOCKS)] if CHIP else []  # now, while the heap is not in pieces


class RamDisk:
    """A block device of `blocks` blocks."""

    def __init__(self, blocks):
        self._blocks = blocks

    def readblocks(self, block, data, offset=0):
        data[:] = memoryview(_disk[block])[offset : offset + len(data)]

    def writeblocks(self, block, data, offset=0):
        _disk[block][offset : offset + len(data)] = data

    def ioctl(self, operation, _):
        return {4: self._blocks, 5: BLOCK}.get(operation, 0)


class FileDisk(RamDisk):
    """The same in a file."""

    def __init__(self, blocks):
        super().__init__(blocks)
        path = _temporary()
        self._file = open(path, "w+b")  # noqa: SIM115 - gone with the process
        os.remove(path)
        self._file.seek(BLOCK * blocks - 1)
        self._file.write(b"\0")

    def readblocks(self, block, data, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(data)

    def writeblocks(self, block, data, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.write(data)


class Scratch:
    """`with Scratch() as root:` root is the path of an empty folder, gone afterwards. blocks: of the littlefs."""

    def __init__(self, blocks=BLOCKS):
        self._blocks = blocks

    def __enter__(self):
        if MICROPYTHON:
            disk = (RamDisk if CHIP else FileDisk)(self._blocks)
            os.VfsLfs2.mkfs(disk)
            os.mount(os.VfsLfs2(disk), "/scratch")
            return "/scratch"
        self._root = _temporary()
        os.mkdir(self._root)
        return self._root

    def __exit__(self, *_):
        if MICROPYTHON:
            os.umount("/scratch")
        else:
            remove(self._root)


def _temporary():
    return (os.getenv("TMPDIR") or "/tmp") + "/srup-" + hexlify(os.urandom(8)).decode()


def remove(folder):
    """A folder with all that is in it."""
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            remove(path)
        else:
            os.remove(path)
    os.rmdir(folder)


def tree(folder, below=""):
    """{path: contents} of all files in it; {} if it is empty, or not there."""
    found = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            found.update(tree(path, below + name + "/"))
        else:
            found[below + name] = read(path)
    return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


_open = []


def folder():
    """The path of an empty folder; the one that was handed out before is gone. For stories that span functions."""
    _close()
    scratch = Scratch()
    root = scratch.__enter__()
    _open.append(scratch)
    return root


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _close():
    while _open:
        _open.pop().__exit__()


if not MICROPYTHON:
    import atexit

    atexit.register(_close)
