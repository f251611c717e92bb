"""Step 7 for bundles of kind `data`: files for the application that runs, in two folders of their own under `data`.

There is no trial boot. The application's hook is given the new files and takes them or not; only then is the boot record of
these two slots written, in one step. So a hook that fails, or never comes back, leaves what was there before.
"""

import os

from srup.errors import Refused
from srup.paths import exists
from srup.slots import FileSlots
from srup.status import ACTIVATE_FAIL
from srup_boot.record import load
from srup_boot.slot import slot_path
from srup_boot.start import Choice


class DataSlots(FileSlots):
    """As Backing. root: where the device's files are · take: called with folder and manifest of new files, true if the
    application takes them. `running` is the slot that it has taken."""

    kinds = ("data",)

    def __init__(self, root, take):
        folder = root + "/data"
        if not exists(folder):
            os.mkdir(folder)
        state = load(folder)
        self._take = take
        super().__init__(folder, Choice(state.active, False, False, "", state.settings))

    def hand_over(self, token):
        """The other slot's files become the application's, if it takes them.

        Raises Refused(ACTIVATE_FAIL) if it does not, or as `activate`; StorageError.
        """
        slot, state = self.other(), self.record()
        manifest = self._whole(state)
        if not self._take(slot_path(self.root, slot), manifest):
            raise Refused(ACTIVATE_FAIL, "the application does not take it")
        state.begin(slot, 0, 0, manifest["counter"], token)
        state.confirm()
        self._save(state)
        self.running = slot
