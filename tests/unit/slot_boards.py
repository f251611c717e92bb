"""Boards of every backing of slots, for stories: `with Folders() as board:`, Regions, Firmwares, Pairs; slot a holds version 1."""

import hashlib
import sys

from srup.firmware_slots import FirmwareSlots
from srup.pair_slots import PairSlots
from srup.partition_slots import PartitionSlots
from srup.slots import FileSlots
from srup_boot import firmware, hw, record, region, slot, start
from srup_boot.record import NONE
from tests.unit import boot_record, bundles
from tests.unit.bundles import ReleaseKeys, flipped, sha256_hex
from tests.unit.fake_esp32 import Chip, partition_class
from tests.unit.nor import BLOCK, PAGE, Nor
from tests.unit.scratch import Scratch, read, write

TOKEN = bytes(range(16))
KEYS = ReleaseKeys()
BLOCKS = 3  # of each raw slot: two for the image, one for the header


class Reset(Exception):
    """The board starts again."""


def reset():
    raise Reset()


class Board:
    """`with Board(...) as board:` slot a holds version 1, confirmed, and runs. `slots` is the backing, made anew by `boot`."""

    counter = 5

    def __enter__(self):
        self._scratch = Scratch()
        self.root = self._scratch.__enter__()
        self._real = start.contents, hw.reset, hw.arm, hw.watch
        start.contents, hw.reset, hw.arm, hw.watch = self._contents, reset, lambda seconds: None, lambda: None
        self.where = self._made()
        self._first()
        self.boot()
        return self

    def __exit__(self, *_):
        start.contents, hw.reset, hw.arm, hw.watch = self._real
        self._scratch.__exit__()

    def _contents(self, root):
        return self.where

    def _first(self):
        self.slots = self.backing(start.Choice(NONE, False, None, "", NONE))
        self.stage(self.bundle(1))
        self.save(active=0, counter=self.counter)

    def save(self, **fields):
        boot_record.save(self.root, **fields)

    def record(self):
        return record.load(self.root)

    def boot(self, stable=True):
        """Reset, until the boot part starts a slot or nothing; which one. It is a good start, unless it is not to reach its stable minute."""
        path = sys.path[:]
        for _ in range(20):
            try:
                self._power_on()
                choice = start.choose(self.root)
                break
            except Reset:
                pass
            finally:
                self._power_off()
                sys.path[:] = path
        if stable and not choice.trial:
            record.load(self.root).stable(choice.slot, self.root)
        self.trial = choice.trial
        self.slots = self.backing(choice)
        return choice.slot

    def _power_on(self):
        pass

    def _power_off(self):
        pass

    def stage(self, data):
        write(self.slots.incoming, data)
        return len(list(self.slots.stage(KEYS, "UNIX", "6.3")))

    def versions(self):
        """Of the two slots, as their manifests say; None for an empty one."""
        return [manifest and manifest["version"] for manifest in (self.slots.manifest(0), self.slots.manifest(1))]


class Folders(Board):
    def _made(self):
        return slot.Folders(self.root)

    def backing(self, choice):
        return FileSlots(self.root, choice)

    def bundle(self, version, **changes):
        contents = (("app.py", b"VERSION = %d\n" % version), ("data", bytes((version,)) * 1500))
        described = {"counter": self.counter, "version": f'"{version}"'}
        described.update(changes)
        return bundles.build(contents, **described)

    def damage(self, number):
        path = slot.slot_path(self.root, number) + "/data"
        write(path, flipped(read(path), 4001))


class Regions(Board):
    kind = "romfs"

    def _made(self):
        self.flash = [Nor(BLOCKS), Nor(BLOCKS)]
        contents = region.Regions(self.flash)
        contents.enter = lambda slot, trial: None  # what is in these images is no ROMFS: see test_a_romfs_is_mounted...
        return contents

    def backing(self, choice):
        return PartitionSlots(self.root, choice, self.where)

    def image(self, version, size=1500):
        return bytes((version,)) * size

    def bundle(self, version, image=None, **changes):
        image = self.image(version) if image is None else image
        described = {"kind": f'"{self.kind}"', "files": 1, "size": len(image), "tree": f'"{sha256_hex(image)}"'}
        described.update(version=f'"{version}"', counter=self.counter)
        described.update(changes)
        return bundles.build((), image, **described)

    def damage(self, number):
        self.flash[number].flip(1400)


class Firmwares(Regions):
    kind = "firmware"

    def _made(self):
        self.chip = Chip(BLOCKS)
        self.flash = self.chip.apps
        factory = self.image(1)
        for at in range(0, len(factory), PAGE):
            page = factory[at : at + PAGE]
            self.flash[0].writeblocks(at // BLOCK, page + b"\xff" * (PAGE - len(page)), at % BLOCK)
        return firmware.Firmwares(partition_class(self.chip))

    def _first(self):
        self.save(active=0, counter=self.counter)  # flashed in the factory, by a cable

    def _firmwares(self):
        return firmware.Firmwares(partition_class(self.chip))

    def _power_on(self):
        self.chip.boot()
        self.where = self._firmwares()

    def backing(self, choice):
        return FirmwareSlots(self.root, choice, self.where)

    def image(self, version, size=1500, chip=0):
        head = b"\xe9\x01" + bytes(10) + bytes((chip, 0)) + bytes(9) + b"\x01"
        body = head + bytes((version,)) * (size - len(head) - 32)
        return body + hashlib.sha256(body).digest()


class Pairs(Firmwares):
    """Firmware and application, each update a set."""

    kind = "set"

    def _made(self):
        super()._made()
        return self._firmwares()

    def _firmwares(self):
        return firmware.Pairs(partition_class(self.chip), self.root)

    def _first(self):
        """The firmware by cable, the application provisioned."""
        slots = FileSlots(self.root, start.Choice(NONE, False, None, "", NONE))
        write(slots.incoming, self.application(1))
        list(slots.stage(KEYS, "UNIX", "6.3"))
        self.save(active=0, counter=self.counter)

    def backing(self, choice):
        return PairSlots(self.root, choice, self.where)

    def files(self, version):
        return (("app.py", b"VERSION = %d\n" % version), ("data", bytes((version,)) * 1500))

    def application(self, version, **changes):
        """An application alone."""
        described = {"version": f'"{version}"', "counter": self.counter}
        described.update(changes)
        return bundles.build(self.files(version), **described)

    def bundle(self, version, image=None, **changes):
        """A set."""
        image = self.image(version) if image is None else image
        described = {"kind": '"set"', "image_size": len(image), "version": f'"{version}"', "counter": self.counter}
        described["image"] = f'"{sha256_hex(image)}"'
        described.update(changes)
        files = self.files(version)
        return bundles.build(files, image + bundles.body_of(files), **described)

    def damage(self, number):
        Folders.damage(self, number)


ALL = (Folders, Regions, Firmwares, Pairs)
RAW = (Regions, Firmwares)
