"""Where the boards of the campaign have their slots. Runs on MicroPython. A new kind is a class here, and an entry in BACKINGS.

kind          of bundle that it takes
blocks        of flash behind those of the file system
configure()   its slots.json, or None
first(...)    the first version into slot 0, confirmed, on a board being made
release_in(folder)  whose files these are, likewise
running(...)  the version that is in the chosen slot: what of it is there is exactly that of a release, or it is "mixed"
power_on()    what happens before any code of ours runs · power_off()
says(version) what an inventory may call it
application() the module `app` of the chosen slot
"""

import os

import vfs

from srup import keys, port
from srup.firmware_slots import FirmwareSlots
from srup.pair_slots import PairSlots
from srup.partition_slots import PartitionSlots
from srup.slots import FileSlots
from srup.store import Store
from srup_boot import hw, record, region, slot, start
from tests.power_cut.flash import BLOCK, PAGE, Region
from tests.unit.fake_esp32 import Chip, partition_class

_OWN = (".index", ".signature", ".manifest")
_FOLDER = 0x4000  # as os.ilistdir has it
_RAW = 3  # blocks of a raw slot: two of an image, one of its header


class Files:
    """Folders of littlefs."""

    kind = "app"
    blocks = 0
    slots = FileSlots

    def __init__(self, root, first_block, files, images):
        """files: {version: {path: contents}} · images: {version: contents}, of this kind"""
        self.root = root
        self._first_block = first_block
        self.files = files
        self.images = images
        self.flash = None

    def configure(self):
        return None

    def power_on(self, flash):
        self.flash = flash

    def power_off(self):
        pass

    def bare(self):
        """What there is where there is no application: nothing."""

    def first(self, bundle, number=0):
        state = record.load(self.root)
        slots = self._backing(start.Choice(number - 1 if number else record.NONE, False, False, "", record.NONE))
        with open(slots.incoming, "wb") as file:
            file.write(bundle)
        for _ in slots.stage(keys.Keys(Store(self.root + "/state.log"), self.root + "/device.key"), "UNIX", port.mpy()):
            pass
        self._confirmed(state, number, slots.manifest(number)["counter"])

    def _confirmed(self, state, number, counter):
        state.begin(number, 0, 0, counter, bytes(16))
        state.confirm()
        state.save(self.root)

    def _backing(self, choice):
        return FileSlots(self.root, choice)

    def running(self, choice):
        return self.release_in(slot.slot_path(self.root, choice.slot))

    def release_in(self, folder):
        found = _tree(folder)
        return _only([version for version, files in self.files.items() if files == found])

    def says(self, version):
        return (version,)

    def application(self, choice):
        return __import__("app")


class Regions(Files):
    """Raw flash: two regions behind the file system, a ROMFS in each."""

    kind = "romfs"
    blocks = 2 * _RAW

    def configure(self):
        return {"regions": [0, 1]}

    def power_on(self, flash):
        self.flash = flash
        hw.region = self.region

    def power_off(self):
        _umount(region.MOUNTED)

    def region(self, number):
        return Region(self.flash, self._first_block + number * _RAW, _RAW)

    def _backing(self, choice):
        return PartitionSlots(self.root, choice, slot.contents(self.root))

    def running(self, choice):
        return self._version(self.region(choice.slot))

    def _version(self, device):
        found = bytearray((_RAW - 1) * BLOCK)
        for block in range(_RAW - 1):
            device.readblocks(block, memoryview(found)[block * BLOCK : (block + 1) * BLOCK])
        found = bytes(found)
        return _only([version for version, image in self.images.items() if found.startswith(image)])


class Firmwares(Regions):
    """The two firmwares of an ESP32, and its otadata, which the bootloader goes by (tests/unit/fake_esp32.py).

    A firmware of the campaign is an image whose contents are the source of the application that is frozen into it.
    """

    kind = "firmware"
    blocks = 2 * _RAW + 2

    def configure(self):
        return {}

    def power_on(self, flash):
        self.flash = flash
        images = (_SOME_FIRMWARE,) + tuple(self.images.values())
        self._chip = _Chip(self.region(0), self.region(1), Region(flash, self._first_block + 2 * _RAW, 2), images)
        self._chip.boot()
        hw.partition = lambda: partition_class(self._chip)

    def power_off(self):
        pass

    def _backing(self, choice):
        return FirmwareSlots(self.root, choice, slot.contents(self.root))

    def first(self, bundle, number=0):
        """By cable, in the factory: the image alone, and no header."""
        image = next(image for image in self.images.values() if image in bundle)
        image += b"\xff" * (-len(image) % PAGE)
        for at in range(0, len(image), PAGE):
            self.region(number).writeblocks(at // BLOCK, image[at : at + PAGE], at % BLOCK)
        self._confirmed(record.load(self.root), number, 1)

    def running(self, choice):
        return self._version(self.region(self._chip.running))

    def says(self, version):
        return (version, None) if version == "1.0" else (version,)  # what came by cable has no manifest

    def application(self, choice):
        names = {"__name__": "app"}
        source = self.images[self.running(choice)][24:-32]
        exec(str(source, "utf-8"), names)
        return _Module(names)


class _Chip(Chip):
    """On the campaign's flash. images: all that there are, and one that is torn is none of them: what a chip finds by its SHA-256."""

    def __init__(self, app0, app1, otadata, images):
        self.apps = [app0, app1]
        self.otadata = otadata
        self.running = 0
        self._images = images

    def _is_image(self, app):
        return super()._is_image(app) and any(self._has(app, image) for image in self._images)

    def _has(self, app, image):
        piece = bytearray(PAGE)
        for at in range(0, len(image), PAGE):
            self.apps[app].readblocks(at // BLOCK, piece, at % BLOCK)
            expected = image[at : at + PAGE]
            if piece[: len(expected)] != expected:
                return False
        return True


class _Module:
    def __init__(self, names):
        self.setup = names["setup"]


class Pairs(Firmwares):
    """The same with the application in a folder beside its firmware. Each update is a set, and both halves are of one version."""

    kind = "set"

    def configure(self):
        return {"files": True}

    def power_on(self, flash):
        super().power_on(flash)
        self._number = self._chip.running

    def _backing(self, choice):
        return PairSlots(self.root, choice, slot.contents(self.root))

    def first(self, bundle, number=0):
        """By the device's own code, from beside another firmware; where there is none, one that is only there for that."""
        other, head = self.region(1 - number), bytearray(1)
        other.readblocks(0, head, 0)
        if head[0] == 0xFF:
            other.writeblocks(0, _SOME_FIRMWARE, 0)
        self._chip.running = 1 - number
        Files.first(self, bundle, number)
        self._chip.set_boot(number)
        self._chip.boot()
        self._chip.mark_valid()
        if head[0] == 0xFF:
            other.ioctl(6, 0)

    def bare(self):
        """A firmware runs, and there is no application."""
        self.region(0).writeblocks(0, _SOME_FIRMWARE, 0)

    def running(self, choice):
        """Of both halves the same, or it is "mixed"."""
        found = {super().running(choice), Files.running(self, choice)}
        return found.pop() if len(found) == 1 and choice.slot == self._chip.running else "mixed"

    def says(self, version):
        return (version,)

    def application(self, choice):
        return Files.application(self, choice)


_SOME_FIRMWARE = b"\xe9\x01" + bytes(21) + b"\x01" + bytes(PAGE - 24)
BACKINGS = {"files": Files, "regions": Regions, "firmwares": Firmwares, "pairs": Pairs}


def _only(versions):
    return versions[0] if versions else "mixed"


def _umount(path):
    try:
        vfs.umount(path)
    except OSError:
        pass  # it was not mounted


def _tree(folder, below=""):
    """{path: contents} of the application's files."""
    found = {}
    for name, kind, *_ in os.ilistdir(folder):
        path = folder + "/" + name
        if kind == _FOLDER:
            found.update(_tree(path, below + name + "/"))
        elif below or name not in _OWN:
            with open(path, "rb") as file:
                found[below + name] = file.read()
    return found
