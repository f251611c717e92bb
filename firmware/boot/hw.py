"""What boot and agent ask of the machine, chosen once when this is imported.

reset()       starts the board again from its boot code; never returns
arm(seconds)  the same after so many seconds, whatever Python is doing then; arming again replaces, 0 disarms
"""

import sys

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


def _this_machine():
    if sys.implementation.name != "micropython":
        return Cpython()
    if sys.platform in ("linux", "darwin"):
        import ffi

        return Unix(ffi)
    import machine

    return Board(machine, sys.platform)


_machine = _this_machine()
reset = _machine.reset
arm = _machine.arm
