"""The state log: what was put is there, through power cuts at any byte, flipped bits, and a file system that goes back."""

import os

from srup import store as module
from srup.errors import StorageError
from srup.store import Store
from tests.unit.bundles import flipped
from tests.unit.check import raises
from tests.unit.scratch import exists, folder, read, tree, write


def logs():
    """The paths of the two copies, in an empty folder."""
    root = folder()
    return root + "/log", root + "/copy/log"


def image(path):
    """{path: contents} of all files of the two copies."""
    root = path.rsplit("/", 1)[0]
    return {root + "/" + name: data for name, data in tree(root).items()}


def put_back(path, files):
    """The flash holds these files, and no others."""
    for name in image(path):
        if name not in files:
            os.remove(name)
    for name, data in files.items():
        write(name, data)


def copies(path):
    """The two copies, each {what follows its name: contents}."""
    found = {"log": {}, "copy/log": {}}
    root = path.rsplit("/", 1)[0] + "/"
    for name, data in image(path).items():
        which = "copy/log" if name.startswith(root + "copy/") else "log"
        found[which][name[len(root + which) :]] = data
    return found["log"], found["copy/log"]


def cuts(before, after):
    """What a power cut between two images may leave: each file that differs, torn at any byte, in the order of the writes: the
    logs, and then the record's own file."""
    state = dict(before)
    changed = [name for name in after if after[name] != before.get(name)]
    for name in sorted(changed, key=lambda name: (name[-1].isdigit(), "copy/" in name)):
        old, new = before.get(name, b""), after[name]
        kept = len(old) if new[: len(old)] == old else 0
        for size in range(kept, len(new)):
            torn = dict(state)
            torn[name] = new[:size]
            yield torn
        state[name] = new
        yield dict(state)


def test_what_was_put_is_there_after_a_restart():
    path, _ = logs()
    store = Store(path)
    store.put({b"a": b"1", b"b": b""})
    store.put({b"a": None, b"c": bytes(700)})
    for again in (store, Store(path)):
        assert again.get(b"a") is None
        assert again.get(b"b") == b""
        assert again.get(b"c") == bytes(700)
        assert again.items(b"") == [(b"b", b""), (b"c", bytes(700))]
        assert not again.damaged


def test_the_copies_are_the_same_to_the_byte():
    path, _ = logs()
    store = Store(path)
    for turn in range(200):
        store.put({b"turn": bytes((turn,)) * 90})
        if turn % 9 == 0:
            first, second = copies(path)
            assert first == second and len(first) <= 1 + 8


def test_a_restart_at_any_time_goes_on_where_it_was():
    """With records in files of their own, just gone to the log, and just compacted."""
    path, _ = logs()
    for turn in range(120):
        store = Store(path)
        store.put({b"turn": bytes((turn,)) * 90, b"k%d" % (turn % 3): bytes((turn,))})
        assert not store.damaged and not Store(path).damaged
        assert Store(path).get(b"turn") == bytes((turn,)) * 90
    assert [value for _, value in Store(path).items(b"k")] == [bytes((turn,)) for turn in (117, 118, 119)]


def test_a_record_cut_at_any_byte_of_either_copy_is_all_or_nothing():
    for already in (
        1,
        8,
        11,
    ):  # records: the next one has a new file, or an old one; or what these changed goes to the log first
        path, _ = logs()
        store = Store(path)
        for _ in range(already):
            store.put({b"x": b"old", b"y": b"old"})
        before = image(path)
        store.put({b"x": b"new", b"y": b"new"})
        after = image(path)
        for number, cut in enumerate(cuts(before, after)):
            put_back(path, cut)
            found = Store(path)
            assert found.get(b"x") == found.get(b"y") and found.get(b"x") in (b"old", b"new") and not found.damaged
            expected = found.get(b"x")
            found.put({b"z": b"later"})  # what is put after a torn record is not lost behind it
            first, second = copies(path)
            assert first == second, number
            assert Store(path).get(b"z") == b"later" and Store(path).get(b"x") == expected
        assert expected == b"new"


def test_a_cut_between_the_log_and_the_file_that_is_used_again_does_no_harm():
    path, copy = logs()
    store = Store(path)
    for turn in range(8):
        store.put({b"turn": bytes((turn,))})
    before = image(path)
    store.put({b"turn": b"new"})
    after = image(path)
    for in_log in ((path,), (path, copy)):
        mixed = dict(before)
        mixed.update({log: after[log] for log in in_log})
        put_back(path, mixed)
        found = Store(path)
        assert found.get(b"turn") == bytes((7,)) and not found.damaged
        found.put({b"more": b"1"})
        first, second = copies(path)
        assert first == second and len(first) <= 1 + 8
        assert Store(path).get(b"more") == b"1"


def test_what_went_to_the_log_is_what_the_records_said_together():
    path, _ = logs()
    store = Store(path)
    store.put({b"gone": b"1", b"stays": b"1"})
    for turn in range(7):
        store.put({b"turn": bytes((turn,)), b"k%d" % turn: b"k"})
    store.put({b"gone": None})
    store.put({b"k0": None})
    for _ in range(8):
        store.put({b"x": b"y"})
    for again in (store, Store(path)):
        assert again.items(b"k") == [(b"k%d" % turn, b"k") for turn in range(1, 7)]
        assert (again.get(b"gone"), again.get(b"stays"), again.get(b"turn")) == (None, b"1", bytes((6,)))


def test_records_too_long_to_go_to_the_log_together_are_no_less_safe():
    path, _ = logs()
    store = Store(path)
    for turn in range(20):
        store.put({b"k%d" % turn: bytes((turn,)) * 1000})
        assert Store(path).items(b"k") == store.items(b"k") and len(store.items(b"k")) == turn + 1
    assert not Store(path).damaged


def test_a_flipped_bit_in_either_copy_loses_nothing_and_is_made_good():
    path, _ = logs()
    store = Store(path)
    for turn in range(10):
        store.put({b"key": b"value", b"turn": bytes((turn,))})
    good = image(path)
    assert len(good) == 2 * 9  # the log of the first eight; and eight files, two of them used again
    for name, data in good.items():
        for bit in range(0, len(data) * 8, 7):
            write(name, flipped(data, bit))
            after = Store(path)
            assert (after.get(b"key"), after.get(b"turn"), after.damaged) == (b"value", bytes((9,)), False), (name, bit)
            if bit % 9 == 0:
                after.put({b"more": b"1"})
                first, second = copies(path)
                assert first == second and Store(path).get(b"turn") == bytes((9,))
                put_back(path, good)
        write(name, data)


def test_a_copy_that_the_file_system_took_back_is_not_believed():
    for already in (1, 8, 12):
        path, copy = logs()
        store = Store(path)
        for _ in range(already):
            store.put({b"highest": b"1"})
        before = image(path)
        store.put({b"highest": b"2"})
        after = image(path)
        for victim in (path, copy):
            mixed = {name: data for name, data in before.items() if name.startswith(victim)}
            mixed.update({name: data for name, data in after.items() if not name.startswith(victim)})
            put_back(path, mixed)
            assert Store(path).get(b"highest") == b"2"
            put_back(path, {name: data for name, data in mixed.items() if not name.startswith(victim)})
            assert Store(path).get(b"highest") == b"2"
            Store(path).put({})
            assert Store(path).get(b"highest") == b"2"


def test_a_record_lost_in_both_copies_is_told_and_costs_no_other_record():
    path, copy = logs()
    store = Store(path)
    for key in (b"a", b"b", b"c"):
        store.put({key: b"1"})
    good = image(path)
    after = store
    for bit in range(0, len(good[path + ".2"]) * 8, 5):
        put_back(path, good)
        write(path + ".2", flipped(good[path + ".2"], bit))
        write(copy + ".2", flipped(good[copy + ".2"], 50))
        after = Store(path)
        assert after.damaged, bit
        assert (after.get(b"a"), after.get(b"b"), after.get(b"c")) == (b"1", None, b"1"), bit
    after.put({b"told": b"1"})
    assert not after.damaged and not Store(path).damaged
    assert Store(path).items(b"") == [(b"a", b"1"), (b"c", b"1"), (b"told", b"1")]


def test_a_copy_taken_back_beside_a_damaged_one_does_not_pass_for_all_there_was():
    path, copy = logs()
    store = Store(path)
    for turn in range(3):
        store.put({b"highest": bytes((turn,))})
    os.remove(path + ".3")
    os.remove(path + ".2")
    write(copy + ".2", flipped(read(copy + ".2"), 50))
    assert Store(path).damaged


def test_the_log_does_not_grow_for_ever_and_compaction_keeps_the_table():
    path, _ = logs()
    store = Store(path)
    for turn in range(400):
        store.put({b"turn": bytes(60) + bytes((turn & 0xFF,)), b"k" + bytes((turn % 7,)): bytes((turn & 0xFF,))})
        assert os.stat(path)[6] < 12_000
    assert Store(path).get(b"turn")[60] == 399 & 0xFF
    assert len(Store(path).items(b"k")) == 7


def test_a_cut_in_compaction_leaves_a_whole_log():
    path, copy = logs()
    store = Store(path)
    store.put({b"a": b"1", b"gone": b"x"})
    store.put({b"gone": None})
    before = image(path)
    store._compact()
    after = image(path)
    assert before != after
    half = dict(before)
    half[path] = after[path]
    for files in (before, half, after):
        for leftover in (path, copy):
            put_back(path, files)
            write(leftover + ".new", b"half of a new log")
            again = Store(path)
            assert again.items(b"") == [(b"a", b"1")] and not again.damaged
            assert not exists(leftover + ".new")
            again.put({b"b": b"2"})
            assert Store(path).items(b"") == [(b"a", b"1"), (b"b", b"2")]


def test_a_record_that_is_too_long_changes_nothing():
    path, _ = logs()
    store = Store(path)
    raises(StorageError, store.put, {b"a": bytes(5000)})
    assert store.get(b"a") is None
    assert Store(path).get(b"a") is None


def test_a_flash_that_refuses_is_reported_and_the_table_stays_as_in_flash():
    path, copy = logs()
    store = Store(path + "/no-such-folder/log")
    raises(StorageError, store.put, {b"a": b"1"})
    assert store.get(b"a") is None
    store = Store(path)
    store.put({b"a": b"1"})
    os.mkdir(copy + ".2")
    raises(StorageError, store.put, {b"a": b"2"})
    assert store.get(b"a") == b"1"
    os.rmdir(copy + ".2")
    store.put({b"b": b"3"})
    assert Store(path).items(b"") == [(b"a", b"1"), (b"b", b"3")]


class Fails:
    """`with Fails(name, nth):` the nth call of this function of the store finds no memory."""

    def __init__(self, name, nth):
        self._name, self._real, self._left = name, getattr(module, name), nth

    def __enter__(self):
        setattr(module, self._name, self._call)

    def __exit__(self, *_):
        setattr(module, self._name, self._real)

    def _call(self, *arguments):
        self._left -= 1
        if not self._left:
            raise MemoryError()
        return self._real(*arguments)


def test_a_change_for_which_there_is_no_memory_is_not_half_made_nor_half_remembered():
    """Wherever it fails: in memory, or in either copy of the log or of the record's own file."""
    for name, nth in (("_apply", 1), ("_write", 1), ("_write", 2), ("_write", 3), ("_write", 4)):
        path, _ = logs()
        store = Store(path)
        store.put({b"a": b"old", b"gone": b"old"})
        for turn in range(7):
            store.put({b"turn": bytes((turn,))})  # and the next one goes to the log first
        with Fails(name, nth):
            raises(MemoryError, store.put, {b"a": b"new", b"gone": None, b"b": b"new"})
        assert (store.get(b"a"), store.get(b"gone"), store.get(b"b")) == (b"old", b"old", None)
        for turn in range(20):
            store.put({b"turn": bytes((turn,))})
            for again in (store, Store(path)):
                assert (again.get(b"a"), again.get(b"gone"), again.get(b"b")) == (b"old", b"old", None), (name, nth)
                assert again.get(b"turn") == bytes((turn,)) and not again.damaged
