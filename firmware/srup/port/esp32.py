"""ESP32 family. Its clock counts from 2000; its noise source is only good while the radio is on, so `random` mixes it."""

import sys

import machine
import network

from srup.port._common import *
from srup.port._common import clock_ms, mixed_random, set_rtc
from srup.port._wifi import Wifi

BOARD = sys.implementation._build
unique_id = machine.unique_id
now_ms = clock_ms

_clock_is_set = False
_wifi = None


def clock_is_set():
    return _clock_is_set


def set_clock(ms, known=False):
    global _clock_is_set
    set_rtc(machine.RTC(), ms)
    _clock_is_set = _clock_is_set or known


def network_start(wifi, ppp=None):  # no PPP here yet
    global _wifi
    if _wifi:
        _wifi.on()
    else:
        _wifi = Wifi(network.WLAN(network.STA_IF), wifi)


def network_stop():
    if _wifi:
        _wifi.off()


def light_sleep(ms):
    machine.lightsleep(ms)


def beacon(on, pin=None):
    from srup.port._blink import blink  # here, as few boards are ever looked for

    return blink(machine, on, pin, 1)


def network_up():
    return _wifi is not None and _wifi.up()


random = mixed_random(unique_id())
