"""An ESP32 as far as its two firmwares go: flash, otadata, bootloader, and the module `esp32`, over NOR flash in RAM.

What is documented: ESP-IDF Programming Guide, "Over The Air Updates (OTA)": OTA Data Partition (two sectors, written in turn, a
counter says which is newer), App Rollback and App OTA State (which states the bootloader selects and changes);
https://docs.espressif.com/projects/esp-idf/en/v5.2/esp32/api-reference/system/ota.html. A record is esp_ota_select_entry_t of
esp_flash_partitions.h: sequence, 20 bytes unused, state, CRC-32 of the sequence. The signatures of Partition are held against
MicroPython's stubs in tests/host/test_fake_esp32.py.

A simplification: an image is valid here if its first byte is an image's, 0xE9, where a chip checks all of it.
"""

import struct
from binascii import crc32

from tests.unit.nor import BLOCK, Nor

NEW, PENDING_VERIFY, VALID, INVALID, ABORTED, UNDEFINED = 0, 1, 2, 3, 4, 0xFFFFFFFF

VALIDATE_FAILED = -0x1503  # ESP_ERR_OTA_VALIDATE_FAILED, as MicroPython raises it
_OTA_0 = 0x10
_RECORD = "<I20xII"


class Chip:
    """Two app partitions of `blocks` blocks each; `running` is the index of the firmware that the bootloader has started."""

    def __init__(self, blocks):
        self.apps = [Nor(blocks), Nor(blocks)]
        self.otadata = Nor(2)
        self.running = 0

    def boot(self):
        """Reset: the bootloader selects and starts a firmware; its index."""
        for sector, (sequence, state) in enumerate(self.records()):
            if state == PENDING_VERIFY:  # it has had its start, and was not marked valid
                self._write(sector, sequence, ABORTED)
        active = self._active()
        if active is None:
            self.running = 0
        else:
            sequence, state = self.records()[active]
            self.running = (sequence - 1) % 2
            if state == NEW:
                self._write(active, sequence, PENDING_VERIFY)
        if not self._is_image(self.running):
            self.running = 1 - self.running  # "will try all partitions"
        return self.running

    def records(self):
        """[(sequence, state)] of the two sectors; sequence 0 for one that is not valid."""
        found = []
        for sector in (0, 1):
            data = bytearray(struct.calcsize(_RECORD))
            self.otadata.readblocks(sector, data, 0)
            sequence, state, check = struct.unpack(_RECORD, data)
            is_valid = check == _crc(sequence) and sequence != 0xFFFFFFFF
            found.append((sequence, state) if is_valid else (0, UNDEFINED))
        return found

    def _active(self):
        """The sector that counts: the highest sequence that is not INVALID or ABORTED. None if there is none."""
        usable = [sequence if state not in (INVALID, ABORTED) else 0 for sequence, state in self.records()]
        return None if not any(usable) else usable.index(max(usable))

    def set_boot(self, app):
        if not self._is_image(app):
            raise OSError(VALIDATE_FAILED, "ESP_ERR_OTA_VALIDATE_FAILED")
        active = self._active()
        if active is None:
            self._write(0, app + 1, NEW)
            return
        sequence = self.records()[active][0] + 1
        if (sequence - 1) % 2 != app:
            sequence += 1
        self._write(1 - active, sequence, NEW)

    def mark_valid(self):
        active = self._active()
        if active is not None and self.records()[active][1] != VALID:
            self._write(active, self.records()[active][0], VALID)

    def _is_image(self, app):
        first = bytearray(1)
        self.apps[app].readblocks(0, first, 0)
        return first[0] == 0xE9

    def _write(self, sector, sequence, state):
        data = struct.pack(_RECORD, sequence, state, _crc(sequence))
        self.otadata.ioctl(6, sector)
        self.otadata.writeblocks(sector, data + b"\xff" * (256 - len(data)), 0)


def _crc(sequence):
    return crc32(struct.pack("<I", sequence), 0xFFFFFFFF) & 0xFFFFFFFF


def partition_class(chip):
    """esp32.Partition on this chip."""

    class Partition:
        BOOT = 0
        RUNNING = 1
        TYPE_APP = 0
        TYPE_DATA = 1

        def __init__(self, id, block_size=4096):
            self._app = chip.running if id == Partition.RUNNING else chip._active() or 0

        @staticmethod
        def find(type=TYPE_APP, subtype=0xFF, label=None):
            found = []
            for app in (0, 1):
                if type == Partition.TYPE_APP and subtype in (0xFF, _OTA_0 + app):
                    partition = Partition(Partition.RUNNING)
                    partition._app = app
                    found.append(partition)
            return found

        def info(self):
            nor = chip.apps[self._app]
            size = nor.ioctl(4, 0) * BLOCK
            return (
                Partition.TYPE_APP,
                _OTA_0 + self._app,
                0x10000 + self._app * size,
                size,
                f"ota_{self._app}",
                False,
            )

        def readblocks(self, block_num, buf, offset=0):
            chip.apps[self._app].readblocks(block_num, buf, offset)

        def writeblocks(self, block_num, buf, offset=None):
            chip.apps[self._app].writeblocks(block_num, buf, offset)

        def ioctl(self, op, arg=0):
            return chip.apps[self._app].ioctl(op, arg)

        def set_boot(self):
            chip.set_boot(self._app)

        def get_next_update(self):
            return Partition.find(Partition.TYPE_APP, _OTA_0 + 1 - self._app)[0]

        @classmethod
        def mark_app_valid_cancel_rollback(cls):
            chip.mark_valid()

    return Partition
