"""CPython: the host tools and the tests import the device's code. The same semantics, over the standard library."""

import asyncio
import errno
import os
import ssl
import time
import zlib
from hashlib import sha256

from srup import limits
from srup.port import _random
from srup_boot import hw

BOARD = "CPYTHON"
StuckRandom = _random.StuckRandom
arm, reset, watch, feed, reset_cause = hw.arm, hw.reset, hw.watch, hw.feed, hw.cause

LATEST = limits.CLOCK_S * 1000  # of the boards whose clock ends first
_PERIOD = 1 << 30  # ticks wrap round as MicroPython's do


def ticks_ms():
    return int(time.monotonic() * 1000) % _PERIOD  # pyright: ignore[reportAttributeAccessIssue]


def ticks_add(ticks, ms):
    return (ticks + ms) % _PERIOD


def ticks_diff(later, earlier):
    return (later - earlier + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def sleep_ms(ms):
    return asyncio.sleep(ms / 1000)


def now_ms():
    return time.time_ns() // 1_000_000


def clock_is_set():
    return True


def set_clock(ms, known=False):
    """The host's clock is true, and not ours to set."""


def unique_id():
    return b"cpython"


def network_start(wifi, ppp=None):
    """The host is connected, or not: nothing to start."""


def network_stop():
    """The host stays connected."""


def network_up():
    return True


def light_sleep(ms):
    time.sleep(ms / 1000)


def beacon(on, pin=None):
    """The host has nothing to blink with."""
    return


class TlsStream:
    """An ssl.SSLSocket with the methods and manners of MicroPython's."""

    def __init__(self, tls):
        self.tls = tls

    def read(self, size):
        return self._unless_blocked(self.tls.recv, size)

    def readinto(self, buffer):
        return self._unless_blocked(self.tls.recv_into, buffer)

    def write(self, data):
        return self._unless_blocked(self.tls.send, data)

    def close(self):
        self.tls.close()

    def _unless_blocked(self, call, argument):
        try:
            return call(argument)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None


def tls_wrap(sock, hostname, authorities):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for der in authorities:
        context.load_verify_locations(cadata=der)
    return TlsStream(context.wrap_socket(sock, server_hostname=hostname, do_handshake_on_connect=False))


def tls_closed():
    """A host has memory for TLS."""


tls_keep = tls_lend = tls_back = tls_closed


def tls_error(error):
    network = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return isinstance(error, (ssl.SSLError, ValueError)) and not isinstance(error, network)


def poll_target(stream):
    return stream.tls


def free_memory():
    """Not limited by a heap here."""
    return 1 << 30


def mpy():
    return ""


def micropython():
    """What the device's code asks for at least."""
    return 1, 25, 0


def aes_ecb(key):
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # here, as few need it

    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - CTR is made of it

    def encrypt(data, into):
        into[:] = encryptor.update(bytes(data))

    return encrypt


class Inflate:
    """zlib's decoder with the manners of MicroPython's DeflateIO."""

    def __init__(self, file, window):
        self._file = file
        self._decoder = zlib.decompressobj(-window)

    def readinto(self, buffer):
        found = b""
        while not found and not self._decoder.eof:
            found = self._decode(self._decoder.unconsumed_tail or self._file.read(512), len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _decode(self, data, most):
        try:
            found = self._decoder.decompress(data, most)
        except zlib.error as error:
            raise OSError(errno.EINVAL, str(error)) from None
        if not (data or found or self._decoder.eof):  # without data it may have had some left, all the same
            raise EOFError
        self._file.seek(-len(self._decoder.unused_data), 1)
        return found


def inflate(file, window):
    return Inflate(file, window)


random = _random.Random(os.urandom, sha256, unique_id())
