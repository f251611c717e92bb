"""An ESP32's firmware and the application that needs it, in one bundle: both are switched and both go back, whatever happens between."""

from srup.errors import Refused, UpdateFailed
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_BUNDLE
from srup_boot import record, slot
from srup_boot.record import NONE
from tests.unit import bundles
from tests.unit.bundles import flipped, sha256_hex
from tests.unit.check import raises
from tests.unit.fetching import fetch, stage
from tests.unit.nor import BLOCK
from tests.unit.scratch import exists, read, tree, write
from tests.unit.slot_boards import KEYS, TOKEN, Firmwares, Pairs


class PowerCut(Exception):
    pass


def runs(board):
    """(version of the firmware that runs, version of the application beside it): of what is in flash, not what is said of it."""
    number = board.chip.running
    head = bytearray(25)
    board.flash[number].readblocks(0, head, 0)
    path = slot.slot_path(board.root, number) + "/app.py"
    application = read(path)[len(b"VERSION = ") : -1] if exists(path) else b""
    return head[24], int(application) if application else None


def firmware_alone(board, version, image=None, **changes):
    return Firmwares.bundle(board, version, image, kind='"firmware"', **changes)


def confirmed(board, data, token=TOKEN):
    """Staged, tried, confirmed; and started again."""
    board.stage(data)
    board.slots.activate(token, 300, 3)
    board.boot()
    assert board.trial
    board.slots.confirm()
    assert board.boot() == board.record().active == board.chip.running


def test_a_set_is_switched_and_goes_back_together():
    with Pairs() as board:
        assert runs(board) == (1, 1)
        board.stage(board.bundle(2))
        board.slots.activate(TOKEN, 300, 3)
        assert board.boot() == 1 and runs(board) == (2, 2)
        board.slots.revert()
        assert board.boot() == 0 and runs(board) == (1, 1)
        confirmed(board, board.bundle(3), bytes(16))
        assert runs(board) == (3, 3)
        board.slots.check_previous()
        board.slots.activate(bytes(15) + b"\1", 300, 3)  # REVERT
        assert board.boot() == 0 and runs(board) == (1, 1)


def test_an_application_alone_takes_the_firmware_that_runs_along():
    with Pairs() as board:
        confirmed(board, board.bundle(2))
        confirmed(board, board.application(3))
        assert runs(board) == (2, 3) and board.chip.running == 0
        assert board.slots.described(0)["version"] == board.slots.described(1)["version"] == "2"
        before = [flash.operations for flash in board.flash]
        board.stage(board.application(4))  # the firmware is there already: but for its header nothing is written
        assert [flash.operations for flash in board.flash] == [before[0], before[1] + 3]
        board.slots.activate(TOKEN, 300, 3)
        assert board.boot() == 1 and runs(board) == (2, 4)


def test_a_firmware_that_came_by_cable_is_taken_along_too():
    with Pairs() as board:
        confirmed(board, board.application(2))
        assert runs(board) == (1, 2) and board.chip.running == 1
        assert board.slots.described(1) is None
        confirmed(board, board.application(3))
        assert runs(board) == (1, 3) and board.chip.running == 0


def test_a_firmware_alone_takes_the_application_along_unless_that_came_with_its_own():
    with Pairs() as board:
        confirmed(board, firmware_alone(board, 2))
        assert runs(board) == (2, 1)
        assert board.slots.manifest(1)["version"] == "1" and board.slots.described(1)["version"] == "2"
        confirmed(board, board.bundle(3))
        assert raises(UpdateFailed, board.stage, firmware_alone(board, 4)).status == UPDATE_FAIL_BOARD
        confirmed(board, board.application(4))
        confirmed(board, firmware_alone(board, 5))
        assert runs(board) == (5, 4)


def test_in_recovery_a_set_or_an_application_leads_out_and_a_firmware_alone_does_not():
    for data_of, found in ((lambda board: board.bundle(2), (2, 2)), (lambda board: board.application(3), (1, 3))):
        with Pairs() as board:
            board.save(active=0, fallback=NONE, starts=record.STARTS)
            assert board.boot() == NONE
            assert raises(UpdateFailed, board.stage, firmware_alone(board, 4)).status == UPDATE_FAIL_BOARD
            board.stage(data_of(board))
            board.slots.activate(TOKEN, 300, 3)
            assert board.boot() == 1 and runs(board) == found


def test_the_security_counter_is_the_higher_of_both():
    with Pairs() as board:
        confirmed(board, firmware_alone(board, 2, counter=9))
        assert board.record().counter == 9
        assert board.slots.manifest(1)["counter"] == 9


def test_a_delta_is_to_the_firmware_or_to_the_application():
    with Pairs() as board:
        confirmed(board, board.bundle(2))
        old = board.files(2)
        base = sha256_hex("".join([f"{sha256_hex(data)} {len(data)} {path}\n" for path, data in old]).encode())[:16]
        new = (("app.py", b"VERSION = 3\n"), old[1])
        body = bundles.record("app.py", new[0][1]) + bundles.keep("data")
        confirmed(board, bundles.build(new, body, base=f'"{base}"', version='"3"'))
        assert runs(board) == (2, 3)
        image = board.image(2)
        patch = b"\x00" + number(len(image)) + b"\x00" + number(len(image)) + bytes(len(image)) + b"\x00\x00"
        described = {"kind": '"firmware"', "files": 1, "size": len(image), "tree": f'"{sha256_hex(image)}"'}
        described.update(base=f'"{sha256_hex(image)[:16]}"', version='"2b"')
        confirmed(board, bundles.build((), patch, **described))
        assert runs(board) == (2, 3) and board.slots.described(board.chip.running)["version"] == "2b"


def number(value):
    digits = [value & 0x3F]
    value >>= 6
    while value:
        digits.append(value & 0x7F)
        value >>= 7
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def test_a_half_of_a_set_is_none():
    """The manifest that is in either half describes both."""
    with Pairs() as board:
        for harm in (spoil_firmware, spoil_application, lose_application):
            board.stage(board.bundle(2))
            board.slots.activate(TOKEN, 300, 3)
            harm(board)
            assert board.boot() == 0 and runs(board) == (1, 1)
            assert board.record().reason == record.BAD_CONTENTS


def spoil_firmware(board):
    board.flash[1].flip(1400)


def spoil_application(board):
    path = board.root + "/b/data"
    write(path, flipped(read(path), 7))


def lose_application(board):
    for path in tree(board.root + "/b"):
        if path == ".manifest":
            write(board.root + "/b/.manifest", b"")


def set_with(board, changes):
    image, files = board.image(2), board.files(2)
    described = {"kind": '"set"', "image": f'"{sha256_hex(image)}"', "image_size": len(image)}
    described.update(changes)
    return bundles.build(files, image + bundles.body_of(files), **described)


def test_sets_that_are_none():
    with Pairs() as board:
        image = board.image(2)
        for changes in (
            {"image": '""'},
            {"image_size": 0},
            {"image_size": len(image) - 1},
            {"image_size": 1 << 20},
            {"image": f'"{"0" * 64}"'},
            {"base": '"0123456789abcdef"'},
            {"kind": '"app"'},
            {"kind": '"firmware"'},
        ):
            assert raises(UpdateFailed, board.stage, set_with(board, changes)).status == UPDATE_FAIL_BUNDLE, changes
            assert board.slots.manifest(1) is None and raises(Refused, board.slots.activate, TOKEN, 300, 3)
            list(board.slots.sweep())


def test_a_board_with_one_half_only_refuses_sets():
    for backing in (Firmwares,):
        with backing() as board:
            set_of_two = Pairs.bundle(AsPair(board), 2)
            assert raises(UpdateFailed, board.stage, set_of_two).status == UPDATE_FAIL_BOARD


class AsPair:
    """To make a set for a board that takes none."""

    files = Pairs.files
    counter = 5

    def __init__(self, board):
        self.image = board.image


class VectorKeys:
    """Trusts the release key of the vectors."""

    def of(self, role):
        return [(b"release.", bundles.Vectors()["RELEASE_KEY"])] if role == 2 else []

    def ready(self):
        pass


def test_sets_made_after_their_description_alone():
    with Pairs() as board:
        for name in ("SET", "SET_DEFLATED"):
            write(board.slots.incoming, bundles.Vectors()[name])
            list(board.slots.stage(VectorKeys(), "UNIX", "6.3"))
            board.where.verify(1)
            assert board.slots.manifest(1)["version"] == board.slots.described(1)["version"] == "2.0"
            assert read(board.root + "/b/app.py").endswith(b"VERSION = 2\n")
            board.slots.discard_other()
            list(board.slots.sweep())


def test_a_set_straight_off_the_network_as_it_is():
    with Pairs() as board:
        data = board.bundle(2)
        assert fetch(board, data) == 0
        assert sorted(path for path in tree(board.root) if path.startswith("incoming")) == [
            "incoming",
            "incoming.files",
        ]
        stage(board)
        board.slots.activate(TOKEN, 300, 3)
        assert board.boot() == 1 and runs(board) == (2, 2)
        assert not [path for path in tree(board.root) if path.startswith("incoming")]


# The power goes


class Flash:
    """`with Flash(board, at, torn)`: the power goes at the at-th write or erase, in the two app partitions, in otadata or of the boot
    record, counted together; before it, or where a page is concerned with a third of it programmed."""

    def __init__(self, board, at, torn=False):
        self._board = board
        self._left = at
        self._torn = torn

    def __enter__(self):
        chip = self._board.chip
        for nor in chip.apps + [chip.otadata]:
            nor.fault = self._fault
        self._save = record.Record.save
        record.Record.save = self._saved(record.Record.save)
        return self

    def __exit__(self, *_):
        chip = self._board.chip
        for nor in chip.apps + [chip.otadata]:
            nor.fault = None
        record.Record.save = self._save

    def _fault(self, operation, data):
        self._left -= 1
        if self._left == 0 and self._torn and data:
            return data[:85] + b"\xff" * (len(data) - 85)
        if self._left <= 0:
            raise PowerCut()
        return data

    def _saved(self, save):
        def saved(state, root):
            self._left -= 1
            if self._left == 0 and not self._torn:
                raise PowerCut()
            save(state, root)
            if self._left == 0:
                raise PowerCut()

        return saved


def until_the_cut(board, at, torn, work):
    """False if the work was done before it."""
    with Flash(board, at, torn):
        try:
            work(board)
            return False
        except PowerCut:
            return True
        except UpdateFailed:  # the torn page was the last one, and is found out before the power goes
            return True


def whole_way(board):
    """From the bundle that lies in flash to the confirmation; what is done already is not done again."""
    state = board.record()
    if state.outcome == record.CONFIRMED:
        board.boot()
        return
    if not state.on_trial():
        if exists(board.slots.incoming):
            list(board.slots.stage(KEYS, "UNIX", "6.3"))
        board.slots.activate(TOKEN, 300, 3)
    board.boot()
    if board.trial:
        board.slots.confirm()
    board.boot()


def test_the_power_may_go_anywhere_between_the_two_switches():
    """After each cut: the old pair or the new one; and left alone, the board goes on to the new one."""
    for torn in (False, True):
        at, cut = 1, True
        while cut:
            with Pairs() as board:
                write(board.slots.incoming, board.bundle(2))
                cut = until_the_cut(board, at, torn, whole_way)
                board.boot()
                assert runs(board) in ((1, 1), (2, 2)), (at, torn)
                assert board.chip.running == board.slots.running
                for _ in range(4):  # what a server does in the end
                    if runs(board) == (2, 2) and not board.trial:
                        break
                    if not board.record().on_trial() and board.slots.manifest(1) is None:
                        write(board.slots.incoming, board.bundle(2))
                    whole_way(board)
                assert runs(board) == (2, 2) and not board.trial, (at, torn)
            at += 1
        assert at > 20


def test_a_second_cut_at_the_start_that_follows_the_first():
    """At every operation between ACTIVATE and the confirmation, and again at each of the next start."""
    at, cut = 1, True
    while cut:
        again, more = 1, True
        while more:
            with Pairs() as board:
                board.stage(board.bundle(2))
                cut = until_the_cut(board, at, False, tried)
                more = until_the_cut(board, again, False, lambda board: board.boot())
                board.boot()
                assert runs(board) in ((1, 1), (2, 2)), (at, again)
                assert board.chip.running == board.slots.running
            again += 1
        at += 1
    assert at > 8


def tried(board):
    board.slots.activate(TOKEN, 300, 3)
    board.boot()
    if board.trial:
        board.slots.confirm()
    board.boot()


def test_a_bootloader_that_goes_back_takes_the_application_with_it():
    """Whatever otadata says, torn or not, and whatever the boot record: what runs is a pair."""
    with Pairs() as board:
        confirmed(board, board.bundle(2))
        for sector in (0, 1):
            kept = bytearray(BLOCK)
            board.chip.otadata.readblocks(sector, kept)
            board.chip.otadata.ioctl(6, sector)
            assert board.boot() == 1 and runs(board) == (2, 2)
            board.chip.otadata.ioctl(6, sector)
            board.chip.otadata.writeblocks(sector, kept)
        for name in ("boot0", "boot1"):
            write(board.root + "/" + name, b"torn")
            board.boot()
            assert runs(board) in ((1, 1), (2, 2))
