"""What boot and agent ask of the machine, chosen once when this is imported.

reset()       starts the board again from its boot code; never returns
arm(seconds)  the same after so many seconds, whatever Python is doing then; arming again replaces, 0 disarms
watch()       the same WATCHDOG_S seconds after the latest feed(). What `arm` has set is no watchdog: no feed puts it off
feed()        the agent is alive
region(where) block device of raw flash: RP2040: [first byte, bytes] of rp2.Flash · ESP32: a data partition's label · a process: a
              file's path
partition()   esp32.Partition
"""

import sys
import time

WATCHDOG_S = 300  # longer than look-up, TLS handshake and signature take together, on any board
_BLOCK = 4096
RESET = 64  # exit code of a unix process that asks to be started again
_GRACE = 10_000  # milliseconds that the ESP32's watchdog comes after the timer


class Cpython:
    """The host, where the tests import this: nothing to reset."""

    def reset(self):
        """Raises SystemExit(64)."""
        raise SystemExit(RESET)

    def arm(self, seconds):
        """Does nothing: on the host no slot is ever started."""


class Unix:
    """MicroPython as a process. Its watchdog is SIGALRM, which nobody handles, and so it kills."""

    def __init__(self, ffi):
        libc = ffi.open(None)
        self._exit = libc.func("v", "_exit", "i")
        self._alarm = libc.func("I", "alarm", "I")

    def reset(self):
        self._exit(RESET)  # no exception to be caught, no `finally`, no atexit

    def arm(self, seconds):
        self._alarm(seconds)


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


class FileRegion:
    """Flash in a file of the host, for a board that is a process: blocks of 4,096 bytes."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._blocks = self._file.seek(0, 2) // _BLOCK

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, data, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.write(data)
        self._file.flush()

    def ioctl(self, operation, argument):
        if operation == 6:
            self.writeblocks(argument, b"\xff" * _BLOCK)
        return {4: self._blocks, 5: _BLOCK}.get(operation, 0)


def region(where):
    if isinstance(where, list):
        from rp2 import Flash  # pyright: ignore[reportMissingImports]

        return Flash(start=where[0], len=where[1])  # pyright: ignore[reportCallIssue] - of all ports this has it
    if sys.platform != "esp32":
        return FileRegion(where)
    Partition = partition()
    return Partition.find(Partition.TYPE_DATA, label=where)[0]


def partition():
    from esp32 import Partition  # pyright: ignore[reportMissingImports]

    return Partition


def _this_machine():
    if sys.implementation.name != "micropython":
        return Cpython()
    if sys.platform in ("linux", "darwin"):
        import ffi

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
