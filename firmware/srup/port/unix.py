"""MicroPython as a process: the virtual board, and the device tests. The host's network and clock are its own.

Two environment variables make it more of a board:

    SRUP_UNIQUE_ID      what machine.unique_id() is elsewhere
    SRUP_CLOCK_UNSET    not empty: a board that does not know the time. Its clock starts at 2021, like a Pico's, until
                        `set_clock`. (TLS still goes by the host's clock, which no program can turn back for itself.)
"""

import os
import time

from srup.port._common import *
from srup.port._common import clock_ms, mixed_random

BOARD = "UNIX"

_clock_is_set = not os.getenv("SRUP_CLOCK_UNSET")
_ahead = 0 if _clock_is_set else 1_609_459_200_000 - clock_ms()


def now_ms():
    return clock_ms() + _ahead


def clock_is_set():
    return _clock_is_set


def set_clock(ms, known=False):
    global _ahead, _clock_is_set
    _ahead = ms - clock_ms()
    _clock_is_set = _clock_is_set or known


def unique_id():
    return os.getenv("SRUP_UNIQUE_ID", "unix").encode()


def network_start(wifi, ppp=None):
    """The host is connected, or not: nothing to start."""


def network_stop():
    """The host stays connected."""


def network_up():
    return True


def light_sleep(ms):
    time.sleep_ms(ms)


def beacon(on, pin=None):
    """On the console, in place of a light."""
    print("beacon", "on" if on else "off")
    return True


random = mixed_random(unique_id())
