"""Step 7. The two slots as folders of littlefs, on stock firmware: srup_boot.slot says what is in one."""

import os

from srup import limits
from srup.backing import RESERVE, Backing
from srup.errors import UpdateFailed
from srup.paths import empty, exists, remove
from srup.status import UPDATE_FAIL_SPACE
from srup_boot.record import NONE
from srup_boot.slot import slot_path


class FileSlots(Backing):
    """As Backing."""

    kinds = ("app",)

    def manifest(self, slot):
        """The manifest of what is in `slot`; None if there is no slot, or nothing whole in it."""
        if slot == NONE:
            return None
        try:
            with open(slot_path(self.root, slot) + "/.manifest", "rb") as file:
                from srup import bundle  # now: it is asked for seldom

                size = file.seek(0, 2)
                file.seek(0)
                return bundle.check_manifest(file.read(min(size, limits.MANIFEST + 1)))
        except (OSError, UpdateFailed):
            return None

    def sweep(self):
        """Generator: remove what a discarded slot, or a cut, has left in the other slot. Raises OSError."""
        remove(self._opened)
        yield from self.sweep_slot(self.other())

    def sweep_slot(self, slot):
        """The same, of this slot."""
        folder = slot_path(self.root, slot)
        if exists(folder) and not exists(folder + "/.manifest"):
            yield from empty(folder)

    def _clear(self, slot):
        remove(slot_path(self.root, slot) + "/.manifest")

    def _fill(self, unpacker, file, opened, slot):
        yield from self.take(unpacker, file, opened.body_at, opened.manifest, opened, slot)

    def take(self, unpacker, file, at, manifest, opened, slot):
        """Generator: the records that begin at `at`, as this manifest describes them, into a cleared slot. opened: what is kept with
        them."""
        folder = slot_path(self.root, slot)
        base = slot_path(self.root, self.running) if manifest["base"] else None
        if not exists(folder):
            os.mkdir(folder)
        yield from empty(folder)
        file.seek(at)
        yield from self._check_space(unpacker, file, manifest, base)  # 6 its records are good, and there is room
        file.seek(at)
        yield from unpacker.unpack(file, manifest, base, folder)  # 7 each file reads back, and they are those meant
        yield from unpacker.write(folder + "/.signature", opened.signature)
        yield from unpacker.write(folder + "/.manifest", opened.manifest_bytes)  # 8 the last: now it is whole

    def _check_space(self, unpacker, file, manifest, base):
        block, free = self._free()
        need = yield from unpacker.measure(file, manifest, base, block)
        if need + RESERVE > free:
            raise UpdateFailed(UPDATE_FAIL_SPACE, "needs %d blocks of %d, and %d are free" % (need, block, free))
