"""Bundles that others wrote (tests/vectors/make_bundles.py), staged: full and delta, plain and deflated. On MicroPython, over a
real littlefs and with its own deflate."""

from io import BytesIO

from srup import auth, bundle, keys, limits, meant, port, slots, unpack
from srup.errors import BadSignature, UpdateFailed
from srup.status import (
    UPDATE_FAIL_BOARD,
    UPDATE_FAIL_BUNDLE,
    UPDATE_FAIL_DOWNGRADE,
    UPDATE_FAIL_SPACE,
    UPDATE_FAIL_STORAGE,
)
from srup_boot import record, slot, start
from srup_boot.record import NONE
from tests.unit import bundles
from tests.unit.bundles import Vectors
from tests.unit.check import raises
from tests.unit.scratch import MICROPYTHON, Scratch, read, tree, write

VECTORS = Vectors()


class Keys:
    def ready(self):
        pass

    def of(self, role):
        return [(b"release.", VECTORS["RELEASE_KEY"])] if role == keys.RELEASE else []


ON_NONE = start.Choice(NONE, False, None, "", NONE)
ON_A = start.Choice(0, False, None, "", NONE)


def stage(board, data, trusted=None):
    write(board.incoming, data)
    return list(board.stage(trusted or Keys(), "UNIX", "6.3"))


def with_old(root):
    """FileSlots of a board that runs OLD, in slot a."""
    stage(slots.FileSlots(root, ON_NONE), VECTORS["OLD"])
    state = record.Record()
    state.active = 0
    state.save(root)
    return slots.FileSlots(root, ON_A)


def refused(status, board, data, trusted=None):
    """Staging fails so, with the other slot empty and the one that runs untouched."""
    before = tree(board.root + "/a")
    assert raises(UpdateFailed, stage, board, data, trusted).status == status
    list(board.sweep())
    assert tree(board.root + "/b") == {} and tree(board.root + "/a") == before


def test_each_way_to_send_a_version_makes_the_same_slot():
    found = []
    for name in ("FULL", "FULL_DEFLATED", "DELTA", "DELTA_DEFLATED"):
        with Scratch() as root:
            board = with_old(root)
            stage(board, VECTORS[name])
            slot.verify(root, 1)
            manifest = board.manifest(1)
            assert (manifest["version"], manifest["base"] != "") == ("2.0", "DELTA" in name)
            found.append({path: data for path, data in tree(root + "/b").items() if path[0] != "." or path == ".index"})
            slot.verify(root, 0)
    assert found[0]["app.py"].endswith(b"VERSION = 2\n") and len(found[0]) == 5
    assert found == found[:1] * 4


def test_a_delta_for_a_board_that_runs_something_else():
    with Scratch() as root:
        board = slots.FileSlots(root, ON_NONE)  # in recovery: nothing runs
        assert raises(UpdateFailed, stage, board, VECTORS["DELTA"]).status == UPDATE_FAIL_BOARD
        stage(board, VECTORS["FULL"])
        state = board.record()
        state.active = 0
        state.save(root)
        refused(UPDATE_FAIL_BOARD, slots.FileSlots(root, ON_A), VECTORS["DELTA"])


def test_a_base_that_was_damaged_since_the_start():
    for path, name in (("lib/clock.py", "DELTA"), ("app.py", "DELTA"), ("app.py", "DELTA_DEFLATED")):
        with Scratch() as root:
            board = with_old(root)
            data = bytearray(read(root + "/a/" + path))
            data[5] ^= 1
            write(root + "/a/" + path, data)
            refused(UPDATE_FAIL_STORAGE, board, VECTORS[name])


class Recorded:
    """In place of the check of the release signature, while hundreds of bundles are tried: the verdict that the real one gives,
    as (signed, signature) is the one good pair, or is not."""

    def __init__(self, data):
        self._data = data

    def __enter__(self):
        auth.check_release, self._check = self.check, auth.check_release

    def __exit__(self, *_):
        auth.check_release = self._check

    def check(self, keys, signed, signature):
        if signed != self._data[:5] + self._data[71 : 66 + len(signed)] or signature != self._data[7:71]:
            raise BadSignature("recorded")


def test_every_truncation_and_flipped_bit_of_a_deflated_delta_is_refused():
    """On MicroPython, with the decoder that boards have, every bit. The lowest bit of byte 4 makes it a sealed bundle, for which this board has no key."""
    data = VECTORS["DELTA_DEFLATED"]
    with Scratch() as root:
        board = with_old(root)
        with Recorded(data):
            for size in range(len(data)):
                refused(UPDATE_FAIL_BUNDLE, board, data[:size])
            for bit in range(0, 8 * len(data), 1 if MICROPYTHON else 7):
                refused(UPDATE_FAIL_BOARD if bit == 32 else UPDATE_FAIL_BUNDLE, board, bundles.flipped(data, bit))
            stage(board, data)


def test_a_bomb_goes_off_nowhere():
    """A megabyte of zeros in a thousand bytes: declared or not, it is not written."""
    bomb = b"\x62\x60" + bytes(1000)  # pairs of distances 1 and lengths 258, as long as it goes
    trusted = bundles.ReleaseKeys()
    put = bundles.record("a", b"")[:-4]
    for size, status in ((60, UPDATE_FAIL_BUNDLE), (10_000_000, UPDATE_FAIL_SPACE)):
        with Scratch() as root:
            board = with_old(root)
            head = stored(put + size.to_bytes(4, "big"), last=False)
            changes = {"window": 12, "expanded": 8 + size, "files": 1, "size": size}
            data = bundles.build((), head + bomb, **changes)
            assert raises(UpdateFailed, stage, board, data, trusted).status in (status, UPDATE_FAIL_BUNDLE)
            assert "a" not in tree(root + "/b")


def stored(data, last=True):
    """A block of deflate that is not compressed (RFC 1951, 3.2.4)."""
    size = len(data).to_bytes(2, "little")
    return (b"\x01" if last else b"\x00") + size + bytes([byte ^ 0xFF for byte in size]) + data


FILES = (("a", b"first"), ("b/c", b"second"))
BODY = bundles.body_of(FILES)


def deflated(body, **changes):
    changes.setdefault("expanded", len(BODY))
    return bundles.build(FILES, body, window=12, **changes)


def test_what_is_not_exactly_the_body_deflated():
    trusted = bundles.ReleaseKeys()
    good = stored(BODY)
    with Scratch() as root:
        board = with_old(root)
        for data in (
            deflated(good + b"\0"),  # after the last block
            deflated(stored(BODY + b"\1")),  # in it, more than is announced
            deflated(stored(BODY, last=False)),
            deflated(stored(BODY, last=False) + stored(b"\1")),
            deflated(good[:-1]),
            deflated(b"\x06" + good[1:]),  # a kind of block that there is not
            deflated(b"\x01\x05\x00\x05\x00" + BODY),  # a length that does not match its complement
            deflated(b""),
            deflated(good, expanded=len(BODY) - 1),
            deflated(good, expanded=len(BODY) + 1),
            deflated(good, expanded=0),
            deflated(good)[:-1],
            deflated(good) + b"\0",
        ):
            refused(UPDATE_FAIL_BUNDLE, board, data, trusted)
        stage(board, deflated(stored(BODY[:9], last=False) + stored(BODY[9:])), trusted)
        assert tree(root + "/b")["b/c"] == b"second"


def test_a_window_larger_than_this_board_holds():
    with Scratch() as root:
        board = with_old(root)
        data = bundles.build(FILES, stored(BODY), window=limits.WINDOW + 1, expanded=len(BODY))
        refused(UPDATE_FAIL_BOARD, board, data, bundles.ReleaseKeys())


# What a manifest asks of a device


def manifest(**changes):
    return bundle.check_manifest(bundles.manifest(FILES, BODY, changes))


def check(found, running=None, counter=5):
    meant.check(found, ("app",), "UNIX", "6.3", running, counter)


def test_what_this_device_meets():
    base = "0f" * 8
    for changes in (
        {},
        {"boards": "[]"},
        {"mpy": '"6.3"'},
        {"micropython": '"1.25"'},
        {"micropython": '"1.25.0"'},
        {"agent": '"0.1"'},
        {"agent": '"0.0.99.4"'},
        {"base": f'"{base}"'},
        {"counter": 6},
        {"window": limits.WINDOW},
    ):
        check(manifest(**changes), base)


def test_what_this_device_does_not_meet():
    for status, changes in (
        (UPDATE_FAIL_BOARD, {"kind": '"data"'}),
        (UPDATE_FAIL_BOARD, {"kind": '"romfs"', "files": 1}),
        (UPDATE_FAIL_BOARD, {"boards": '["RPI_PICO_W"]'}),
        (UPDATE_FAIL_BOARD, {"mpy": '"6.2"'}),
        (UPDATE_FAIL_BOARD, {"micropython": f'"{port.micropython()[0] + 1}"'}),
        (UPDATE_FAIL_BOARD, {"micropython": '"99.1.2.3"'}),
        (UPDATE_FAIL_BOARD, {"agent": '"0.1.0.1"'}),
        (UPDATE_FAIL_BOARD, {"agent": '"12"'}),
        (UPDATE_FAIL_BOARD, {"base": f'"{"0f" * 8}"'}),
        (UPDATE_FAIL_DOWNGRADE, {"counter": 4}),
    ):
        assert raises(UpdateFailed, check, manifest(**changes)).status == status


# Images


def image(name, old=None):
    file = BytesIO(VECTORS[name])
    found = bundle.open_bundle(file).manifest
    return b"".join([bytes(chunk) for chunk in unpack.Unpacker().image(file, found, old)])


def test_an_image_and_a_change_to_it():
    old = image("IMAGE")
    assert old == bytes(range(256)) * 8
    assert image("IMAGE_DELTA", BytesIO(old)) == old[:1792] + b"\xaa" * 256


def test_a_change_to_another_image_is_found_out():
    spoilt = bytes(2048)
    assert raises(UpdateFailed, image, "IMAGE_DELTA", BytesIO(spoilt)).status == UPDATE_FAIL_STORAGE
    assert raises(UpdateFailed, image, "IMAGE_DELTA", BytesIO(spoilt[:1000])).status == UPDATE_FAIL_BUNDLE


# Sealed


def test_a_sealed_bundle_is_staged_by_who_has_the_key():
    with Scratch() as root:
        board = with_old(root)
        write(root + "/sealing.key", VECTORS["RECIPIENT_1"])
        for name in ("SEALED_FOR_ONE", "SEALED_FOR_THREE"):
            stage(board, VECTORS[name])
            slot.verify(root, 1)
            assert sorted(tree(root))[:1] == ["a/.index"] and "incoming.open" not in tree(root)


def test_a_sealed_bundle_is_nothing_to_others_and_leaves_nothing():
    with Scratch() as root:
        board = with_old(root)
        refused(UPDATE_FAIL_BOARD, board, VECTORS["SEALED_FOR_ONE"])  # without a key
        write(root + "/sealing.key", bytes(31) + b"\x01")
        refused(UPDATE_FAIL_BOARD, board, VECTORS["SEALED_FOR_ONE"])
        write(root + "/sealing.key", VECTORS["RECIPIENT_1"])
        refused(UPDATE_FAIL_BUNDLE, board, VECTORS["SEALED_FOR_ONE"][:-1] + b"\0")
        refused(UPDATE_FAIL_BUNDLE, board, VECTORS["SEALED_FOR_ONE"], bundles.ReleaseKeys())  # opened, and not signed
        assert "incoming.open" not in tree(root)


def test_a_cut_while_it_was_unsealed_leaves_what_the_next_sweep_removes():
    with Scratch() as root:
        board = with_old(root)
        write(root + "/incoming.open", b"plain")
        list(board.sweep())
        assert "incoming.open" not in tree(root)
