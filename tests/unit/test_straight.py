"""An image that goes straight into raw flash as it is downloaded: it may be larger than the file system, is gone on with after a power
cut, and is nothing before all of it was what INITIATE names."""

import hashlib

from srup import auth, inflate, limits, straight  # noqa: F401 - compiled now, while memory is in one piece
from srup.errors import BadSignature, UpdateFailed
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_BUNDLE, UPDATE_FAIL_DOWNGRADE, UPDATE_FAIL_SPACE
from tests.unit import bundles
from tests.unit.bundles import Vectors, flipped, sha256_hex
from tests.unit.check import raises
from tests.unit.fetching import BUFFER, fetch, returned, stage
from tests.unit.nor import BLOCK
from tests.unit.scratch import exists, read, tree, write
from tests.unit.slot_boards import KEYS, RAW, TOKEN, Firmwares, Regions

HEADER = 75


class PowerCut(Exception):
    pass


def deflated(board, version, size=1900, window=10):
    """A bundle whose image is deflated: the stored kind (RFC 1951, 3.2.4) will do, in two blocks."""
    image = board.image(version, size)
    body = b""
    for last, part in ((0, image[:700]), (1, image[700:])):
        length = len(part)
        body += bytes((last, length & 0xFF, length >> 8, ~length & 0xFF, ~length >> 8 & 0xFF)) + part
    return board.bundle(version, image, body=f'"{sha256_hex(body)}"', body_size=len(body), window=window, served=body)


class Straight:
    """`with Straight(backing) as board`: one of test_backings whose `bundle` may have its image encoded."""

    def __init__(self, backing):
        self._backing = backing

    def __enter__(self):
        self._board = self._backing()
        board = self._board.__enter__()
        plain = board.bundle

        def made(version, image=None, served=None, **changes):
            if served is None:
                return plain(version, image, **changes)
            described = {"kind": f'"{board.kind}"', "files": 1, "size": len(image), "tree": f'"{sha256_hex(image)}"'}
            described.update(version=f'"{version}"', counter=board.counter, expanded=len(image))
            described.update(changes)
            return bundles.build((), served, **described)

        board.bundle = made
        return board

    def __exit__(self, *_):
        self._board.__exit__()


def test_an_image_goes_into_its_region_and_only_its_header_into_a_file():
    for backing in RAW:
        with Straight(backing) as board:
            data = board.bundle(2, board.image(2, 2000))
            assert fetch(board, data) == 0
            assert read(board.slots.incoming) == data[: len(data) - 2000]
            assert board.versions()[1] is None and board.boot() == 0  # it is there, and nothing yet
            assert stage(board) and board.versions()[1] == "2"
            assert not [path for path in tree(board.root) if path.startswith("incoming")]
            board.slots.activate(TOKEN, 300, 3)
            assert board.boot() == 1 and board.trial


def test_in_pieces_of_any_size_as_it_is_or_deflated():
    for backing in RAW:
        with Straight(backing) as board:
            for piece in (1, 74, 75, 76, 255, 256, 257, 1000, 2048):
                for data in (board.bundle(2, board.image(2, 1900)), deflated(board, 3)):
                    fetch(board, data, piece)
                    stage(board)
                    board.where.verify(1)


def test_a_power_cut_at_any_write_or_erase_is_gone_on_from():
    for backing in RAW:
        for data_of in (lambda board: board.bundle(2, board.image(2, 2000)), lambda board: deflated(board, 2)):
            with Straight(backing) as board:
                data = data_of(board)
                flash = board.flash[1]
                before = flash.operations
                fetch(board, data)
                operations = flash.operations - before
                board.slots.drop_incoming()
                resumed = []
                for number in range(1, operations + 1):
                    for torn in (False, True):
                        flash.fault = cut_at(flash.operations + number, torn)
                        try:
                            fetch(board, data)
                            assert torn and number == operations
                        except PowerCut:
                            pass
                        flash.fault = None
                        assert board.boot() == 0 and (number == 1 or board.versions()[1] is None)
                        resumed.append(fetch(board, data))
                        stage(board)
                        board.where.verify(1)
                header = HEADER + len(manifest_of(data))
                goes_on = b'"window"' not in manifest_of(data)
                assert min(resumed) == 0 and (max(resumed) > header + BLOCK // 2) == goes_on


def manifest_of(data):
    return data[HEADER : HEADER + int.from_bytes(data[71:75], "big")]


def cut_at(number, torn):
    """The power goes at this operation: before it, or when a third of a page is programmed."""

    def fault(operation, data):
        if torn and data and operation == number:
            return data[:85] + b"\xff" * (len(data) - 85)
        if operation >= number:
            raise PowerCut()
        return data

    return fault


def test_a_cut_between_any_two_pieces_of_work():
    with Straight(Regions) as board:
        data = board.bundle(2, board.image(2, 2000))
        into = board.slots.into(KEYS, "UNIX", "6.3")
        list(into.kept(BUFFER))
        header = len(data) - 2000
        for at in range(0, header, 20):
            returned(into.append(memoryview(data)[at : min(header, at + 20)]))
        assert into.pausing
        into.close()
        for cuts in range(3):  # before its header was looked at, within that, and after it
            work = into.go_on()
            for _ in range(cuts):
                next(work)
            assert fetch(board, data) in (0, header)
            stage(board)
            board.where.verify(1)
            board.slots.drop_incoming()
            into = board.slots.into(KEYS, "UNIX", "6.3")
            list(into.kept(BUFFER))
            returned(into.append(memoryview(data)[:header]))
            into.close()


def test_what_an_older_agent_has_left_as_a_file_is_begun_anew():
    with Straight(Regions) as board:
        data = board.bundle(2, board.image(2, 2000))
        write(board.slots.incoming, data[:1024])
        assert fetch(board, data) == 0
        stage(board)
        board.where.verify(1)


def test_another_file_at_the_same_place_is_begun_anew():
    with Straight(Regions) as board:
        first, second = (board.bundle(version, board.image(version, 2000)) for version in (2, 3))
        flash = board.flash[1]
        flash.fault = cut_at(flash.operations + 7, False)
        raises(PowerCut, fetch, board, first)
        flash.fault = None
        board.slots.drop_incoming()  # as the updater does for another digest
        assert fetch(board, second) == 0
        stage(board)
        assert board.versions()[1] == "3"


def test_what_is_not_for_this_board_costs_it_nothing():
    for backing in RAW:
        with Straight(backing) as board:
            board.stage(board.bundle(2))
            room = 2 * BLOCK
            for status, data in (
                (UPDATE_FAIL_DOWNGRADE, board.bundle(3, counter=4)),
                (UPDATE_FAIL_BOARD, board.bundle(3, boards='["OTHER"]')),
                (UPDATE_FAIL_BOARD, board.bundle(3, base='"0123456789abcdef"')),
                (UPDATE_FAIL_BOARD, bundles.build()),
                (UPDATE_FAIL_SPACE, board.bundle(3, board.image(3, room + 1))),
            ):
                assert raises(UpdateFailed, fetch, board, data).status == status
                board.slots.drop_incoming()
                assert board.versions()[1] == "2"
                board.where.verify(1)


def test_what_no_release_key_signed_is_not_written_to_raw_flash():
    command = hashlib.sha256(b"the tests' command key").digest()
    with Straight(Firmwares) as board:
        board.stage(board.bundle(2))
        operations = board.flash[1].operations
        for key in (command, None):
            data = board.bundle(3)
            data = (
                bundles.sealed(manifest_of(data), data[HEADER + len(manifest_of(data)) :], key)
                if key
                else flipped(data, 100)
            )
            fetch(board, data)  # it becomes a file, as there is room
            assert raises(UpdateFailed, stage, board).status == UPDATE_FAIL_BUNDLE
            board.slots.drop_incoming()
            board.slots.room = lambda: 500
            assert raises(UpdateFailed, fetch, board, data).status == UPDATE_FAIL_BUNDLE
            del board.slots.room
            board.slots.drop_incoming()
        assert board.flash[1].operations == operations and board.versions()[1] == "2"


def test_what_goes_by_a_file_goes_by_a_file():
    with Straight(Regions) as board:
        for data in (Vectors()["SEALED_FOR_ONE"], b"no bundle", bytes(3000)):
            fetch(board, data)
            assert read(board.slots.incoming) == data
            board.slots.drop_incoming()


class Recorded:
    """In place of the check of release signatures, while thousands of bundles are tried: as for the one that is good, or not."""

    def __init__(self, data):
        self._good = data[:HEADER], manifest_of(data)

    def __enter__(self):
        auth.check_release, self._check = self.check, auth.check_release

    def __exit__(self, *_):
        auth.check_release = self._check

    def check(self, keys, signed, signature):
        head, manifest = self._good
        if signed[9:] != manifest or signed[:9] != head[:5] + head[71:] or signature != head[7:71]:
            raise BadSignature("recorded")


def test_every_truncation_flipped_bit_and_longer_file_is_refused_with_nothing_installed():
    """Where INITIATE names just that file; else its digest would be the end of it."""
    with Straight(Regions) as board:
        for data in (board.bundle(2, board.image(2, 300)), deflated(board, 2, 720)):
            board.slots.discard_other()
            with Recorded(data):
                for at in range(len(data)):
                    refused(board, data[:at])
                    refused(board, flipped(data, 8 * at + at * 5 % 8))
                refused(board, data + b"\0")
                refused(board, data + data)
                fetch(board, data)
                stage(board)


def refused(board, data):
    try:
        fetch(board, data)
        stage(board)
    except UpdateFailed:
        pass
    assert board.slots.manifest(1) is None
    board.slots.drop_incoming()


def test_a_deflated_image_that_is_larger_than_it_says_or_no_deflate():
    with Straight(Regions) as board:
        image = board.image(2, 300)
        stored = b"\x01\x2c\x01\xd3\xfe" + image
        for served, size in (
            (stored, 299),
            (stored, 301),
            (stored[:-1], 300),
            (stored + b"\0", 300),
            (b"\x07" + stored, 300),
            (b"", 300),
        ):
            data = board.bundle(2, image, served, window=10, expanded=size, size=size)
            fetched = None
            try:
                fetch(board, data)
                stage(board)
            except UpdateFailed as failure:
                fetched = failure.status
            assert fetched == UPDATE_FAIL_BUNDLE, (len(served), size)
            assert board.slots.manifest(1) is None and not exists(board.root + "/never")
            board.slots.drop_incoming()
