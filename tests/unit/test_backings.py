"""One interface, four backings: each story is told with folders, with raw flash, with an ESP32's two firmwares, and with pairs of both."""

import sys

from srup.backing import Backing
from srup.errors import Refused, UpdateFailed
from srup.firmware_slots import FirmwareSlots
from srup.pair_slots import PairSlots
from srup.partition_slots import PartitionSlots
from srup.slots import FileSlots
from srup.status import (
    ACTION_FAIL,
    ACTION_REFUSED,
    ACTIVATE_FAIL,
    UPDATE_FAIL_BOARD,
    UPDATE_FAIL_BUNDLE,
    UPDATE_FAIL_DOWNGRADE,
    UPDATE_FAIL_SPACE,
    UPDATE_FAIL_STORAGE,
)
from srup_boot import firmware, record, region, slot, start
from srup_boot.record import NONE
from tests.unit import bundles
from tests.unit.bundles import flipped, sha256_hex
from tests.unit.check import raises
from tests.unit.fake_esp32 import partition_class
from tests.unit.nor import BLOCK, PAGE, Nor
from tests.unit.scratch import exists, write
from tests.unit.slot_boards import ALL, BLOCKS, KEYS, RAW, TOKEN, Firmwares, Folders, Pairs, Regions, Reset


def refused(board, status, data, *arguments):
    """Staging fails so, and slot a goes on running."""
    assert raises(UpdateFailed, board.stage, data, *arguments).status == status
    list(board.slots.sweep())
    assert board.slots.manifest(1) is None
    board.where.verify(0)
    assert board.boot() == 0


# Stories


def test_every_backing_has_the_whole_interface():
    for made in (FileSlots, PartitionSlots, FirmwareSlots, PairSlots):
        for name in ("manifest", "_clear", "_fill", "sweep"):
            assert getattr(made, name) is not getattr(Backing, name, None), (made, name)
        assert made.kinds


def test_an_update_is_staged_tried_confirmed_and_stays():
    for backing in ALL:
        with backing() as board:
            pieces = board.stage(board.bundle(2, counter=8))
            assert pieces > 1 and board.versions()[1] == "2" and not exists(board.slots.incoming)
            assert board.boot() == 0  # staged is not activated
            board.slots.activate(TOKEN, 300, 3)
            raises(Refused, board.slots.confirm)  # by the old software
            assert board.boot() == 1 and board.trial
            board.slots.confirm()
            board.slots.confirm()
            state = board.record()
            assert (state.active, state.fallback, state.counter, state.outcome) == (1, 0, 8, record.CONFIRMED)
            assert [board.boot() for _ in range(7)] == [1] * 7 and not board.trial


def test_an_update_that_nobody_confirms_goes_back():
    for backing in ALL:
        with backing() as board:
            board.stage(board.bundle(2))
            board.slots.activate(TOKEN, 300, 3)
            trials = 0
            while board.boot() == 1:
                trials += 1
            assert 1 <= trials <= 3, backing
            assert (board.record().outcome, board.record().reason) == (record.REVERTED, record.UNPROVEN)
            assert [board.boot() for _ in range(3)] == [0] * 3
            board.slots.activate(TOKEN, 300, 3)  # the network was at fault: again
            assert board.boot() == 1 and board.record().retries == 1


def test_an_update_that_its_own_self_test_refuses_goes_back_at_once():
    for backing in ALL:
        with backing() as board:
            board.stage(board.bundle(2))
            board.slots.activate(TOKEN, 300, 3)
            assert board.boot() == 1
            board.slots.revert()
            raises(Refused, board.slots.confirm)
            assert board.boot() == 0 and board.record().reason == record.SELF_TEST


def test_the_version_before_can_be_run_again_within_the_security_counter():
    for backing in ALL:
        with backing() as board:
            assert raises(Refused, board.slots.check_previous).status == ACTION_FAIL
            board.stage(board.bundle(2))
            assert raises(Refused, board.slots.check_previous).status == ACTION_FAIL  # staged is not previous
            board.slots.activate(TOKEN, 300, 3)
            board.boot()
            board.slots.confirm()
            board.boot()
            if board.slots.manifest(0):
                board.slots.check_previous()
                board.slots.activate(bytes(16), 300, 3)
                assert board.boot() == 0 and board.trial
                board.slots.confirm()
                assert (board.boot(), board.trial) == (0, False)
                board.save(counter=6)
                assert raises(Refused, board.slots.check_previous).status == ACTION_REFUSED
            else:  # a firmware by cable, of no known version
                assert raises(Refused, board.slots.check_previous).status == ACTION_FAIL


def test_only_a_whole_slot_is_activated():
    for backing in ALL:
        with backing() as board:
            assert raises(Refused, board.slots.activate, TOKEN, 300, 3).status == ACTIVATE_FAIL
            board.stage(board.bundle(2))
            board.slots.discard_other()
            assert raises(Refused, board.slots.activate, TOKEN, 300, 3).status == ACTIVATE_FAIL
            assert board.record().trial == NONE and board.boot() == 0


def test_what_is_not_meant_for_this_board_is_refused_before_anything_is_erased():
    for backing in ALL:
        with backing() as board:
            board.stage(board.bundle(2))
            for data, status in (
                (board.bundle(3, counter=4), UPDATE_FAIL_DOWNGRADE),
                (board.bundle(3, boards='["OTHER"]'), UPDATE_FAIL_BOARD),
                (bundles.build(kind='"data"'), UPDATE_FAIL_BOARD),
                (board.bundle(3)[:-1], UPDATE_FAIL_BUNDLE),
                (flipped(board.bundle(3), 8 * 300), UPDATE_FAIL_BUNDLE),
                (b"nothing", UPDATE_FAIL_BUNDLE),
            ):
                assert raises(UpdateFailed, board.stage, data).status == status
                assert board.versions()[1] == "2"


def test_a_flipped_bit_in_what_is_to_be_tried_or_in_what_runs_is_found_by_the_boot_part():
    for backing in (Folders, Regions, Pairs):
        with backing() as board:
            board.stage(board.bundle(2))
            board.slots.activate(TOKEN, 300, 3)
            board.damage(1)
            assert board.boot() == 0 and board.record().reason == record.BAD_CONTENTS
            board.stage(board.bundle(3))
            board.slots.activate(TOKEN, 300, 3)
            assert board.boot() == 1
            board.slots.confirm()
            board.damage(1)
            assert board.boot() == 0 and "slot b" in start.chosen.note
            board.damage(0)
            assert board.boot() == NONE
            board.stage(board.bundle(4))  # and out of recovery
            board.slots.activate(bytes(16), 300, 3)
            assert board.boot() == board.record().trial and board.trial


def test_a_firmware_damaged_after_it_was_staged_is_not_started():
    with Firmwares() as board:
        board.stage(board.bundle(2))
        board.slots.activate(TOKEN, 300, 3)
        board.damage(1)
        assert board.boot() == 0 and board.record().reason == record.BAD_CONTENTS


def test_the_way_back_is_not_erased_during_a_trial():
    for backing in ALL:
        with backing() as board:
            board.stage(board.bundle(2))
            board.slots.activate(TOKEN, 300, 3)
            board.boot()
            for _ in range(2):
                assert raises(UpdateFailed, board.stage, board.bundle(3)).status == UPDATE_FAIL_STORAGE
                raises(UpdateFailed, board.slots.discard_other)
                board.slots.revert()  # it still runs, until the restart
            assert board.boot() == 0


def test_a_board_without_a_slot_that_runs_takes_an_update():
    for backing in ALL:
        with backing() as board:
            board.save(active=0, fallback=NONE, starts=record.STARTS)
            assert board.boot() == NONE and start.chosen.note == "slot a: crashes"
            board.stage(board.bundle(2))
            board.slots.activate(TOKEN, 300, 3)
            assert board.boot() == 1 and board.trial
            board.slots.confirm()
            assert (board.boot(), board.record().starts) == (1, 0)


def with_an_active_one_that_crashes(board):
    board.stage(board.bundle(2))
    board.slots.activate(TOKEN, 300, 3)
    board.boot()
    board.slots.confirm()
    board.save(starts=record.STARTS)


def test_a_crash_loop_after_the_confirmation_goes_back_to_the_version_before():
    for backing in ALL:
        with backing() as board:
            with_an_active_one_that_crashes(board)
            assert [board.boot() for _ in range(8)] == [0] * 8, (backing, start.chosen.note)
            board.stage(board.bundle(3))  # over the one that crashes
            assert board.record().active == 0


def test_power_cuts_in_the_first_minute_of_a_fallback_count_once_each_though_each_takes_two_firmwares_to_start_it():
    """Two of them ended in recovery: it was counted when it was named to the bootloader, and again when it began."""
    for backing in (Firmwares, Pairs):
        with backing() as board:
            with_an_active_one_that_crashes(board)
            for _ in range(record.STARTS):
                board.chip.set_boot(1)  # as the bootloader goes back, where it was cut off before it was marked valid
                assert board.boot(stable=False) == 0
            board.chip.set_boot(1)
            assert board.boot(stable=False) == NONE and "slot a: crashes" in start.chosen.note


def test_a_fallback_that_does_not_even_reach_its_boot_part_is_named_to_the_bootloader_five_times():
    for backing in (Firmwares, Pairs):
        with backing() as board:
            with_an_active_one_that_crashes(board)
            started, boot = [], board.chip.boot

            def boot_and_die(board=board, started=started, boot=boot):
                started.append(boot())
                if board.chip.running == 0:
                    boot()  # the bootloader goes back to the other one

            board.chip.boot = boot_and_die
            assert board.boot(stable=False) == NONE and board.chip.running == 1
            assert started.count(0) == record.STARTS


def test_staging_can_be_cut_off_after_any_piece_and_done_again():
    for backing in ALL:
        with backing() as board:
            data = board.bundle(2)
            pieces = board.stage(data)
            cut = []
            for count in range(pieces):
                write(board.slots.incoming, data)
                cut.append(board.slots.stage(KEYS, "UNIX", "6.3"))
                for _ in range(count):
                    next(cut[-1])
                assert board.boot() == 0
                while len(cut) > 3:
                    cut.pop(0).close()
            board.stage(data)
            board.slots.activate(TOKEN, 300, 3)
            assert board.boot() == 1


# Raw flash


def fault_at(number, what):
    """At this operation `what` becomes of the data; at every other it is programmed. An erase can only be refused."""
    return lambda operation, data: what(data) if operation == number and (data or what == refuse) else data


def refuse(data):
    raise OSError(5, "broken")


def spoil(data):
    return flipped(data, 3) if data[0] & 8 else bytes((data[0] ^ 1,)) + data[1:]


def shorten(data):
    return data[:-100] + b"\xff" * 100


def test_raw_flash_that_refuses_spoils_or_shortens_any_write_leaves_no_slot():
    for backing in RAW:
        with backing() as board:
            data = board.bundle(2, board.image(2, 600))
            before = board.flash[1].operations
            board.stage(data)
            operations = board.flash[1].operations - before
            assert operations > 6
            for number in range(1, operations + 1):
                for what in (refuse, spoil, shorten):
                    first = board.flash[1].operations
                    board.flash[1].fault = fault_at(first + number, what)
                    try:
                        board.stage(data)
                        board.flash[1].fault = None
                        board.where.verify(1)  # an erase; or bytes that nothing is in
                    except UpdateFailed as failure:
                        board.flash[1].fault = None
                        assert failure.status == UPDATE_FAIL_STORAGE
                        if board.slots.manifest(1):
                            board.where.verify(1)  # the one before, whose header would not go
            assert board.boot() == 0


def test_an_image_may_fill_its_place_and_no_more():
    for backing in RAW:
        with backing() as board:
            room = (BLOCKS - 1) * BLOCK
            board.stage(board.bundle(2, board.image(2, room)))
            assert board.versions()[1] == "2"
            assert (
                raises(UpdateFailed, board.stage, board.bundle(3, board.image(3, room + 1))).status == UPDATE_FAIL_SPACE
            )
            assert board.slots.manifest(1) is None and board.boot() == 0


def test_every_flipped_bit_of_a_header_makes_a_region_empty():
    with Regions() as board:
        board.stage(board.bundle(2))
        size = len(region.header(*board.where.regions[1].header()))
        for at in range(size):
            board.flash[1].flip((BLOCKS - 1) * BLOCK + at, at % 8)
            raises(slot.BadSlot, board.where.verify, 1)
            assert board.slots.manifest(1) is None
            board.flash[1].flip((BLOCKS - 1) * BLOCK + at, at % 8)
        board.where.verify(1)


def test_images_of_odd_sizes_come_out_as_they_went_in():
    with Regions() as board:
        for size in (1, PAGE - 1, PAGE, PAGE + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK):
            image = (bytes(range(256)) * 9)[:size]
            board.stage(board.bundle(2, image))
            assert bytes(board.where.regions[1].memory(size)) == image
            board.where.verify(1)


# An ESP32's firmwares


def test_the_bootloader_alone_goes_back_from_a_firmware_that_never_gets_as_far_as_our_code():
    with Firmwares() as board:
        board.stage(board.bundle(2))
        board.slots.activate(TOKEN, 300, 3)
        board.chip.boot()
        board.where = firmware.Firmwares(partition_class(board.chip))
        raises(Reset, start.choose, board.root)  # the old one names the new one
        for _ in range(6):  # which crashes before Python runs
            if board.chip.boot() == 1:
                assert board.chip.boot() == 0
            board.where = firmware.Firmwares(partition_class(board.chip))
            try:
                start.choose(board.root)
                break
            except Reset:
                pass
        assert board.record().outcome == record.REVERTED and board.boot() == 0


def test_a_power_cut_between_the_record_and_the_bootloader_is_made_good():
    with Firmwares() as board:
        board.stage(board.bundle(2))
        board.slots.activate(TOKEN, 300, 3)
        board.boot()
        board.where.mark_valid = lambda: None  # the power goes before that
        board.slots.confirm()
        assert board.boot() == 1 and not board.trial  # the bootloader had gone back, and was told again
        assert [state for _, state in board.chip.records()].count(2) >= 1
        assert board.chip.boot() == 1  # for good


def test_otadata_survives_a_torn_sector():
    with Firmwares() as board:
        board.stage(board.bundle(2))
        board.slots.activate(TOKEN, 300, 3)
        board.boot()
        board.slots.confirm()
        for sector in (0, 1):
            kept = bytearray(BLOCK)
            board.chip.otadata.readblocks(sector, kept)
            board.chip.otadata.ioctl(6, sector)
            assert board.boot() == 1  # by the boot record, whichever the bootloader starts
            board.chip.otadata.ioctl(6, sector)
            board.chip.otadata.writeblocks(sector, kept)


def test_an_image_for_another_chip_or_without_its_hash_is_refused():
    with Firmwares() as board:
        refused(board, UPDATE_FAIL_BOARD, board.bundle(2, board.image(2, chip=5)))
        refused(board, UPDATE_FAIL_BUNDLE, board.bundle(2, bytes(1000)))
        refused(board, UPDATE_FAIL_BUNDLE, board.bundle(2, board.image(2)[:-1] + b"x"))


def test_a_firmware_that_the_bootloader_refuses_leads_to_the_one_that_runs():
    with Firmwares() as board:
        board.stage(board.bundle(2))
        board.slots.activate(TOKEN, 300, 3)

        def broken():
            raise OSError(-5379)

        board.chip.set_boot = lambda app: broken()
        assert board.boot() == 0 and not board.trial
        assert (board.record().outcome, board.record().reason) == (record.REVERTED, record.BAD_CONTENTS)


# ROMFS


def test_a_romfs_is_mounted_where_it_lies():
    """On MicroPython only."""
    import vfs

    contents = region.Regions([Nor(BLOCKS), Nor(BLOCKS)])
    image = romfs((("app.py", b"VERSION = 7\n"),))
    manifest = b'{"size":%d,"tree":"%s"}' % (len(image), sha256_hex(image).encode())
    for at, data in ((0, image), ((BLOCKS - 1) * BLOCK, region.header(manifest, bytes(64)))):
        contents.regions[1].program(at, data + b"\xff" * (-len(data) % PAGE))
    contents.verify(1)
    path = sys.path[:]
    contents.enter(1, False)
    try:
        import app  # pyright: ignore[reportMissingImports]

        assert app.VERSION == 7 and app.__file__.startswith(region.MOUNTED)
    finally:
        sys.path[:] = path
        sys.modules.pop("app", None)
        vfs.umount(region.MOUNTED)
    contents.regions[0].program(0, b"\xff" * PAGE)
    raises((OSError, slot.BadSlot), contents.enter, 0, False)


def romfs(files):
    """A ROMFS image (MicroPython, extmod/vfs_rom.c: "ROMFS filesystem format")."""
    body = b""
    for name, data in files:
        verbatim = record_of(2, data)
        body += record_of(5, number(len(name)) + name.encode() + verbatim)
    return b"\xd2\xcd\x31" + number(len(body)) + body


def record_of(kind, payload):
    return bytes((kind,)) + number(len(payload)) + payload


def number(value):
    """Seven bits a byte, the most significant first; all but the last with the top bit set."""
    out = bytes((value & 0x7F,))
    while value > 0x7F:
        value >>= 7
        out = bytes((value & 0x7F | 0x80,)) + out
    return out


if sys.implementation.name != "micropython":
    del test_a_romfs_is_mounted_where_it_lies
