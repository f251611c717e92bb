"""What every MicroPython port has in common."""

import gc
import os
import sys
import time

import tls

from srup import limits
from srup.port import _random
from srup_boot import hw

try:
    from uhashlib import sha256  # the firmware's own, even where micropython-lib's package hides it under `hashlib`
except ImportError:
    from hashlib import sha256  # a firmware without one: micropython-lib's

StuckRandom = _random.StuckRandom
arm, reset, watch, feed, reset_cause = hw.arm, hw.reset, hw.watch, hw.feed, hw.cause
ticks_ms, ticks_add, ticks_diff = time.ticks_ms, time.ticks_add, time.ticks_diff

_EPOCH = 946_684_800_000 if time.gmtime(0)[0] == 2000 else 0  # ESP32 counts from 2000, RP2040 and unix from 1970
LATEST = _EPOCH + limits.CLOCK_S * 1000
_EOF = -0x7280  # MBEDTLS_ERR_SSL_CONN_EOF: the peer hung up in the handshake
_CLOSED = -0x7880  # MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: it said goodbye, and we wrote
_ERRNO = -256  # errors between this and 0 are a socket's errno, negated


def clock_ms():
    """Milliseconds since 1970 by the machine's clock."""
    return time.time_ns() // 1_000_000 + _EPOCH


def set_rtc(rtc, ms):
    """Set a machine.RTC to `ms` since 1970, or LATEST: an agent that raises here would never start again."""
    year, month, day, hour, minute, second, weekday = time.gmtime((min(ms, LATEST) - _EPOCH) // 1000)[:7]
    rtc.datetime((year, month, day, weekday, hour, minute, second, 0))


def mixed_random(unique_id):
    return _random.Random(os.urandom, sha256, unique_id)


def sleep_ms(ms):
    import asyncio  # here, for an application without it does not need its 10 KB

    return asyncio.sleep_ms(ms)


def tls_wrap(sock, hostname, authorities, make_room=lambda: None):
    gc.collect()  # mbedTLS out of memory in a handshake reports a bad certificate
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)  # verifies: CERT_REQUIRED is this class's default
    for der in authorities:
        context.load_verify_locations(der)  # each call adds one
    make_room()  # the last thing before: what is smaller has found its place elsewhere
    return context.wrap_socket(sock, server_hostname=hostname, do_handshake_on_connect=False)


def _nothing():
    """Of the firmware's own memory: elsewhere TLS has that."""


tls_closed = tls_keep = tls_lend = tls_back = _nothing


def tls_error(error):
    if isinstance(error, ValueError):  # chain, name or date: mbedTLS's words; or a CA that is no certificate
        return True
    code = error.args[0] if error.args else 0
    return isinstance(code, int) and code < _ERRNO and code not in (_EOF, _CLOSED)


def poll_target(stream):
    return stream  # a TLS socket knows whether the handshake waits to read or to write


def free_memory():
    gc.collect()
    return gc.mem_free()


def mpy():
    number = getattr(sys.implementation, "_mpy", 0)
    return "%d.%d" % (number & 0xFF, number >> 8 & 3) if number else ""


def micropython():
    return sys.implementation.version[:3]


def inflate(file, window):
    import deflate  # here, as few updates need it; its window is taken from the heap when it is first read

    gc.collect()
    return deflate.DeflateIO(file, deflate.RAW, window)


def aes_ecb(key):
    import cryptolib  # here, as few updates need it

    return cryptolib.aes(key, 1).encrypt
