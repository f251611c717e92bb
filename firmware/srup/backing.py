"""Step 7, what every kind of slots has in common: the boot record's trials, the downloaded bundle, and the checks of it.

A backing is where the two slots are: `slots` (folders), `partition_slots` (raw flash), `firmware_slots` (an ESP32's two
firmwares). It adds

    kinds               of bundles that it holds
    manifest(slot)      of what is whole in that slot, or None
    _clear(slot)        what is in it is no slot any more: one operation of flash
    _fill(...)          generator: the bundle's body into the cleared slot, read back; at its end the slot is whole
    sweep()             generator: remove what `_clear`, or a cut, has left

Which slot is which is in the boot record: each method that changes it saves once, and so does all or nothing.
"""

import os

from srup import auth, late, limits, port
from srup.errors import BadSignature, Refused, StorageError, UpdateFailed
from srup.limits import const
from srup.paths import exists, remove
from srup.status import (
    ACTION_FAIL,
    ACTION_REFUSED,
    ACTIVATE_FAIL,
    UPDATE_FAIL_BOARD,
    UPDATE_FAIL_BUNDLE,
    UPDATE_FAIL_SPACE,
    UPDATE_FAIL_STORAGE,
)
from srup_boot.record import CONFIRMED, NONE, SELF_TEST, load, other_copy

_ENOSPC = const(28)
RESERVE = const(12)  # blocks that an update leaves to the boot record, the state log's two copies and their compaction


class Backing:
    """choice: srup_boot.start.Choice, of which slot and trial are used · root: where the device's files are

    `running` is the slot that runs: 0, 1 or NONE. `incoming` is where the bundle is downloaded to.
    """

    kinds = ()

    def __init__(self, root, choice):
        self.root = root
        self.running = choice.slot
        self._on_trial = choice.trial
        self.incoming = root + "/incoming"
        self._opened = self.incoming + ".open"  # what was sealed in it

    def other(self):
        """The slot to stage into: never the running one; with none running, not the one that is recorded as active."""
        taken = self.record().active if self.running == NONE else self.running
        return 0 if taken == NONE else 1 - taken

    def record(self):
        """The boot record as it is in flash."""
        return load(self.root)

    # The trial

    def activate(self, token, trial_s, boots):
        """The other slot runs on trial from the next boot on: `boots` times at most, `trial_s` seconds each time.

        token: 16 bytes, of the transaction; the same one again is a retry. Raises Refused(ACTIVATE_FAIL) as `_whole` does;
        StorageError.
        """
        state = self.record()
        state.begin(self.other(), boots, trial_s, self._whole(state)["counter"], token)
        self._save(state)

    def _whole(self, state):
        """The manifest of the other slot. Raises Refused(ACTIVATE_FAIL) if nothing whole is there, or what its security counter
        forbids: that was checked when it was staged, and may have been staged by another agent."""
        manifest = self.manifest(self.other())
        if manifest is None:
            raise Refused(ACTIVATE_FAIL, "the other slot is empty")
        if manifest["counter"] < state.counter:
            raise Refused(ACTIVATE_FAIL, "security counter %d" % manifest["counter"])
        return manifest

    def activate_settings(self, token, trial_s, boots):
        """The same for the settings that `srup.settings.store` has left, under the slot that is active then."""
        state = self.record()
        state.begin(NONE, boots, trial_s, state.counter, token, settings=other_copy(state.settings))
        self._save(state)

    def check_previous(self):
        """Raise Refused, with ACTION_FAIL where the other slot is not what ran before, or is not whole; with ACTION_REFUSED
        where its security counter is lower than what was confirmed since."""
        state = self.record()
        manifest = self.manifest(self.other())
        if manifest is None or state.fallback != self.other():
            raise Refused(ACTION_FAIL, "no previous version")
        if manifest["counter"] < state.counter:
            raise Refused(ACTION_REFUSED, "security counter %d" % manifest["counter"])

    def confirm(self):
        """What runs on trial stays, and the security counter is at least its own. A second time: nothing.

        Raises Refused(ACTIVATE_FAIL) if it is not on trial; StorageError. Disarming the deadline is the caller's.
        """
        if not self._on_trial:
            raise Refused(ACTIVATE_FAIL, "not on trial")
        state = self.record()
        if state.outcome == CONFIRMED:
            return
        if not state.on_trial() or state.trial not in (NONE, self.running):
            raise Refused(ACTIVATE_FAIL, "not on trial any more")
        state.confirm()
        self._save(state)

    def revert(self, reason=SELF_TEST):
        """The trial is over: the next boot starts the active slot. Without a trial: nothing. Raises StorageError."""
        state = self.record()
        if state.on_trial():
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
        return max(0, free - RESERVE) * block + have

    def into(self, keys, board, mpy):
        """Where a download goes: Incoming. keys, board, mpy: as for `stage`"""
        from srup.incoming import Incoming  # now: an update may be a year away

        return Incoming(self.incoming, self.room())

    def drop_incoming(self):
        """Remove it, if it is there."""
        for rest in ("", ".head", ".files"):  # of srup.straight
            remove(self.incoming + rest)

    def _free(self):
        """(bytes of a block, how many are free)"""
        disk = os.statvfs(self.root)
        return disk[1], disk[4] if disk[4] <= disk[2] else 0  # littlefs counts shared blocks twice: below none it wraps

    # Staging

    def stage(self, keys, board, mpy, data=None):
        """Generator: unpack `incoming` into the other slot, yielding after each chunk; returns the kind of bundle that it was.

        keys: Keys, of which the release keys are used · board: this board's name · mpy: the .mpy version it runs, "6.3" ·
        data: callable giving the Backing for a bundle of kind `data`, None where there is none beside this.
        At its end the other slot is whole, and `incoming` gone. What fails before step 5 changes nothing; what fails after it,
        and a `close` too, leaves something that is no slot, for `sweep`. Raises UpdateFailed with UPDATE_FAIL_BUNDLE, _BOARD,
        _DOWNGRADE, _SPACE or _STORAGE; StorageError.
        """
        self._check_way_back(self.other())
        try:
            path = yield from self._unsealed()
            with open(path, "rb") as file:
                kind = yield from self._stage(file, keys, board, mpy, data)
        except BadSignature as error:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "release signature: %s" % error)
        except OSError as error:
            full = error.errno == _ENOSPC
            raise UpdateFailed(UPDATE_FAIL_SPACE if full else UPDATE_FAIL_STORAGE, "flash: %s" % error)
        finally:
            remove(self._opened)
        self.drop_incoming()
        return kind

    def _unsealed(self):
        """Generator: returns the path of the bundle, `incoming` or what was sealed in it."""
        from srup import bundle  # now, as a download does without

        if not bundle.is_sealed(self.incoming):
            return self.incoming
        from srup import sealed  # now: few updates are

        try:
            with open(self.root + "/sealing.key", "rb") as file:
                key = file.read(limits.DIGEST)
        except OSError:
            raise UpdateFailed(UPDATE_FAIL_BOARD, "sealed, and this device has no key to open it")
        yield from sealed.unseal(self.incoming, self._opened, key)
        return self._opened

    def _stage(self, file, keys, board, mpy, data):
        from srup import bundle

        opened = bundle.open_bundle(file)  # 1 its parts, by their lengths
        port.tls_lend()  # P-256 comes beside all this
        try:
            auth.check_release(keys, opened.signed(), opened.signature)  # 2 a release key signed the manifest
        finally:
            late.let_go_of_p256()
            port.tls_back()
        from srup.unpack import Unpacker  # now, with its buffer: the download needs the memory as well

        unpacker = Unpacker()
        where = data() if data and opened.manifest["kind"] == "data" else self
        yield from where.install(unpacker, file, opened, board, mpy)
        return opened.manifest["kind"]

    def install(self, unpacker, file, opened, board, mpy):
        """Generator: the rest of `stage`, for a bundle that a release key has signed. file: at its body"""
        slot = self.other()
        manifest = opened.manifest
        self.check(manifest, board, mpy)  # 3 it is well formed, and means this device
        yield from unpacker.check_body(file, manifest)  # 4 and this body
        self._discard(slot)  # 5 what was there goes
        file.seek(opened.body_at)
        yield from self._fill(unpacker, file, opened, slot)  # 6 to 8

    def check(self, manifest, board, mpy):
        """Raise UpdateFailed unless this manifest, which a release key has signed, means this device as it is now."""
        from srup import meant

        base = self._base(manifest["kind"]) if manifest["base"] else ""
        meant.check(manifest, self.kinds, board, mpy, base, self.record().counter)
        del meant
        late.let_go_of("srup.meant")

    def _base(self, kind):
        """What the base of a delta of this kind has to be."""
        from srup import bundle

        running = self.manifest(self.running)
        return running and running["tree"][: bundle.BASE]

    def discard_other(self):
        """What is in the other slot is no slot any more; `sweep` removes it, which takes longer.

        Raises UpdateFailed(UPDATE_FAIL_STORAGE), with nothing changed, if it is what the next boot may have to go back to;
        StorageError.
        """
        try:
            self._discard(self.other())
        except OSError as error:
            raise StorageError("flash: %s" % error)

    def _discard(self, slot):
        """The boot record lets go of it; then it is no slot any more."""
        self._check_way_back(slot)
        state = self.record()
        if slot in (state.active, state.trial, state.fallback):
            state.forget(slot)
            self._save(state)
        self._clear(slot)

    def _check_way_back(self, slot):
        """The active slot goes only where its fallback stands in for it (it was found bad), and not as a trial."""
        state = self.record()
        stands_in = self.running == state.fallback and self.running != state.trial
        if slot == state.active and not stands_in:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "the other slot is the way back")

    # Of each backing

    def manifest(self, slot):
        raise NotImplementedError

    def _clear(self, slot):
        raise NotImplementedError

    def _fill(self, unpacker, file, opened, slot):
        raise NotImplementedError
