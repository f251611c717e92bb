"""The boot part: record, contents of a slot, the choice, the machine. What fills a slot for real is in test_slots."""

import os
import sys

from srup_boot import hw, process, record, slot, start
from srup_boot.record import NONE, STARTS, Record
from tests.unit.boot_record import save
from tests.unit.bundles import FILES, flipped, index_of, sha256_hex
from tests.unit.check import raises
from tests.unit.scratch import Scratch, read, write

TOKEN = bytes(range(16))
NEVER_SAVED = "/nowhere/at/all"


class Deadline:
    """Stands for hw: notes each arm, with the boot record in flash and the first of sys.path at that moment."""

    def __init__(self, root):
        self._root = root
        self.armed = []
        self.watched = False

    def arm(self, seconds):
        self.armed.append((seconds, record.load(self._root).boots_left, sys.path[0]))

    def watch(self):
        self.watched = True


def fill(root, number, files=FILES):
    """A slot as staging leaves it."""
    folder = slot.slot_path(root, number)
    os.mkdir(folder)
    for path, data in files:
        for at, sign in enumerate(path):
            if sign == "/" and path[:at] not in os.listdir(folder) and path[:at] != "data/more":
                os.mkdir(folder + "/" + path[:at])
        if path.startswith("data/more"):
            os.mkdir(folder + "/data/more")
        write(folder + "/" + path, data)
    write(folder + "/.index", index_of(files))
    write(folder + "/.signature", bytes(64))
    write(folder + "/.manifest", b'{"tree":"' + sha256_hex(index_of(files)).encode() + b'"}')
    return folder


def choose(root):
    """(the Choice, what was armed), with sys.path as it was before."""
    path, machine = sys.path[:], start.hw
    start.hw = Deadline(root)
    try:
        choice = start.choose(root)
        put_first = sys.path[: len(sys.path) - len(path)]
        assert put_first == ([] if choice.slot == NONE else [slot.slot_path(root, choice.slot)])
        assert start.chosen is choice
        assert start.hw.watched == (choice.slot != NONE and not choice.trial)  # whatever starts has a deadline
        return choice, start.hw.armed
    finally:
        sys.path[:] = path
        start.hw = machine


# The record


def test_a_new_board_has_no_slot():
    with Scratch() as root:
        state = record.load(root)
    assert (state.active, state.trial, state.fallback, state.counter, state.sequence) == (NONE, NONE, NONE, 0, 0)


def test_record_comes_back_as_it_was_saved():
    values = {"active": 1, "trial": 0, "fallback": 1, "boots_left": 3, "trial_s": 86400, "counter": 0xFFFFFFFE}
    values.update(trial_counter=7, token=TOKEN, outcome=record.REVERTED, reason=record.COMMANDED, retries=2)
    with Scratch() as root:
        save(root, **values)
        state = record.load(root)
        assert {name: getattr(state, name) for name in values} == values
        assert state.sequence == 1


def test_copies_are_written_in_turn():
    with Scratch() as root:
        for counter in range(1, 6):
            before = [read(root + "/" + name) for name in sorted(os.listdir(root))]
            save(root, counter=counter)
            after = [read(root + "/" + name) for name in sorted(os.listdir(root))]
            assert sum([copy in after for copy in before]) == min(counter - 1, 1)  # of two, one stays
            assert record.load(root).counter == counter


def test_a_torn_copy_is_ignored():
    """Whichever of the two it is, at whatever byte it was cut, whichever bit of it is wrong."""
    for saves in (2, 3):
        with Scratch() as root:
            for counter in range(1, saves + 1):
                save(root, counter=counter)
            path = f"{root}/boot{saves & 1}"
            newest = read(path)
            for size in range(len(newest)):
                write(path, newest[:size])
                assert record.load(root).counter == saves - 1
            for bit in range(0, len(newest) * 8, 3):
                write(path, flipped(newest, bit))
                assert record.load(root).counter == saves - 1
            write(path, newest + b"\0")
            assert record.load(root).counter == saves - 1
            write(path, newest)
            assert record.load(root).counter == saves


def test_a_copy_in_the_wrong_place_is_ignored():
    with Scratch() as root:
        save(root, counter=1)
        save(root, counter=2)
        write(root + "/boot1", read(root + "/boot0"))
        write(root + "/boot0", b"")
        assert record.load(root).sequence == 0


def test_a_copy_that_names_a_slot_that_there_is_not_is_ignored_whatever_its_check_says():
    with Scratch() as root:
        save(root, active=1)
        for field in ("active", "trial", "fallback", "settings", "trial_settings"):
            save(root, **{field: 7})
            assert record.load(root).active == 1
            os.remove(root + "/boot0")


def test_a_save_is_read_back():
    with Scratch() as root:
        state = Record()
        state.save(root)
        raises(OSError, state.save, NEVER_SAVED)
        reader = record._read
        record._read = lambda path: b"something else"
        try:
            raises(OSError, state.save, root)
        finally:
            record._read = reader
        assert state.sequence == 1
        state.save(root)
        assert record.load(root).sequence == 2


def test_life_of_a_trial():
    state = Record()
    state.begin(0, 3, 300, 4, TOKEN)
    assert (state.trial, state.boots_left, state.trial_s, state.outcome) == (0, 3, 300, record.TRIAL)
    state.confirm()
    assert (state.active, state.fallback, state.trial, state.counter) == (0, NONE, NONE, 4)
    assert (state.token, state.outcome, state.boots_left) == (TOKEN, record.CONFIRMED, 0)
    state.begin(1, 3, 300, 2, bytes(16))
    state.confirm()
    assert (state.active, state.fallback) == (1, 0)
    assert state.counter == 4  # it is raised, never lowered


def test_a_reverted_trial():
    state = Record()
    state.active, state.counter = 0, 4
    state.begin(1, 3, 300, 9, TOKEN)
    state.revert(record.SELF_TEST)
    assert (state.active, state.fallback, state.trial, state.counter, state.boots_left) == (0, NONE, NONE, 4, 0)
    assert (state.outcome, state.reason, state.token) == (record.REVERTED, record.SELF_TEST, TOKEN)


def test_retries_are_counted_by_token():
    state = Record()
    counts = []
    for token in (TOKEN, TOKEN, TOKEN, bytes(15) + b"\1", TOKEN):
        state.begin(1, 3, 300, 9, token)
        state.revert(record.UNPROVEN)
        counts.append(state.retries)
    assert counts == [0, 1, 2, 0, 0]


def test_as_many_retries_as_a_byte_holds_are_not_taken_for_none():
    state = Record()
    state.token, state.retries = TOKEN, 255
    state.begin(1, 3, 300, 0, TOKEN)
    assert state.retries == 255


def test_a_failed_previous_version_is_no_fallback():
    state = Record()
    state.active, state.fallback = 0, 1
    state.begin(1, 3, 300, 9, TOKEN)
    assert state.fallback == 1
    state.revert(record.UNPROVEN)
    assert (state.active, state.fallback) == (0, NONE)


def test_a_new_version_starts_with_no_crashes():
    state = Record()
    state.active, state.starts = 0, STARTS
    state.begin(1, 3, 300, 9, TOKEN)
    assert state.starts == STARTS  # should it go back, it goes back to what crashed
    state.confirm()
    assert (state.active, state.fallback, state.starts) == (1, 0, 0)


def test_settings_on_trial_leave_the_slots_alone():
    state = Record()
    state.active, state.fallback, state.counter = 0, 1, 4
    for confirmed, settings in ((True, 0), (False, 0), (True, 1)):
        before = state.settings
        state.begin(NONE, 3, 300, 4, TOKEN, settings=1 - before if before != NONE else 0)
        assert state.on_trial() and state.trial == NONE
        state.confirm() if confirmed else state.revert(record.UNPROVEN)
        assert (state.settings, state.trial_settings) == (settings, NONE) and not state.on_trial()
        assert (state.active, state.fallback, state.counter) == (0, 1, 4)


def test_an_erased_slot_is_forgotten():
    for fields, after in (
        ((0, NONE, 1), (0, NONE, NONE)),
        ((0, 1, NONE), (0, NONE, NONE)),
        ((1, NONE, 0), (0, NONE, NONE)),  # the active one was bad, and its fallback runs
        ((NONE, NONE, NONE), (NONE, NONE, NONE)),
    ):
        state = Record()
        state.active, state.trial, state.fallback = fields
        state.forget(1)
        assert (state.active, state.trial, state.fallback) == after


# The contents of a slot


def test_a_whole_slot():
    with Scratch() as root:
        fill(root, 0)
        fill(root, 1, ())
        slot.verify(root, 0)
        slot.verify(root, 1)


def test_every_changed_file_makes_a_slot_bad():
    with Scratch() as root:
        folder = fill(root, 1)
        for path in ("app.py", "data/empty", "data/more/table.bin", ".index"):
            good = read(folder + "/" + path)
            for bad in (good + b"x", good[:-1], flipped(good, len(good) * 4) if good else b"\0", b""):
                write(folder + "/" + path, bad)
                if bad != good:
                    raises(slot.BadSlot, slot.verify, root, 1)
            write(folder + "/" + path, good)
        slot.verify(root, 1)


def test_a_file_that_changed_with_its_index_makes_a_slot_bad():
    with Scratch() as root:
        folder = fill(root, 1)
        other = (("app.py", b"VERSION = 9\n"), FILES[1], FILES[2])
        write(folder + "/app.py", other[0][1])
        write(folder + "/.index", index_of(other))
        raises(slot.BadSlot, slot.verify, root, 1)


def test_a_slot_with_a_file_missing_is_bad():
    with Scratch() as root:
        folder = fill(root, 0)
        for path in ("app.py", "data/empty", "data/more/table.bin", ".index", ".signature", ".manifest"):
            os.rename(folder + "/" + path, root + "/aside")
            raises(slot.BadSlot, slot.verify, root, 0)
            os.rename(root + "/aside", folder + "/" + path)
        slot.verify(root, 0)


def test_a_slot_with_one_file_too_many_is_bad():
    with Scratch() as root:
        folder = fill(root, 0)
        for path in ("/app.mpy", "/data/app.py", "/.index.new"):
            write(folder + path, b"")
            raises(slot.BadSlot, slot.verify, root, 0)
            os.remove(folder + path)
        slot.verify(root, 0)


def test_a_manifest_that_is_nested_too_deep_makes_a_slot_bad():
    """It is as good as unreadable; the board starts the other slot. Found by the fuzzer."""
    with Scratch() as root:
        write(fill(root, 0) + "/.manifest", b"[" * 20_000)
        raises(slot.BadSlot, slot.verify, root, 0)


def test_what_is_no_slot_is_bad():
    with Scratch() as root:
        raises(slot.BadSlot, slot.verify, root, 0)
        os.mkdir(root + "/a")
        raises(slot.BadSlot, slot.verify, root, 0)
        write(root + "/a/.index", b"")
        for manifest in (b"", b"[]", b"{}", b'{"tree":1}', b'{"tree":"%s"}' % (b"0" * 64), b"\xff\xff", b"7"):
            write(root + "/a/.manifest", manifest)
            raises(slot.BadSlot, slot.verify, root, 0)


# The choice: the rows of the table in start.py


def test_the_active_slot_starts():
    for number in (0, 1):
        with Scratch() as root:
            fill(root, number)
            save(root, active=number)
            sequence = record.load(root).sequence
            choice, armed = choose(root)
            assert (choice.slot, choice.trial, choice.note, armed) == (number, False, "", [])
            assert record.load(root).sequence == sequence + 1  # its start is counted, and nothing else written


def test_a_crash_loop_of_a_confirmed_version_ends_in_the_version_before_and_then_in_recovery():
    with Scratch() as root:
        fill(root, 0)
        fill(root, 1)
        save(root, active=0, fallback=1)
        assert [choose(root)[0].slot for _ in range(2 * STARTS + 2)] == [0] * STARTS + [1] * STARTS + [NONE] * 2
        assert choose(root)[0].note == "slot a: crashes; slot b: crashes"
        sequence = record.load(root).sequence
        choose(root)
        assert record.load(root).sequence == sequence  # recovery wears no flash out


def test_a_stable_minute_ends_the_count_of_crashes():
    with Scratch() as root:
        fill(root, 0)
        save(root, active=0)
        for _ in range(3):
            assert [choose(root)[0].slot for _ in range(STARTS)] == [0] * STARTS
            record.load(root).stable(0, root)
            sequence = record.load(root).sequence
            record.load(root).stable(0, root)
            assert record.load(root).sequence == sequence


def test_the_version_before_goes_on_running_once_it_is_stable():
    """Else each start of the board would begin with the crashes of the active one."""
    with Scratch() as root:
        fill(root, 0)
        fill(root, 1)
        save(root, active=0, fallback=1, starts=STARTS)
        for _ in range(STARTS + 1):
            assert choose(root)[0].slot == 1
            record.load(root).stable(1, root)


def test_a_start_that_cannot_be_counted_begins_all_the_same():
    with Scratch() as root:
        fill(root, 0)
        save(root, active=0)
        os.mkdir(root + "/boot0")  # where the next copy is to be written
        for _ in range(STARTS + 1):
            choice, _ = choose(root)
            assert choice.slot == 0 and "not saved" in choice.note


def test_recovery_is_stable_without_forgiving_the_version_that_crashed():
    with Scratch() as root:
        save(root, active=0, starts=STARTS)
        record.load(root).stable(NONE, root)
        assert record.load(root).starts == STARTS


def test_a_trial_is_counted_before_it_starts():
    with Scratch() as root:
        fill(root, 0)
        fill(root, 1)
        save(root, active=0, trial=1, boots_left=2, trial_s=300, token=TOKEN, outcome=record.TRIAL)
        before = sys.path[0]
        for boots_left in (1, 0):
            choice, armed = choose(root)
            assert (choice.slot, choice.trial, choice.note) == (1, True, "")
            assert armed == [(300, boots_left, before)]  # in flash already, and nothing of the slot importable yet
        choice, armed = choose(root)
        assert (choice.slot, choice.trial, armed) == (0, False, [])
        state = record.load(root)
        assert (state.trial, state.outcome, state.reason, state.token) == (
            NONE,
            record.REVERTED,
            record.UNPROVEN,
            TOKEN,
        )
        assert choose(root)[0].slot == 0


def test_a_trial_that_cannot_be_counted_does_not_start():
    with Scratch() as root:
        fill(root, 0)
        fill(root, 1)
        save(root, active=0, trial=1, boots_left=2, trial_s=300)
        os.mkdir(root + "/boot0")  # where the next copy is to be written
        choice, armed = choose(root)
        assert (choice.slot, choice.trial, armed) == (0, False, [])
        assert "not saved" in choice.note
        os.rmdir(root + "/boot0")
        assert choose(root)[0].slot == 1


def test_a_trial_that_cannot_be_ended_in_flash_does_not_start_either():
    with Scratch() as root:
        fill(root, 0)
        fill(root, 1)
        save(root, active=0, trial=1, boots_left=0, trial_s=300)
        os.mkdir(root + "/boot0")
        assert choose(root)[0].slot == 0


def test_a_trial_with_bad_contents_is_reverted():
    with Scratch() as root:
        fill(root, 0)
        write(fill(root, 1) + "/app.py", b"VERSION = 9\n")
        save(root, active=0, trial=1, boots_left=2, trial_s=300, outcome=record.TRIAL)
        choice, armed = choose(root)
        assert (choice.slot, choice.trial, armed) == (0, False, [])
        assert "slot b: app.py" in choice.note
        state = record.load(root)
        assert (state.trial, state.outcome, state.reason) == (NONE, record.REVERTED, record.BAD_CONTENTS)


def test_settings_go_on_trial_under_the_active_slot():
    with Scratch() as root:
        fill(root, 0)
        save(root, active=0, settings=1, trial_settings=0, boots_left=2, trial_s=300, token=TOKEN, outcome=record.TRIAL)
        for boots_left in (1, 0):
            choice, armed = choose(root)
            assert (choice.slot, choice.trial, choice.settings) == (0, True, 0)
            assert [each[:2] for each in armed] == [(300, boots_left)]
        choice, armed = choose(root)
        assert (choice.slot, choice.trial, choice.settings, armed) == (0, False, 1, [])
        assert record.load(root).reason == record.UNPROVEN


def test_settings_that_fail_do_not_count_as_crashes_of_the_slot():
    with Scratch() as root:
        fill(root, 0)
        save(root, active=0, starts=STARTS - 1, trial_settings=0, boots_left=3, trial_s=300, outcome=record.TRIAL)
        assert [choose(root)[0].slot for _ in range(4)] == [0] * 4
        assert record.load(root).starts == STARTS


def test_settings_go_on_trial_in_recovery_too():
    with Scratch() as root:
        save(root, trial_settings=0, boots_left=1, trial_s=300, outcome=record.TRIAL)
        choice, _ = choose(root)
        assert (choice.slot, choice.trial, choice.settings) == (NONE, True, 0)
        choice, _ = choose(root)
        assert (choice.slot, choice.trial, choice.settings) == (NONE, False, NONE)


def test_a_bad_active_slot_falls_back_to_the_version_before():
    with Scratch() as root:
        os.remove(fill(root, 0) + "/data/empty")
        fill(root, 1)
        save(root, active=0, fallback=1)
        choice, _ = choose(root)
        assert (choice.slot, choice.trial) == (1, False)
        assert "slot a" in choice.note


def test_a_slot_that_was_never_confirmed_is_no_fallback():
    with Scratch() as root:
        os.remove(fill(root, 0) + "/app.py")
        fill(root, 1)  # staged, and not activated; or reverted
        save(root, active=0)
        assert choose(root)[0].slot == NONE


def test_recovery():
    with Scratch() as root:
        choice, armed = choose(root)
        assert (choice.slot, choice.trial, armed) == (NONE, False, [])
        save(root, active=0, trial=1, fallback=1, boots_left=1)
        choice, armed = choose(root)
        assert (choice.slot, choice.trial, armed) == (NONE, False, [])


def test_a_fault_in_choosing_is_recovery():
    """As boot.py does it, which is not to stop main.py."""
    seen = []
    if not hasattr(sys, "print_exception"):
        sys.print_exception = seen.append
    choosing, start.choose = start.choose, None
    start.chosen = start.Choice(NONE, False, Record(), "", NONE)
    try:
        import srup_boot.boot

        assert srup_boot.boot.start is start
    finally:
        start.choose = choosing
        sys.modules.pop("srup_boot.boot", None)
        if seen:
            del sys.print_exception
    assert start.chosen.slot == NONE


# The machine


class FakeTimer:
    ONE_SHOT, PERIODIC = 0, 1
    made = ()

    def __init__(self, number):
        self.number = number
        self.doing = None
        FakeTimer.made += (self,)

    def init(self, mode, period, callback):
        self.doing = (mode, period)
        self.fire = lambda: callback(self)

    def deinit(self):
        self.doing = None


class FakeMachine:
    """The part of `machine` that hw uses; `log` says what happened."""

    Timer = FakeTimer

    def __init__(self):
        self.log = []
        FakeTimer.made = ()

    def WDT(self, timeout):
        self.log.append(timeout)
        return self

    def feed(self):
        self.log.append("feed")

    def reset(self):
        self.log.append("reset")


def test_deadline_of_an_rp2():
    machine = FakeMachine()
    board = hw.Board(machine, "rp2")
    board.arm(0)
    assert FakeTimer.made == ()
    board.arm(300)
    board.arm(10)
    (timer,) = FakeTimer.made
    assert timer.number == -1 and timer.doing == (FakeTimer.ONE_SHOT, 10_000)
    board.arm(0)
    assert timer.doing is None and machine.log == []
    board.arm(5)
    timer.fire()
    assert machine.log == ["reset"]


def test_deadline_of_an_esp32():
    machine = FakeMachine()
    board = hw.Board(machine, "esp32")
    board.arm(300)
    (timer,) = FakeTimer.made
    assert timer.number == 0 and timer.doing == (FakeTimer.ONE_SHOT, 300_000)
    assert machine.log == [310_000, "feed"]  # a watchdog behind the timer
    board.arm(0)
    assert timer.doing[0] == FakeTimer.PERIODIC and timer.doing[1] < 310_000
    timer.fire()
    assert machine.log == [310_000, "feed", "feed", "feed"]  # fed from now on, as it can't be stopped
    board.arm(10)
    assert timer.doing == (FakeTimer.ONE_SHOT, 10_000)
    timer.fire()
    assert machine.log[4:] == [20_000, "feed", "reset"]


class Ticking:
    """In place of hw's machine and clock."""

    def __init__(self):
        self.now = (1 << 30) - 5000  # ticks are about to wrap round
        self.armed = []

    def __enter__(self):
        self._real = hw._machine, hw.ticks_ms, hw.ticks_diff
        hw._machine, hw.ticks_ms, hw.ticks_diff = self, (lambda: self.now & (1 << 30) - 1), self._diff
        return self

    def __exit__(self, *_):
        hw.arm(0)
        hw._machine, hw.ticks_ms, hw.ticks_diff = self._real

    def _diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)

    def arm(self, seconds):
        self.armed.append((self.now, seconds))


def test_the_watchdog_is_put_off_by_feeding_before_it_is_due_and_not_at_each_feed():
    with Ticking() as machine:
        start_at = machine.now
        hw.watch()
        for _ in range(4 * hw.WATCHDOG_S):
            machine.now += 1000
            hw.feed()
        times = [now for now, seconds in machine.armed if seconds == hw.WATCHDOG_S]
        assert len(times) == len(machine.armed) <= 20 and times[0] == start_at
        assert max([now - times[at] for at, now in enumerate(times[1:])]) < hw.WATCHDOG_S * 500


def test_feeding_does_not_put_off_the_deadline_of_a_trial():
    with Ticking() as machine:
        hw.watch()
        hw.arm(10)
        for _ in range(2 * hw.WATCHDOG_S):
            machine.now += 1000
            hw.feed()
        assert [seconds for _, seconds in machine.armed] == [hw.WATCHDOG_S, 10]


def test_reset_and_deadline_of_a_process(tmp_path):
    """On CPython only, which runs MicroPython: neither can be caught, and what was printed is not lost."""
    import subprocess

    from tests.unit.on_micropython import device_tree, interpreter

    for body, code in (
        ("hw.reset()", process.RESET),
        ("hw.arm(60); hw.arm(0); hw.arm(60); hw.reset()", process.RESET),
        ("hw.arm(60); hw.arm(1)\n  while True: pass", -14),  # SIGALRM
    ):
        script = tmp_path / "board.py"
        script.write_text(f"from srup_boot import hw\nprint('up')\ntry:\n  {body}\nexcept BaseException:\n  print('?')")
        command = [interpreter(), script]
        path = {"MICROPYPATH": f".frozen:{device_tree()}"}
        done = subprocess.run(command, env=path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, "up\n", "")


def test_on_the_host_a_reset_is_an_exception(request):
    """On CPython only."""
    hw.arm(1)
    assert raises(SystemExit, hw.reset).code == process.RESET
