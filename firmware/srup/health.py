"""What the device finds out about itself when it is asked: ACTION SELF_TEST, and the last traceback, DATA `log`."""

import json
import os
from binascii import hexlify

from srup import limits, port
from srup.limits import const
from srup_boot.slot import BadSlot, contents

_PATTERN = const(1024)


def self_test(road, token):
    """The value of DATA `self-test`, bytes: JSON, each test true or false, or null where there is nothing to test.

    token: of the ACTION that asked. Holds the caller up while the slot is hashed, a second for 400 KB on an RP2040.
    """
    found = {
        "flash": _guarded(_flash, road.root + "/self-test"),
        "slot": _guarded(_slot, road),
        "heap": port.free_memory() >= limits.HEAP_SOUND,
        "clock": port.clock_is_set(),
        "link": road.connected,
        "app": road.hooks.call("self-test"),
    }
    found["passed"] = all(found[name] is not False for name in ("flash", "slot", "heap", "link", "app"))
    found["of"] = str(hexlify(token), "ascii")
    return json.dumps(found).encode()


def _guarded(test, argument):
    try:
        return test(argument)
    except OSError:
        return False


def _flash(path):
    """Is what is written what is read?"""
    pattern = port.sha256(b"flash").digest() * (_PATTERN // 32)
    with open(path, "wb") as file:
        file.write(pattern)
    with open(path, "rb") as file:
        same = file.read(_PATTERN + 1) == pattern
    os.remove(path)
    return same


def _slot(road):
    """Is the slot that runs still what was staged?"""
    slot = road.choice.slot
    if slot not in (0, 1):
        return None
    try:
        contents(road.root).verify(slot)
        return True
    except BadSlot as error:
        road.log(str(error))
        return False


def last_crash(root):
    """The end of the last traceback that the application left, bytes; b"" for none."""
    try:
        with open(root + "/crash.txt", "rb") as file:
            file.seek(max(0, file.seek(0, 2) - limits.VALUE))
            return file.read(limits.VALUE)
    except OSError:
        return b""
