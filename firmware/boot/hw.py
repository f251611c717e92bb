"""What boot and agent ask of the machine, chosen once when this is imported.

reset()       starts the board again from its boot code; never returns
arm(seconds)  the same after so many seconds, whatever Python is doing then; arming again replaces, 0 disarms
watch()       the same WATCHDOG_S seconds after the latest feed(). What `arm` has set is no watchdog: no feed puts it off
feed()        the agent is alive
cause()       why the board has started: "power", "watchdog", "sleep" (it was in a deep one), or "reset". The RP2040 calls each
              reset but that of the power a watchdog's
sleep()       until the power is cycled; never returns
storage(regions)    block device of the file system, which lies behind these raw regions where there are any
region(where) block device of raw flash: RP2040: [first byte, bytes] of rp2.Flash · ESP32: a data partition's label · a process: a
              file's path
partition()   esp32.Partition
"""

import sys
import time

WATCHDOG_S = 300  # longer than look-up, TLS handshake and signature take together, on any board
_GRACE = 10_000  # milliseconds that the ESP32's watchdog comes after the timer


class Board:
    """ESP32 and RP2040. A timer's callback runs between two bytecodes: no loop and no `except:` escapes it.

    Code that hangs inside C does. There the ESP32's watchdog stands behind the timer. It can't be stopped, so a disarmed
    timer feeds it. The RP2040's reaches 8 s only, less than a TLS handshake may take, and is left to the agent.
    On the ESP32 this takes hardware timer 0: the application has the others.
    """

    def __init__(self, machine, platform):
        self._machine = machine
        self._is_esp32 = platform == "esp32"
        self._timer = self._watchdog = None

    def cause(self):
        machine = self._machine
        cause = machine.reset_cause()
        if cause == machine.PWRON_RESET:
            return "power"
        if cause == machine.WDT_RESET:
            return "watchdog"
        return "sleep" if cause == getattr(machine, "DEEPSLEEP_RESET", None) else "reset"

    def sleep(self):
        while True:  # the RP2040 resets when it wakes, and comes back here
            self._machine.deepsleep()

    def reset(self):
        self._machine.reset()

    def arm(self, seconds):
        if seconds:
            self._start(self._machine.Timer.ONE_SHOT, seconds * 1000, self._expired)
            if self._is_esp32:
                self._watchdog = self._machine.WDT(timeout=seconds * 1000 + _GRACE)
                self._watchdog.feed()
        elif self._watchdog:
            self._watchdog.feed()
            self._start(self._machine.Timer.PERIODIC, _GRACE // 2, self._feed)
        elif self._timer:
            self._timer.deinit()

    def _start(self, mode, period, callback):
        if not self._timer:
            self._timer = self._machine.Timer(0 if self._is_esp32 else -1)
        self._timer.init(mode=mode, period=period, callback=callback)  # replaces what it was doing

    def _expired(self, _):
        self._machine.reset()

    def _feed(self, _):
        self._watchdog.feed()


def region(where):
    if isinstance(where, list):
        from rp2 import Flash  # pyright: ignore[reportMissingImports]

        return Flash(start=where[0], len=where[1])  # pyright: ignore[reportCallIssue] - of all ports this has it
    if sys.platform != "esp32":
        from srup_boot.process import FileRegion

        return FileRegion(where)
    Partition = partition()
    return Partition.find(Partition.TYPE_DATA, label=where)[0]


def storage(regions):
    if sys.platform == "esp32":
        from flashbdev import bdev  # pyright: ignore[reportMissingImports]

        return bdev
    from rp2 import Flash  # pyright: ignore[reportMissingImports]

    behind = max([0] + [start + size for start, size in regions])
    return Flash(start=behind) if behind else Flash()  # pyright: ignore[reportCallIssue] - as in `region`


def partition():
    from esp32 import Partition  # pyright: ignore[reportMissingImports]

    return Partition


def _this_machine():
    if sys.implementation.name != "micropython":
        from srup_boot.process import Cpython

        return Cpython()
    if sys.platform in ("linux", "darwin"):
        import ffi

        from srup_boot.process import Unix

        return Unix(ffi)
    import machine

    return Board(machine, sys.platform)


if hasattr(time, "ticks_ms"):
    ticks_ms, ticks_diff = time.ticks_ms, time.ticks_diff
else:
    ticks_ms, ticks_diff = (lambda: 0), (lambda later, earlier: 0)  # the host has no deadline that could be put off

_machine = _this_machine()
_watched = False
_fed = 0
reset = _machine.reset
cause = _machine.cause
sleep = _machine.sleep


def arm(seconds):
    global _watched
    _watched = False
    _machine.arm(seconds)


def watch():
    global _watched, _fed
    _machine.arm(WATCHDOG_S)
    _watched, _fed = True, ticks_ms()


def feed():
    """Costs next to nothing: the machine's deadline is moved a few times in its period only."""
    if _watched and ticks_diff(ticks_ms(), _fed) > WATCHDOG_S * 250:
        watch()
