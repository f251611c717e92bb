"""Slots that are an ESP32's two firmwares, ota_0 and ota_1: whole MicroPythons, with their agent and application frozen in.

Here the bootloader starts a firmware before any of ours runs. It follows the boot record: whichever firmware runs first looks
there, and where that says the other one, names it to the bootloader and resets. A trial therefore counts two boots for each
try. A new firmware that does not even reach this code is the bootloader's: it comes up PENDING_VERIFY, and unless it is marked
valid the next reset starts the one before (ESP-IDF Programming Guide, "Over The Air Updates", App Rollback). Only what is
confirmed in the boot record is marked valid.
"""

from srup_boot import hw
from srup_boot.region import Region, verify_described
from srup_boot.slot import BadSlot, Folders

_FIRST = 0x10  # ESP_PARTITION_SUBTYPE_APP_OTA_0


class Firmwares:
    """Partition: esp32.Partition. Methods as of srup_boot.slot.Folders."""

    def __init__(self, Partition):
        self._Partition = Partition
        self.running = Partition(Partition.RUNNING).info()[1] - _FIRST
        self.partitions = [Partition.find(Partition.TYPE_APP, _FIRST + slot)[0] for slot in (0, 1)]
        self.regions = [Region(partition) for partition in self.partitions]

    def verify(self, slot):
        """As of Folders. What runs has been verified by the bootloader, and what came by cable has no header: that will be."""
        try:
            described = self.regions[slot].header()[0]
        except BadSlot:
            return
        except OSError as fault:
            raise BadSlot("unreadable: %r" % fault)
        if slot != self.running:
            verify_described(self.regions[slot], described)

    def is_here(self, slot):
        return slot == self.running

    def enter(self, slot, trial):
        """Does not return where it is not the one that runs. Raises OSError where the bootloader would refuse it."""
        if slot != self.running:
            self.partitions[slot].set_boot()
            hw.reset()
        if not trial:
            try:
                self.mark_valid()
            except OSError:
                pass  # it runs, and that comes first

    def mark_valid(self):
        """The bootloader is to start what runs now again."""
        self._Partition.mark_app_valid_cancel_rollback()


class Pairs(Firmwares):
    """The same, each with a folder of littlefs for its application: slot 0 is ota_0 and `a`, slot 1 is ota_1 and `b`.

    Whichever firmware the bootloader starts, the application that runs is the one beside it, or none: nothing there is, neither in
    the boot record nor in otadata, could switch one without the other.
    """

    def __init__(self, Partition, root):
        super().__init__(Partition)
        self.folders = Folders(root)

    def verify(self, slot):
        """Both, as of Firmwares and Folders."""
        super().verify(slot)
        self.folders.verify(slot)

    def enter(self, slot, trial):
        super().enter(slot, trial)
        self.folders.enter(slot, trial)
