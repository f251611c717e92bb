"""What the campaign cuts: each scenario is a board as it is at first, and what the server is then after. Runs on MicroPython.

    SCENARIOS   name: (start, script, version that runs in the end[, settings that hold then; files: that the application has; keys:
                names of those that are trusted])
    NOT         backing: scenarios that it has nothing to do with

Each start is a method of Factory: a board as a factory or an earlier update leaves it, made by the device's own code, once.
"""

import json
import os
from hashlib import sha256

import vfs

from srup import keys, port, tokens, trust
from srup.store import Store
from srup_boot import record
from srup_boot.start import Choice
from tests.power_cut import ecdsa, machine
from tests.power_cut.flash import BLOCK, ERASED, Flash, Region
from tests.power_cut.machine import BLOCKS, ROOT, Board
from tests.power_cut.server import (
    ADD,
    AUTHORITY,
    COMMAND,
    HOST,
    OF_AUTHORITY,
    OF_COMMAND,
    OF_RELEASE,
    RELEASE,
    REMOVE,
    Server,
)
from tests.unit.server import NOON

UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
OUTCAST = 99  # click that nobody is to make
FLOOR = tokens.first_at(NOON - 86_400_000)
DARK = 600_000  # milliseconds: three boots of a trial, and what the old version waits after them

SCENARIOS = {
    "update": ("factory", (("update", "2.0"),), "2.0"),
    "second-update": ("updated", (("update", "3.0"),), "3.0"),
    "resume": ("downloading", (("update", "2.0"),), "2.0"),
    "supersede": ("factory", (("supersede", "2.0"),), "2.0"),
    "cancel": ("factory", (("cancel", "2.0"), ("update", "2.0")), "2.0"),
    "unconfirmed": ("factory", (("unconfirmed", "2.0"),), "1.0"),
    "sick": ("updated", (("bad", "sick"), ("update", "3.0")), "3.0"),
    "crashes": ("factory", (("bad", "crashes"),), "1.0"),
    "resets": ("factory", (("bad", "resets"), ("update", "2.0")), "2.0"),
    "network-away": ("factory", (("update", "2.0", DARK),), "2.0"),
    "recovery": ("empty", (("update", "2.0"),), "2.0"),
    "fallback": ("rotten", (("update", "3.0"),), "3.0"),
    "commands": ("factory", (("action", 1), ("data", 2), ("probe",), ("action", 3), ("reboot",), ("data", 4)), "1.0"),
    "revert": ("sidestepped", (("revert",),), "1.0"),
    "settings": ("factory", (("settings", '{"trial_s":90}'), ("action", 1)), "1.0", {"trial_s": 90}),
    "bad-settings": (
        "factory",
        (("bad-settings", '{"broker":{"host":"nowhere"}}'), ("action", 1)),
        "1.0",
        {"trial_s": 60},
    ),
    "crash-loop": ("crashing", (("update", "3.0"),), "3.0"),
    "crash-loop-with-fallback": ("tiring", (("update", "3.0"),), "3.0"),
    "flipped-log": ("flipped", (("action", 1), ("update", "2.0")), "2.0"),
    "delta": ("updated", (("update", "2.1-delta"),), "2.1"),
    "sealed": ("factory", (("update", "2.0-sealed"),), "2.0"),
    "data": ("factory", (("update", "maps-1"), ("update", "maps-2")), "1.0", {"files": "maps-2"}),
    "command-key": (
        "factory",
        (
            ("keys", ADD, OF_COMMAND, "next"),
            ("action", 1),
            ("keys", REMOVE, OF_COMMAND, "command"),
            ("outcast", OUTCAST, "command"),
            ("data", 2),
        ),
        "1.0",
        {"keys": ("next", "release", "authority")},
    ),
    "authority-key": (
        "factory",
        (("keys", ADD, OF_AUTHORITY, "heir"), ("keys", REMOVE, OF_AUTHORITY, "authority"), ("action", 1)),
        "1.0",
        {"keys": ("command", "release", "heir")},
    ),
    "release-key": (
        "factory",
        (("keys", ADD, OF_RELEASE, "next"), ("update", "2.0-next"), ("keys", REMOVE, OF_RELEASE, "release")),
        "2.0",
        {"keys": ("command", "next", "authority")},
    ),
    "compaction": ("worn", (("action", 1), ("data", 2), ("action", 3)), "1.0"),
}


NOT = {
    "files": (),
    "regions": (),
    # There a firmware runs always; and what came by cable has no manifest, and so is nothing to go back to.
    "firmwares": ("recovery", "fallback", "crash-loop", "crash-loop-with-fallback", "revert"),
    "pairs": ("delta",),  # a set has none
}


class Factory:
    """Boards as they are at first, of one backing. bundles: {version: bundle} of its kind"""

    def __init__(self, backing, bundles):
        self._backing = backing
        self._bundles = bundles
        self._images = {}

    def image(self, name):
        if name not in self._images:
            self._images[name] = getattr(self, "_" + name)()
        return self._images[name]

    def _factory(self):
        """Provisioned, with 1.0 in slot a: what making.py and `srup provision` leave."""
        flash = self._provisioned()
        self._backing.first(self._bundles["1.0"])
        return self._taken_down(flash)

    def _empty(self):
        """Provisioned, without an application."""
        flash = self._provisioned()
        self._backing.bare()
        return self._taken_down(flash)

    def _updated(self):
        """It has been updated once: both slots are full, the boot record has a fallback."""
        return self._after("factory", ("update", "2.0"))

    def _downloading(self):
        """Half of a bundle is in flash, of an INITIATE long taken back."""
        flash = self._opened("factory")
        with open(ROOT + "/incoming", "wb") as file:
            file.write(self._bundles["2.0"][:1024])
        Store(ROOT + "/state.log").put({b"I": port.sha256(self._bundles["2.0"]).digest()})
        return self._taken_down(flash)

    def _sidestepped(self):
        """Updated to a version of the same security counter: it may go back."""
        return self._after("factory", ("update", "1.1"))

    def _rotten(self):
        """Read disturb has cleared a bit of the active slot: the fallback is to run."""
        image = self.image("updated")
        table = self._backing.files["2.0"]["data/table.bin"][:200]
        for number, block in enumerate(image):
            at = bytes(block).find(table)
            if at >= 0:
                flash = Flash(image, disturb=(number, 1, next(n * 8 for n in range(at, BLOCK) if block[n] & 1)))
                flash.readblocks(number, bytearray(32))
                if self._active_is_mixed(flash):  # and the block was not one of the download, removed since
                    return self._taken_down(flash)

    def _active_is_mixed(self, flash):
        self._up(flash)
        state = record.load(ROOT)
        return self._backing.running(Choice(state.active, False, False, "", record.NONE)) == "mixed"

    def _crashing(self):
        """The confirmed version, and the only one, resets whenever it is started."""
        flash = self._provisioned()
        self._backing.first(self._bundles["resets"])
        return self._taken_down(flash)

    def _tiring(self):
        """The same, with a version before it that works."""
        flash = self._opened("factory")
        self._backing.first(self._bundles["resets"], 1)
        return self._taken_down(flash)

    def _flipped(self):
        """A bit of the state log has flipped, in its first copy."""
        flash = self._opened("factory")
        names = [ROOT + "/" + name for name in os.listdir(ROOT) if name.startswith("state.log")]
        with open(next(name for name in names if os.stat(name)[6] > 60), "r+b") as file:
            file.seek(50)
            byte = file.read(1)
            file.seek(50)
            file.write(bytes((byte[0] ^ 4,)))
        return self._taken_down(flash)

    def _worn(self):
        """The state log is about to be compacted: the eight files are full, and so is the log."""
        flash = self._opened("factory")
        store = Store(ROOT + "/state.log")
        while store._sequence % 8 or store._size + 84 <= 8192 + 2 * store._live():
            store.put({b"Z": bytes(80)})
        return self._taken_down(flash)

    def _opened(self, name):
        flash = Flash(self.image(name))
        self._up(flash)
        return flash

    def _after(self, name, *script):
        board = Board(self._backing, self.image(name), Server(script, self._bundles, first=0))
        board.run()
        return board.flash.image()

    def _provisioned(self):
        flash = Flash([ERASED] * (BLOCKS + self._backing.blocks))
        vfs.VfsLfs2.mkfs(Region(flash, 0, BLOCKS), progsize=256)
        self._up(flash)
        _provision(self._backing.configure())
        return flash

    def _up(self, flash):
        machine.umount()
        machine.mount(flash)
        self._backing.power_on(flash)

    def _taken_down(self, flash):
        self._backing.power_off()
        machine.umount()
        return flash.image()


def _provision(slots):
    os.mkdir(ROOT)
    config = {
        "uuid": UUID,
        "board": "UNIX",
        "broker": {"host": "localhost", "port": 1, "tls": False},
        "allow": [HOST],
        "provisioned": NOON - 86_400_000,
        "trial_s": 60,
    }
    _write("config.json", json.dumps(config).encode())
    if slots is not None:
        _write("slots.json", json.dumps(slots).encode())
    _write("device.key", ecdsa.BOARD.private)
    _write("sealing.key", sha256(b"sealing").digest())
    store = Store(ROOT + "/state.log")
    for role, key in ((keys.COMMAND, COMMAND), (keys.RELEASE, RELEASE), (keys.AUTHORITY, AUTHORITY)):
        trust.install(store, role, key.public, FLOOR)


def _write(name, data):
    with open(ROOT + "/" + name, "wb") as file:
        file.write(data)
