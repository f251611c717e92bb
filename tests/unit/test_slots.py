"""Staging, trial, confirm and revert with FileSlots: on MicroPython over a real littlefs."""

import hashlib
import os

from srup import auth, limits, p256, slots, unpack
from srup.errors import BadSignature, Refused, StorageError, UpdateFailed
from srup.status import (
    ACTIVATE_FAIL,
    UPDATE_FAIL_BOARD,
    UPDATE_FAIL_BUNDLE,
    UPDATE_FAIL_DOWNGRADE,
    UPDATE_FAIL_SPACE,
    UPDATE_FAIL_STORAGE,
)
from srup_boot import record, slot
from srup_boot.record import NONE
from tests.unit.boot_record import save
from tests.unit.bundles import FILES, body_of, build, flipped, index_of, sealed
from tests.unit.check import raises
from tests.unit.scratch import MICROPYTHON, Scratch, read, tree, write
from tests.unit.staging import KEYS, NEW, ON_A, ON_NONE, boot, stage, with_slot_a

TOKEN = bytes(range(16))
SMALL = (("a", b"1"), ("b/c", b"23"))


def erase_other(board):
    """Discard the other slot, and sweep up."""
    board.discard_other()
    list(board.sweep())


def refused(status, board, data, *arguments):
    """Staging fails so, leaving slot b as it was, or no slot that could not be swept up, and slot a, which runs, as it was."""
    before, other = board.record(), tree(board.root + "/b")
    assert raises(UpdateFailed, stage, board, data, *arguments).status == status
    list(board.sweep())
    assert tree(board.root + "/b") == (other if board.manifest(1) else {})
    slot.verify(board.root, 0)
    after = board.record()
    assert (after.active, after.trial, after.counter) == (before.active, NONE, before.counter)


class Broken:
    """In place of the builtin open: files under `path` that are written do what `write` does with the real file."""

    def __init__(self, path, write):
        self._path = path
        self._write = write

    def __enter__(self):
        unpack.open = self.open

    def __exit__(self, *_):
        del unpack.open

    def open(self, path, mode):
        file = open(path, mode)  # noqa: SIM115 - closed by who asked for it
        if mode == "wb" and self._path in path:
            return BrokenFile(file, self._write)
        return file


class BrokenFile:
    def __init__(self, file, write):
        self._file = file
        self._write = write

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        return self._write(self._file, data)


def full(file, data):
    raise OSError(28, "full")


def refuse(file, data):
    raise OSError(5, "broken")


def spoil(file, data):
    return file.write(flipped(data, 3))


def shorten(file, data):
    file.write(bytes(data)[:-1])
    return len(data)


# Staging


def test_a_staged_slot_is_whole():
    with Scratch() as root:
        board = with_slot_a(root)
        assert board.other() == 1
        pieces = stage(board, build(NEW, counter=6))
        assert pieces > 2 * 3000 // limits.UNPACK  # written and read back in chunks
        slot.verify(root, 1)
        found = tree(root + "/b")
        assert found[".index"] == index_of(NEW)
        assert [(path, found[path]) for path in sorted(found) if path[0] != "."] == list(NEW)
        assert sealed(found[".manifest"], body_of(NEW))[7:71] == found[".signature"]
        assert board.manifest(1)["counter"] == 6
        assert "incoming" not in os.listdir(root)
        slot.verify(root, 0)


def test_staging_replaces_what_was_there():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(NEW))
        stage(board, build(SMALL))
        slot.verify(root, 1)
        assert len(tree(root + "/b")) == len(SMALL) + 3
        assert "lib" not in os.listdir(root + "/b")


def test_staging_over_the_remains_of_a_cut():
    data = build(NEW)
    for first in range(6):  # each sixth cut, for what is left of them all is more than a heap
        cut = []
        with Scratch() as root:
            board = with_slot_a(root)
            for pieces in range(first, stage(board, data), 6):
                write(board.incoming, data)
                board = slots.FileSlots(root, ON_A)
                cut.append(board.stage(KEYS, "UNIX", "6.3"))
                for _ in range(pieces):
                    next(cut[-1])
                assert boot(root)[1].slot == 0
                if pieces > 4:
                    assert board.manifest(1) is None
                    os.mkdir(f"{root}/b/more{pieces}")
                stage(board, data)
                slot.verify(root, 1)
            for work in cut:
                work.close()  # here, and not when they are collected


def test_a_closed_staging_leaves_no_slot_but_what_can_be_swept_up():
    with Scratch() as root:
        board = with_slot_a(root)
        write(board.incoming, build(NEW))
        work = board.stage(KEYS, "UNIX", "6.3")
        while "app.py" not in tree(root + "/b"):
            next(work)
        work.close()
        assert board.manifest(1) is None
        list(board.sweep())
        assert tree(root + "/b") == {}
        assert "incoming" in os.listdir(root)  # to go on with


def test_no_incoming():
    with Scratch() as root:
        board = with_slot_a(root)
        failure = raises(UpdateFailed, lambda: list(board.stage(KEYS, "UNIX", "6.3")))
        assert failure.status == UPDATE_FAIL_STORAGE and board.manifest(1) is None


def test_what_is_refused_before_anything_is_erased_does_not_cost_the_version_to_fall_back_to():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(SMALL))
        save(root, fallback=1)
        for data, name in (
            (b"not a bundle", "UNIX"),
            (build(NEW, key=bytes(31) + b"x"), "UNIX"),
            (build(NEW), "OTHER"),
        ):
            write(board.incoming, data)
            raises(UpdateFailed, lambda data=data, name=name: list(board.stage(KEYS, name, "6.2")))
            list(board.sweep())
            slot.verify(root, 1)
            assert board.record().fallback == 1


def test_discarding_a_large_slot_is_little_work_and_the_rest_is_swept_up_in_pieces():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build([(f"f{number:02}", b"x") for number in range(40)]))
        board.discard_other()
        assert board.manifest(1) is None and len(tree(root + "/b")) == 40 + 2
        assert len(list(board.sweep())) >= 40
        assert tree(root + "/b") == {}


def test_who_may_sign():
    for key in (b"another release key", b"command key"):
        with Scratch() as root:
            other = hashlib.sha256(key).digest()
            refused(UPDATE_FAIL_BUNDLE, with_slot_a(root), build(NEW, key=other))
    with Scratch() as root:
        board = with_slot_a(root)
        write(board.incoming, build(NEW))

        class CommandKeys:
            def ready(self):
                pass

            def of(self, role):
                return KEYS.of(2) if role != 2 else []

        failure = raises(UpdateFailed, lambda: list(board.stage(CommandKeys(), "UNIX", "6.3")))
        assert failure.status == UPDATE_FAIL_BUNDLE and tree(root + "/b") == {}


def test_the_other_form_of_a_signature_is_refused():
    with Scratch() as root:
        data = build(NEW)
        high = p256.N - int.from_bytes(data[39:71], "big")
        refused(UPDATE_FAIL_BUNDLE, with_slot_a(root), data[:39] + high.to_bytes(32, "big") + data[71:])


class Recorded:
    """In place of the check of the release signature, while thousands of bundles are tried: the verdict that the real one
    gives, as (signed, signature) is the one good pair, or is not."""

    def __init__(self, data):
        self._data = data

    def __enter__(self):
        auth.check_release, self._check = self.check, auth.check_release

    def __exit__(self, *_):
        auth.check_release = self._check

    def check(self, keys, signed, signature):
        if signed != self._data[:5] + self._data[71 : 66 + len(signed)] or signature != self._data[7:71]:
            raise BadSignature("recorded")


def test_every_truncation_is_refused():
    data = build(SMALL)
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, data)
        with Recorded(data):
            for size in range(len(data)):
                refused(UPDATE_FAIL_BUNDLE, board, data[:size])
            refused(UPDATE_FAIL_BUNDLE, board, data + b"\0")
            stage(board, data)
        refused(UPDATE_FAIL_BUNDLE, board, data[:-1])  # and with the real check
        refused(UPDATE_FAIL_BUNDLE, board, data[:-30])


def test_flipped_bits_are_refused():
    """Every one. The lowest of byte 4 makes it a sealed bundle, for which this board has no key."""
    data = build(SMALL)
    with Scratch() as root:
        board = with_slot_a(root)
        with Recorded(data):
            for bit in range(len(data) * 8):
                refused(UPDATE_FAIL_BOARD if bit == 32 else UPDATE_FAIL_BUNDLE, board, flipped(data, bit))
        for bit in (9 * 8, 100 * 8, len(data) * 8 - 1):
            refused(UPDATE_FAIL_BUNDLE, board, flipped(data, bit))


def test_every_reordering_is_refused():
    """Two neighbours exchanged, wherever they differ; two parts exchanged, wherever the cut between them is."""
    data = build(SMALL)
    with Scratch() as root:
        board = with_slot_a(root)
        with Recorded(data):
            for at in range(1, len(data)):
                refused(UPDATE_FAIL_BUNDLE, board, data[at:] + data[:at])
                if data[at - 1] != data[at]:
                    swapped = data[: at - 1] + data[at : at + 1] + data[at - 1 : at] + data[at + 1 :]
                    refused(UPDATE_FAIL_BUNDLE, board, swapped)
            stage(board, data)


def test_manifests_that_lie():
    with Scratch() as root:
        board = with_slot_a(root)
        digest = '"' + "0" * 64 + '"'
        for key, value in (
            ("size", 1),
            ("files", 1),
            ("files", 3),
            ("body_size", len(body_of(SMALL)) - 1),
            ("body_size", len(body_of(SMALL)) + 1),
            ("body", digest),
            ("tree", digest),
            ("kind", '"firmware"'),
        ):
            refused(UPDATE_FAIL_BUNDLE, board, build(SMALL, **{key: value}))
        refused(UPDATE_FAIL_BUNDLE, board, build((("../a/app.py", b"gone"),)))
        refused(UPDATE_FAIL_BUNDLE, board, build(((".manifest", b"{}"),)))
        refused(UPDATE_FAIL_BUNDLE, board, build((("a", b"a file"), ("a/b", b"in it"))))
        refused(UPDATE_FAIL_BUNDLE, board, build((("b", b""), ("a", b""))))


def test_which_bundles_are_for_this_board():
    with Scratch() as root:
        board = with_slot_a(root, counter=5)
        for data in (
            build(SMALL, boards="[]"),
            build(SMALL, boards='["RPI_PICO_W","UNIX"]'),
            build(SMALL, mpy='"6.3"'),
            build(SMALL, counter=5),
            build(SMALL, counter=6),
        ):
            stage(board, data)
        refused(UPDATE_FAIL_BOARD, board, build(SMALL, boards='["RPI_PICO_W"]'))
        refused(UPDATE_FAIL_BOARD, board, build(SMALL), "RPI_PICO_W")
        refused(UPDATE_FAIL_BOARD, board, build(SMALL, mpy='"6.2"'))
        refused(UPDATE_FAIL_BOARD, board, build(SMALL, mpy='"6.3"'), "UNIX", "")
        refused(UPDATE_FAIL_DOWNGRADE, board, build(SMALL, counter=4))


def test_flash_that_will_not_take_it():
    data = build(NEW)
    with Scratch() as root:
        board = with_slot_a(root)
        for path in ("/b/app.py", "/b/lib/new.py", "/b/.index", "/b/.signature", "/b/.manifest"):
            for fault, status in (
                (spoil, UPDATE_FAIL_STORAGE),
                (shorten, UPDATE_FAIL_STORAGE),
                (refuse, UPDATE_FAIL_STORAGE),
                (full, UPDATE_FAIL_SPACE),
            ):
                with Broken(path, fault):
                    refused(status, board, data)
        stage(board, data)


class Small(slots.FileSlots):
    """A disk with so many blocks of 512 bytes free."""

    def _free(self):
        return 512, self.free


def test_space_is_reckoned_before_anything_is_written():
    files = [(f"folder{number}/file", b"x" * 1000) for number in range(3)]
    need = 12 + 3 * 2 + limits.INDEX // 512 + 3 * (1000 // 496 + 1 + 2) + 2 * (3 * 256 // 512)
    with Scratch() as root:
        with_slot_a(root)
        board = Small(root, ON_A)
        board.free = need - 1
        with Broken("/b/", refuse):
            refused(UPDATE_FAIL_SPACE, board, build(files))
        board.free = need
        stage(board, build(files))


def test_room_for_a_download():
    with Scratch() as root:
        board = Small(root, ON_A)
        board.free = 100
        assert board.room() == 88 * 512
        write(board.incoming, bytes(700))
        assert board.room() == 88 * 512 + 700
        board.free = 7
        assert board.room() == 700
        board.drop_incoming()
        board.drop_incoming()
        assert board.room() == 0
        assert slots.FileSlots(root, ON_A).room() > 10_000  # of the real disk


def test_a_disk_that_is_really_full():
    """Told that there is room, staging finds that there is none, sooner or later; and then, that there is just enough."""
    data = build(NEW)
    with Scratch() as root:
        board = with_slot_a(root)
        rash = Small(root, ON_A)
        rash.free = 1000
        refusals = 0
        for left in range(20):
            write(rash.incoming, data)
            fill_up(root, left)
            assert board.room() <= max(0, left - 12) * 512 + len(data)
            try:
                list(rash.stage(KEYS, "UNIX", "6.3"))
                slot.verify(root, 1)
                erase_other(board)
            except UpdateFailed as failure:
                refusals += 1
                assert failure.status == UPDATE_FAIL_SPACE
            list(board.sweep())
            assert tree(root + "/b") == {} and boot(root)[1].slot == 0
            os.remove(root + "/filler")
        assert 0 < refusals < 20
        stage(board, data)


def fill_up(root, left):
    """Write a file until no more than so many blocks are free."""
    with open(root + "/filler", "wb") as file:
        while os.statvfs(root)[4] > left:
            try:
                file.write(bytes(256))
                file.flush()
            except OSError:
                return


if not MICROPYTHON:
    del test_a_disk_that_is_really_full  # nobody wants the host's to be


# Trial, confirm, revert


def test_an_update_that_is_confirmed():
    with Scratch() as root:
        board = with_slot_a(root, counter=5)
        stage(board, build(NEW, counter=8))
        assert boot(root)[1].slot == 0  # staged is not activated
        board.activate(TOKEN, 300, 2)
        state = board.record()
        assert (state.active, state.trial, state.boots_left, state.trial_s) == (0, 1, 2, 300)
        assert (state.counter, state.trial_counter, state.token, state.outcome) == (5, 8, TOKEN, record.TRIAL)
        raises(Refused, board.confirm)  # by the old software
        board, choice = boot(root)
        assert (board.running, choice.trial, board.other()) == (1, True, 0)
        board.confirm()
        board.confirm()
        state = board.record()
        assert (state.active, state.trial, state.fallback, state.counter) == (1, NONE, 0, 8)
        assert (state.outcome, state.token) == (record.CONFIRMED, TOKEN)
        board, choice = boot(root)
        assert (board.running, choice.trial) == (1, False)
        refused_by_counter = raises(UpdateFailed, stage, board, build(SMALL, counter=7))
        assert refused_by_counter.status == UPDATE_FAIL_DOWNGRADE


def test_an_update_that_is_reverted():
    with Scratch() as root:
        board = with_slot_a(root, counter=5)
        stage(board, build(NEW, counter=8))
        board.activate(TOKEN, 300, 3)
        board, _ = boot(root)
        board.revert()
        board.revert()
        state = board.record()
        assert (state.active, state.trial, state.fallback, state.counter) == (0, NONE, NONE, 5)
        assert (state.outcome, state.reason) == (record.REVERTED, record.SELF_TEST)
        raises(Refused, board.confirm)
        board, choice = boot(root)
        assert (board.running, choice.trial) == (0, False)
        board.activate(TOKEN, 300, 3)  # the network was at fault: again
        assert board.record().retries == 1
        assert boot(root)[1].trial


def test_an_update_that_nobody_confirms():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(NEW))
        board.activate(TOKEN, 300, 2)
        assert [boot(root)[1].slot for _ in range(4)] == [1, 1, 0, 0]
        assert board.record().reason == record.UNPROVEN


def test_only_a_whole_slot_is_activated():
    with Scratch() as root:
        board = with_slot_a(root)
        assert raises(Refused, board.activate, TOKEN, 300, 3).status == ACTIVATE_FAIL
        stage(board, build(NEW))
        erase_other(board)
        assert raises(Refused, board.activate, TOKEN, 300, 3).status == ACTIVATE_FAIL
        assert board.record().trial == NONE


def test_without_a_trial_there_is_nothing_to_confirm_or_revert():
    with Scratch() as root:
        board = with_slot_a(root)
        sequence = board.record().sequence
        raises(Refused, board.confirm)
        raises(Refused, slots.FileSlots(root, ON_NONE).confirm)
        board.revert()
        assert board.record().sequence == sequence


def test_a_record_that_cannot_be_saved():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(NEW))
        os.mkdir(root + "/boot0")
        raises(StorageError, board.activate, TOKEN, 300, 3)
        assert board.record().trial == NONE
        os.rmdir(root + "/boot0")
        board.activate(TOKEN, 300, 3)
        board, _ = boot(root)
        os.rename(root + "/boot0", root + "/aside")
        os.mkdir(root + "/boot0")
        raises(StorageError, board.revert)
        os.rmdir(root + "/boot0")


def test_erasing_lets_go_of_the_slot_in_the_record_first():
    with Scratch() as root:
        board = with_slot_a(root, fallback=1)
        stage(board, build(NEW))
        assert board.record().fallback == NONE
        board.activate(TOKEN, 300, 3)
        erase_other(board)
        state = board.record()
        assert (state.trial, state.outcome, state.reason) == (NONE, record.REVERTED, record.COMMANDED)
        assert tree(root + "/b") == {} and boot(root)[1].slot == 0
        sequence = board.record().sequence
        erase_other(board)
        assert board.record().sequence == sequence  # no wear where the record does not name it


def test_the_way_back_is_not_erased():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(NEW))
        board.activate(TOKEN, 300, 3)
        board, _ = boot(root)
        for _ in range(2):
            write(board.incoming, build(SMALL))
            assert raises(UpdateFailed, board.discard_other).status == UPDATE_FAIL_STORAGE
            assert raises(UpdateFailed, lambda: list(board.stage(KEYS, "UNIX", "6.3"))).status == UPDATE_FAIL_STORAGE
            slot.verify(root, 0)
            board.revert()  # it still runs, until the restart


def test_the_way_back_is_not_erased_when_the_previous_version_is_tried():
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(NEW))
        save(root, fallback=1)
        board.activate(TOKEN, 300, 3)
        board, choice = boot(root)
        assert (choice.slot, choice.trial) == (1, True)
        raises(UpdateFailed, board.discard_other)
        slot.verify(root, 0)


def test_an_update_from_the_fallback():
    """The active slot is bad and the version before it runs: the bad one is replaced."""
    with Scratch() as root:
        board = with_slot_a(root)
        stage(board, build(NEW))
        board.activate(TOKEN, 300, 3)
        board, _ = boot(root)
        board.confirm()
        os.remove(root + "/b/app.py")
        board, choice = boot(root)
        assert (choice.slot, choice.trial, board.other()) == (0, False, 1)
        stage(board, build(SMALL))
        state = board.record()
        assert (state.active, state.fallback) == (0, NONE)
        board.activate(TOKEN, 300, 1)
        assert [boot(root)[1].slot for _ in range(3)] == [1, 0, 0]


def test_an_update_out_of_recovery():
    for active, other in ((NONE, 0), (0, 1), (1, 0)):
        with Scratch() as root:
            save(root, active=active)
            board, choice = boot(root)
            assert (choice.slot, board.other()) == (NONE, other)
            assert board.manifest(board.running) is None
            stage(board, build(SMALL))
            board.activate(TOKEN, 300, 1)
            board, choice = boot(root)
            assert (choice.slot, choice.trial) == (other, True)
            board.confirm()
            assert boot(root)[1].slot == other


def test_manifest_of_a_slot():
    with Scratch() as root:
        board = with_slot_a(root)
        assert board.manifest(0)["version"] == "1.0.0+a_b"
        assert board.manifest(1) is None and board.manifest(NONE) is None
        write(root + "/a/.manifest", read(root + "/a/.manifest")[:-1])
        assert board.manifest(0) is None


def test_boot_reads_what_staging_writes():
    with Scratch() as root:
        board = with_slot_a(root)
        write(root + "/a/data/more/table.bin", flipped(FILES[2][1], 1000))
        raises(slot.BadSlot, slot.verify, root, 0)
        assert boot(root)[1].slot == NONE
        assert board.manifest(0) is not None
