"""Step 7. The two slots as an ESP32's two firmwares (srup_boot.firmware). They go on trial like the others: the boot record
first, which the boot part then follows."""

from srup import bundle
from srup.errors import StorageError, UpdateFailed
from srup.esp_image import EspImage, chip_of
from srup.partition_slots import PartitionSlots
from srup.status import UPDATE_FAIL_STORAGE
from srup_boot.region import image_of


class FirmwareSlots(PartitionSlots):
    """As PartitionSlots. contents: srup_boot.firmware.Firmwares"""

    kinds = ("firmware",)

    def other(self):
        """The firmware that does not run; in recovery, too, one does."""
        return 1 - self._contents.running

    def activate(self, token, trial_s, boots):
        """As of Backing. Two boots for each try: the firmware that runs first, as after each reset of a trial, goes over to the other."""
        super().activate(token, trial_s, 2 * boots)

    def confirm(self):
        """As of Backing; then the bootloader is told. If that is cut off, the boot part does it."""
        super().confirm()
        try:
            self._contents.mark_valid()
        except OSError as error:
            raise StorageError("bootloader: %s" % error)

    def _check_way_back(self, slot):
        """Whatever is not running can go, but for what a trial may have to go back to."""
        if self._on_trial and slot == self.record().active:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "the other slot is the way back")

    def _base(self, kind):
        running = self.described(self._contents.running)
        return running and image_of(running)[1][: bundle.BASE]

    def _check_image(self, unpacker, region, size, tree):
        """As it is, and one for the chip of the firmware that runs."""
        yield from super()._check_image(unpacker, region, size, tree)
        image = EspImage(chip_of(self._contents.regions[self._contents.running]))
        region.seek(0)
        for chunk in unpacker.chunks(region, size):
            image.update(chunk)
            yield
        image.finish()
