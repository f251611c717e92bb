"""SELF_DESTRUCT under power cuts: after each, and one more start, no byte of a key is in the raw image. Runs on MicroPython:
`destroy.py STEP [PATTERN ...]`: cuts at every STEPth flash operation, clean (pattern 0) and torn. Prints JSON.

The flash has a past: the device's folder was compacted hundreds of times, and moved, so that keys lie in blocks that are free
now, in the older halves of pairs, and in what the boot part was later written to.
"""

import json
import os
import sys

import vfs

from srup.store import Store
from srup_boot import ends, hw
from tests.power_cut.flash import BLOCK, ERASED, Flash, done, torn

BLOCKS = 48
MOUNT = "/flash"
ROOT = MOUNT + "/srup-data"
SECRETS = {
    "device.key": bytes(range(1, 33)),
    "sealing.key": bytes(range(101, 133)),
    "config.json": b'{"wifi":[{"ssid":"home","password":"correct horse battery"}]}',
}
BOOT_PART = {
    "boot.py": b"# " + b"b" * 300,
    "lib/srup_boot/start.mpy": b"s" * 6000,
    "lib/srup_boot/ends.mpy": b"e" * 3000,
}
FILLER = 27  # blocks
WINDOW = 6  # so many bytes of a secret in a row are a piece of it


class Cut(BaseException):
    pass


def mount(flash):
    umount()
    try:
        disk = vfs.VfsLfs2(flash, progsize=256, mtime=False)
    except OSError:  # as a Pico's _boot.py
        vfs.VfsLfs2.mkfs(flash, progsize=256)
        disk = vfs.VfsLfs2(flash, progsize=256, mtime=False)
    vfs.mount(disk, MOUNT)
    hw.storage = lambda regions: flash


def umount():
    try:
        vfs.umount(MOUNT)
    except OSError:
        pass


def write(name, data):
    with open(MOUNT + "/" + name, "wb") as file:
        file.write(data)


def a_past(frozen):
    """A board that has been provisioned, has worked for a while, and then got a new boot part."""
    flash = Flash([ERASED] * BLOCKS)
    mount(flash)
    os.mkdir(ROOT)
    for name, data in SECRETS.items():
        write("srup-data/" + name, data)
    for number in range(6):  # folders that were, as the device's own is one whenever littlefs moves it
        folder = f"{MOUNT}/old{number}"
        os.mkdir(folder)
        for name, data in SECRETS.items():
            write(f"old{number}/{name}", data)
    for number in range(6):
        for name in SECRETS:
            os.remove(f"{MOUNT}/old{number}/{name}")
        os.rmdir(f"{MOUNT}/old{number}")
    umount()
    mount(flash)  # where allocation begins is another place after each start
    store = Store(ROOT + "/state.log")
    for number in range(40):
        store.put({b"K%d" % (number % 8): bytes((number,)) * 40})
    write("filler", bytes(FILLER * BLOCK))  # so that what comes next gets blocks that were something else
    for folder in ("lib", "lib/srup", "lib/srup_boot", "srup-data/a"):
        os.mkdir(MOUNT + "/" + folder)
    for name, data in {} if frozen else BOOT_PART.items():
        write(name, data)
    os.remove(MOUNT + "/filler")
    for name in ("main.py", "lib/srup/agent.mpy", "srup-data/a/app.mpy"):
        write(name, b"m" * 5000)
    umount()
    return flash.image()


def found(image):
    """Blocks in which there is a piece of a secret."""
    pieces = [data[at : at + WINDOW] for data in SECRETS.values() for at in range(len(data) - WINDOW + 1)]
    return [number for number, block in enumerate(image) if any(piece in bytes(block) for piece in pieces)]


def start(flash, frozen):
    """What a board does at a start: what the boot part finds a marker for, or else the agent an order on record."""
    mount(flash)
    boot_part = frozen or all(read(name) == data for name, data in BOOT_PART.items())
    if boot_part and read("srup-data" + ends.END) is not None:
        ends.destroy(ROOT)
    elif boot_part and read("srup-data/device.key"):
        ends.end(ROOT)
        ends.destroy(ROOT)
    umount()


def read(name):
    try:
        with open(MOUNT + "/" + name, "rb") as file:
            return file.read()
    except OSError:
        return None


def operations(image, frozen):
    """[(block, offset, data)] of an undisturbed destruction."""
    seen = []
    flash = Flash(image, lambda block, offset, data: seen.append((block, offset, data and bytes(data))))
    start(flash, frozen)
    return seen, flash.image()


def after(image, seen, number, pattern):
    """The flash when the power goes at operation `number`, counted from 0."""
    blocks = list(image)
    for block, offset, data in seen[:number]:
        blocks[block] = done(blocks[block], offset, data)
    block, offset, data = seen[number]
    if pattern:
        blocks[block] = torn(blocks[block], offset, data, pattern, number)
    return blocks


def in_use(image):
    """Blocks that littlefs reads to see all that there is."""
    watched = ends._Watched(Flash(image))
    ends._digest(watched, ("/",))
    return watched.read


def campaign(step, patterns, frozen):
    image = a_past(frozen)
    held = found(image)
    seen, gone = operations(image, frozen)
    left = [number for number, block in enumerate(gone) if bytes(block) != ERASED]
    failures, cuts = [], 0
    for number in range(0, len(seen), step):
        for pattern in patterns:
            flash = Flash(after(image, seen, number, pattern))
            start(flash, frozen)
            cuts += 1
            if found(flash.image()):
                failures.append([number, pattern])
    return {
        "operations": len(seen),
        "held": held,
        "used": sorted(in_use(image)),
        "stale": len(set(held) - in_use(image)),
        "left": left,
        "cuts": cuts,
        "failures": failures,
    }


step, *patterns = [int(argument) for argument in sys.argv[1:]]
print(json.dumps([campaign(step, patterns, frozen) for frozen in (False, True)]))
