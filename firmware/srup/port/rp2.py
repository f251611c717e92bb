"""RP2040 and RP2350, with Wi-Fi or with PPP. os.urandom is bare ring-oscillator bits, so `random` mixes and watches it."""

import sys

import machine
import network

from srup.port import _common, _room
from srup.port._common import *
from srup.port._common import clock_ms, mixed_random, set_rtc
from srup_boot import hw

BOARD = sys.implementation._build
unique_id = machine.unique_id
now_ms = clock_ms

_clock_is_set = False
_network = None  # kept here, and with it its network.PPP and UART


def clock_is_set():
    return _clock_is_set


def set_clock(ms, known=False):
    global _clock_is_set
    set_rtc(machine.RTC(), ms)
    _clock_is_set = _clock_is_set or known


def network_start(wifi, ppp=None):
    global _network
    if _network:
        _network.on()
    elif ppp:
        from srup.port._ppp import Ppp

        # In the stubs only where stock firmware has it, which is not on this port.
        _network = Ppp(network.PPP(_uart(**ppp)))  # pyright: ignore[reportAttributeAccessIssue]
    elif hasattr(network, "WLAN"):
        from srup.port._wifi import Wifi

        _network = Wifi(network.WLAN(network.STA_IF), wifi)


def _uart(uart=0, tx=0, rx=1, **settings):
    return machine.UART(uart, tx=machine.Pin(tx), rx=machine.Pin(rx), **settings)


def network_stop():
    if _network:
        _network.off()


def light_sleep(ms):
    machine.lightsleep(ms)


def beacon(on, pin=None):
    from srup.port._blink import blink  # here, as few boards are ever looked for

    return blink(machine, on, pin, -1)


def network_up():
    return _network is not None and _network.up()


def tls_wrap(sock, hostname, authorities):
    _tls_room.opened()
    return _common.tls_wrap(sock, hostname, authorities, _tls_room.lend)


def reset():
    if _network:
        _network.close()
    hw.reset()


_tls_room = _room.Room()
tls_closed, tls_keep, tls_lend, tls_back = _tls_room.closed, _tls_room.keep, _tls_room.lend, _tls_room.back
random = mixed_random(unique_id())
