"""The state log: what was put is there, and a cut at any byte leaves the table before or the table after."""

import os

from srup.errors import StorageError
from srup.store import Store
from tests.unit.check import raises
from tests.unit.scratch import exists, folder, read, write


def test_what_was_put_is_there_after_a_restart():
    path = folder() + "/log"
    store = Store(path)
    store.put({b"a": b"1", b"b": b""})
    store.put({b"a": None, b"c": bytes(700)})
    for again in (store, Store(path)):
        assert again.get(b"a") is None
        assert again.get(b"b") == b""
        assert again.get(b"c") == bytes(700)
        assert again.items(b"") == [(b"b", b""), (b"c", bytes(700))]


def test_a_record_cut_at_any_byte_is_all_or_nothing():
    path = folder() + "/log"
    store = Store(path)
    store.put({b"x": b"old", b"y": b"old"})
    whole = read(path)
    store.put({b"x": b"new", b"y": b"new"})
    both = read(path)
    for cut in range(len(whole), len(both) + 1):
        write(path, both[:cut])
        after = Store(path)
        expected = b"new" if cut == len(both) else b"old"
        assert after.get(b"x") == after.get(b"y") == expected, cut
        after.put({b"z": b"later"})  # what is put after a torn record is not lost behind it
        assert Store(path).get(b"z") == b"later", cut
        assert Store(path).get(b"x") == expected, cut


def test_a_flipped_bit_never_yields_a_value_that_was_not_put():
    path = folder() + "/log"
    Store(path).put({b"key": b"value"})
    good = read(path)
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit >> 3] ^= 1 << (bit & 7)
        write(path, bad)
        assert Store(path).get(b"key") in (None, b"value"), bit


def test_the_log_does_not_grow_for_ever_and_compaction_keeps_the_table():
    path = folder() + "/log"
    store = Store(path)
    for turn in range(400):
        store.put({b"turn": bytes(60) + bytes((turn & 0xFF,)), b"k" + bytes((turn % 7,)): bytes((turn & 0xFF,))})
        assert os.stat(path)[6] < 12_000
    assert Store(path).get(b"turn")[60] == 399 & 0xFF
    assert len(Store(path).items(b"k")) == 7


def test_a_cut_in_compaction_leaves_the_old_log():
    path = folder() + "/log"
    Store(path).put({b"a": b"1"})
    write(path + ".new", b"half of a new log")
    assert Store(path).get(b"a") == b"1"
    assert not exists(path + ".new")


def test_a_record_that_is_too_long_changes_nothing():
    path = folder() + "/log"
    store = Store(path)
    raises(StorageError, store.put, {b"a": bytes(5000)})
    assert store.get(b"a") is None
    assert Store(path).get(b"a") is None


def test_a_flash_that_refuses_is_reported_and_the_table_stays_as_in_flash():
    store = Store(folder() + "/no-such-folder/log")
    raises(StorageError, store.put, {b"a": b"1"})
    assert store.get(b"a") is None
