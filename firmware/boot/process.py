"""What srup_boot.hw asks of the machine where that is a process: MicroPython on unix, and the host. A board does without."""

import os
import time

RESET = 64  # exit code of a process that asks to be started again
_BLOCK = 4096


class Cpython:
    """The host, where the tests import this: nothing to reset."""

    def cause(self):
        return "power"

    def sleep(self):
        """Raises SystemExit."""
        raise SystemExit(0)

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

    def cause(self):
        """What $SRUP_RESET_CAUSE says: who starts the process knows it."""
        return os.getenv("SRUP_RESET_CAUSE", "power")

    def sleep(self):
        print("asleep until power is cycled")
        while True:
            time.sleep(60)

    def reset(self):
        self._exit(RESET)  # no exception to be caught, no `finally`, no atexit

    def arm(self, seconds):
        self._alarm(seconds)


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
