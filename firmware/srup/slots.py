"""Step 7. The two slots: unpack a bundle into the one that does not run, put it on trial, confirm it or go back.

FileSlots keeps them as folders (srup_boot.slot says what is in one), and the bundle in `incoming` as it was served until it
is unpacked. Which slot is which is in the boot record: each method that changes it saves once, and so does all or nothing.
"""

import os

from srup import auth, bundle, limits
from srup.errors import BadSignature, Refused, StorageError, UpdateFailed
from srup.limits import const
from srup.status import (
    ACTIVATE_FAIL,
    UPDATE_FAIL_BOARD,
    UPDATE_FAIL_BUNDLE,
    UPDATE_FAIL_DOWNGRADE,
    UPDATE_FAIL_SPACE,
    UPDATE_FAIL_STORAGE,
)
from srup.unpack import Unpacker, empty, exists
from srup_boot.record import CONFIRMED, NONE, SELF_TEST, load
from srup_boot.slot import slot_path

_ENOSPC = const(28)
_RESERVE = const(8)  # blocks that an update leaves to the boot record, the state log and its compaction


class FileSlots:
    """choice: srup_boot.start.Choice, of which the slot is used · root: where the device's files are

    `running` is the slot that runs: 0, 1 or NONE. `incoming` is where the bundle is downloaded to.
    """

    def __init__(self, root, choice):
        self.root = root
        self.running = choice.slot
        self.incoming = root + "/incoming"
        self._unpacker = Unpacker()

    def other(self):
        """The slot to stage into: never the running one; with none running, not the one that is recorded as active."""
        taken = self.record().active if self.running == NONE else self.running
        return 0 if taken == NONE else 1 - taken

    def record(self):
        """The boot record as it is in flash."""
        return load(self.root)

    def manifest(self, slot):
        """The manifest of what is in `slot`; None if there is no slot, or nothing whole in it."""
        if slot == NONE:
            return None
        try:
            with open(slot_path(self.root, slot) + "/.manifest", "rb") as file:
                return bundle.check_manifest(file.read(limits.MANIFEST + 1))
        except (OSError, UpdateFailed):
            return None

    # The trial

    def activate(self, token, trial_s, boots):
        """The other slot runs on trial from the next boot on: `boots` times at most, `trial_s` seconds each time.

        token: 16 bytes, of the transaction; the same one again is a retry. Raises Refused(ACTIVATE_FAIL) if nothing whole is
        in that slot; StorageError.
        """
        slot = self.other()
        manifest = self.manifest(slot)
        if manifest is None:
            raise Refused(ACTIVATE_FAIL, "the other slot is empty")
        state = self.record()
        state.begin(slot, boots, trial_s, manifest["counter"], token)
        self._save(state)

    def confirm(self):
        """What runs on trial stays, and the security counter is at least its own. A second time: nothing.

        Raises Refused(ACTIVATE_FAIL) if it is not on trial; StorageError. Disarming the deadline is the caller's.
        """
        state = self.record()
        if state.trial == NONE and state.outcome == CONFIRMED and state.active == self.running:
            return
        if self.running == NONE or state.trial != self.running:
            raise Refused(ACTIVATE_FAIL, "not on trial")
        state.confirm()
        self._save(state)

    def revert(self, reason=SELF_TEST):
        """The trial is over: the next boot starts the active slot. Without a trial: nothing. Raises StorageError."""
        state = self.record()
        if state.trial != NONE:
            state.revert(reason)
            self._save(state)

    def _save(self, state):
        try:
            state.save(self.root)
        except OSError as error:
            raise StorageError("boot record: %s" % error)

    # The download's file

    def room(self):
        """Bytes that the file may have altogether, with those that are there already."""
        block, free = self._free()
        have = os.stat(self.incoming)[6] if exists(self.incoming) else 0
        return max(0, free - _RESERVE) * block + have

    def drop_incoming(self):
        """Remove it, if it is there."""
        if exists(self.incoming):
            os.remove(self.incoming)

    def _free(self):
        """(bytes of a block, how many are free)"""
        disk = os.statvfs(self.root)
        return disk[1], disk[4] if disk[4] <= disk[2] else 0  # littlefs counts shared blocks twice: below none it wraps

    # Staging

    def stage(self, keys, board, mpy):
        """Generator: unpack `incoming` into the other slot, yielding after each chunk.

        keys: Keys, of which the release keys are used · board: this board's name · mpy: the .mpy version it runs, "6.3".
        At its end the other slot is whole, and `incoming` gone. What fails before step 5 changes nothing; what fails after it,
        and a `close` too, leaves something that is no slot, for `sweep`. Raises UpdateFailed with UPDATE_FAIL_BUNDLE, _BOARD,
        _DOWNGRADE, _SPACE or _STORAGE; StorageError.
        """
        slot = self.other()
        self._check_way_back(slot)
        try:
            with open(self.incoming, "rb") as file:
                yield from self._stage(file, slot, keys, board, mpy)
        except BadSignature as error:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "release signature: %s" % error)
        except OSError as error:
            full = error.errno == _ENOSPC
            raise UpdateFailed(UPDATE_FAIL_SPACE if full else UPDATE_FAIL_STORAGE, "flash: %s" % error)
        self.drop_incoming()

    def _stage(self, file, slot, keys, board, mpy):
        folder = slot_path(self.root, slot)
        opened = bundle.open_bundle(file)  # 1 its parts, by their lengths
        auth.check_release(keys, opened.signed(), opened.signature)  # 2 a release key signed the manifest
        manifest = opened.manifest  # 3 which is well formed, and means this device
        self._check_meant_for_us(manifest, board, mpy)
        yield from self._unpacker.check_body(file, manifest)  # 4 and this body
        yield from self._erase(slot)  # 5 what was there goes
        file.seek(opened.body_at)
        yield from self._check_space(file, manifest)  # 6 every record is well formed, and there is room for all
        file.seek(opened.body_at)
        yield from self._unpacker.unpack(file, manifest, folder)  # 7 each file reads back, and they are those meant
        yield from self._unpacker.write(folder + "/.signature", opened.signature)
        yield from self._unpacker.write(folder + "/.manifest", opened.manifest_bytes)  # 8 the last: now it is whole

    def _check_meant_for_us(self, manifest, board, mpy):
        if manifest["boards"] and board not in manifest["boards"]:
            raise UpdateFailed(UPDATE_FAIL_BOARD, "for another board")
        if manifest["mpy"] not in ("", mpy):
            raise UpdateFailed(UPDATE_FAIL_BOARD, "for .mpy version " + manifest["mpy"])
        if manifest["counter"] < self.record().counter:
            raise UpdateFailed(UPDATE_FAIL_DOWNGRADE, "security counter %d" % manifest["counter"])

    def _check_space(self, file, manifest):
        block, free = self._free()
        need = yield from self._unpacker.measure(file, manifest, block)
        if need + _RESERVE > free:
            raise UpdateFailed(UPDATE_FAIL_SPACE, "needs %d blocks of %d, and %d are free" % (need, block, free))

    def discard_other(self):
        """What is in the other slot is no slot any more; `sweep` removes it, which takes longer.

        Raises UpdateFailed(UPDATE_FAIL_STORAGE), with nothing changed, if it is what the next boot may have to go back to;
        StorageError.
        """
        try:
            self._discard(self.other())
        except OSError as error:
            raise StorageError("flash: %s" % error)

    def sweep(self):
        """Generator: remove what a discarded slot, or a cut, has left in the other slot. Raises OSError."""
        folder = slot_path(self.root, self.other())
        if exists(folder) and not exists(folder + "/.manifest"):
            yield from empty(folder)

    def _erase(self, slot):
        self._discard(slot)
        folder = slot_path(self.root, slot)
        if not exists(folder):
            os.mkdir(folder)
        yield from empty(folder)

    def _discard(self, slot):
        """The boot record lets go of it; then the manifest goes, without which it is no slot."""
        self._check_way_back(slot)
        state = self.record()
        if slot in (state.active, state.trial, state.fallback):
            state.forget(slot)
            self._save(state)
        manifest = slot_path(self.root, slot) + "/.manifest"
        if exists(manifest):
            os.remove(manifest)

    def _check_way_back(self, slot):
        """The active slot goes only where its fallback stands in for it (it was found bad), and not as a trial."""
        state = self.record()
        stands_in = self.running == state.fallback and self.running != state.trial
        if slot == state.active and not stands_in:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "the other slot is the way back")
