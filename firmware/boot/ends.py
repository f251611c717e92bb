"""The two ends of a device, ordered by ACTION TURN_OFF and SELF_DESTRUCT: looked for at every start, before anything of a slot is.

`<root>/off`: it goes back to sleep, radio never on, whatever has woken it, until its power is cycled.

`<root>.end`, beside the folder: nothing of the device is to be left. The agent only writes this marker and resets; all else is
done here, and begun again here after a cut:

    1  every file goes, but the boot part and the marker
    2  every block goes that littlefs does not read to find these
    3  of those that it reads, every one that it can do without: the older half of a pair, which it keeps
    4  the raw slots
    5  what is left: the boot part, and the marker last

Keys lie wherever littlefs has ever put them: a folder's block is copied with each compaction, small files with it, and a block
that is free keeps what it had. So it is not asked which blocks are free, but which the boot part can't be read without. After 3
no byte of a key is left, and until 5 the marker and the boot part are there, to start from after a cut. One that comes in 5 may
leave a piece of the boot part, which is no secret.
"""

import json
import os

try:
    from uhashlib import sha256  # the firmware's own, even where a package hides it under `hashlib`
except ImportError:
    from hashlib import sha256

from srup_boot import hw
from srup_boot.slot import is_folder

OFF = "/off"
END = ".end"

_BOOT_PART = ("/boot.py", "/lib/srup_boot")
_EROFS = 30


def off(root):
    """Have the next starts go back to sleep. Raises OSError."""
    with open(root + OFF, "w") as file:
        file.write("off")


def end(root):
    """Have the next start destroy the device. Raises OSError where not even the room that its own files have is enough."""
    regions = _slots(root)
    try:
        _mark(root, regions)
    except OSError:
        _remove(root, ())
        _mark(root, regions)


def obey(root):
    """At a start where one of the markers is there. Returns where the device may go on."""
    if _exists(root + END):
        destroy(root)
        hw.reset()
    elif hw.cause() == "power":
        os.remove(root + OFF)
    else:
        hw.sleep()


def destroy(root):
    """Steps 1 to 5."""
    regions = _regions(root)
    mounted, name = root.rsplit("/", 1)
    kept = _BOOT_PART + ("/" + name + END,)
    _remove(mounted, tuple([mounted + path for path in kept]))  # 1
    device = hw.storage(regions)
    blocks = range(device.ioctl(4, 0))
    watched = _Watched(device)
    whole = _digest(watched, kept)
    needed = watched.read if whole else set()
    for block in blocks:
        if block not in needed:
            device.ioctl(6, block)  # 2
    for block in sorted(needed):
        if _digest(_Watched(device, block), kept) == whole:
            device.ioctl(6, block)  # 3
    for region in regions:
        raw = hw.region(region)
        for block in range(raw.ioctl(4, 0)):
            raw.ioctl(6, block)  # 4
    for block in reversed(blocks):
        device.ioctl(6, block)  # 5: the marker is in the first two


class _Watched:
    """A block device that can't be written, and notes what is read. without: number of a block that reads as erased."""

    def __init__(self, device, without=-1):
        self._device = device
        self._without = without
        self.read = set()

    def readblocks(self, block, buffer, offset=0):
        self.read.add(block)
        if block != self._without:
            return self._device.readblocks(block, buffer, offset)
        for at in range(len(buffer)):
            buffer[at] = 0xFF
        return 0

    def writeblocks(self, block, data, offset=0):
        return -_EROFS

    def ioctl(self, operation, argument):
        return -_EROFS if operation == 6 else self._device.ioctl(operation, argument)


def _digest(device, kept):
    """SHA-256 over the names and contents of what is to be kept, as littlefs reads them; None where it does not."""
    import vfs  # where there is something to destroy

    try:
        disk, digest = vfs.VfsLfs2(device), sha256()
        for path in kept:
            _add(disk, path, digest)
        return digest.digest()
    except OSError:
        return None


def _add(disk, path, digest):
    try:
        folder = disk.stat(path)[0] & 0x4000
    except OSError as fault:
        if fault.args[0] == 2:  # ENOENT: a boot part that is frozen into the firmware
            return
        raise
    digest.update(path.encode())
    if folder:
        for name in sorted([entry[0] for entry in disk.ilistdir(path)]):
            _add(disk, path + "/" + name, digest)
        return
    with disk.open(path, "rb") as file:
        while True:
            piece = file.read(512)
            if not piece:
                break
            digest.update(piece)


def _remove(folder, kept):
    """All that is in it, but what is `kept`, and the folders that this is in. What can't be removed is erased later."""
    for name in os.listdir(folder or "/"):
        path = folder + "/" + name
        if path in kept:
            continue
        try:
            if not is_folder(path):
                os.remove(path)
                continue
            _remove(path, kept)
            if not any(each.startswith(path + "/") for each in kept):
                os.rmdir(path)
        except OSError:
            pass


def _mark(root, regions):
    with open(root + END, "w") as file:
        json.dump(regions, file)


def _regions(root):
    """Of the raw slots, as the marker has them; one that a cut has left empty is written anew."""
    try:
        with open(root + END) as file:
            return json.load(file)
    except ValueError:
        regions = _slots(root)
        _mark(root, regions)
        return regions


def _slots(root):
    try:
        with open(root + "/slots.json") as file:
            return json.load(file).get("regions", [])
    except (OSError, ValueError):
        return []  # there is none; or what it said can't be known


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False
