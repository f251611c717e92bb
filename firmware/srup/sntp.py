"""The time of an NTP server, as a simple client asks for it (RFC 4330): one datagram out, one back, and no wait for it.

Nobody signs that answer. Who can't see our question can't forge one, as it has to carry its 64 random bits; who can see it
can lie, and so Clock.learn takes no time but one that all authenticated knowledge leaves possible.
"""

import socket
import struct

from srup import limits, port
from srup.limits import const

_PORT = const(123)
_SIZE = const(48)  # of a message without extensions
_ASK = const(0x23)  # version 4, mode 3: client
_SERVER = const(4)
_UNSYNCHRONISED = const(3)  # leap indicator
_STRATUM_MOST = const(15)  # 0: go away ("kiss of death"); 16 and more: no time to give
_TO_1970 = const(2_208_988_800)  # seconds from NTP's epoch to that of Unix
_ERA = const(0xFFFFFFFF)  # seconds count modulo 2^32: taken to be those from 1970 to 2106


class Sntp:
    """servers: ["host" or "host:port"], asked in turn; none: never · clock: Clock."""

    def __init__(self, servers, clock):
        self._servers = servers
        self._clock = clock
        self._socket = None
        self._nonce = b""
        self._asked = 0
        self._pause = 0  # milliseconds from `_since` to the next question
        self._since = port.ticks_ms()

    def poll(self):
        """One step of what is due: ask, or look for the answer. Blocks in the look-up of the server's name only."""
        if self._socket:
            self._look()
        elif self._servers and self._is_due() and port.network_up():
            self._ask()

    def _is_due(self):
        pause = min(self._pause, limits.NTP_DOUBT) if self._clock.in_doubt else self._pause
        return not port.within(pause, self._since)

    def _ask(self):
        server = self._servers[self._asked % len(self._servers)]
        self._asked += 1
        self._since = port.ticks_ms()
        try:
            self._send(*_address(server))
        except (OSError, ValueError, port.StuckRandom):
            self._done(False)

    def _send(self, host, number):
        address = socket.getaddrinfo(host, number, 0, socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(address[0], socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(address[-1])  # nobody else's datagrams come through
        self._nonce = port.random(8)  # in place of our time, which is nobody's business
        self._socket.send(bytes((_ASK,)) + bytes(_SIZE - 9) + self._nonce)

    def _look(self):
        """What is no answer to our question is passed over: the real one may yet come."""
        try:
            ms = time_of(self._socket.recv(_SIZE), self._nonce)
        except OSError:
            ms = None  # none yet; or the port is closed, which is the same in the end
        if ms is not None:
            self._done(self._clock.learn(ms))
        elif not port.within(limits.NTP_TIMEOUT, self._since):
            self._done(False)

    def _done(self, learned):
        if self._socket:
            self._socket.close()
        self._socket = None
        again = min(max(2 * self._pause, limits.NTP_RETRY), limits.NTP_RETRY_MOST)
        self._pause = limits.NTP_PERIOD if learned else again


def time_of(answer, nonce):
    """Milliseconds since 1970 when the server sent it; None unless it is a server's good answer to the question with `nonce`."""
    if len(answer) < _SIZE or answer[24:32] != nonce:
        return None
    leap, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    seconds, fraction = struct.unpack(">II", answer[40:48])
    if leap == _UNSYNCHRONISED or mode != _SERVER or not 0 < stratum <= _STRATUM_MOST or not seconds:
        return None
    return (seconds - _TO_1970 & _ERA) * 1000 + (fraction * 1000 >> 32)


def _address(server):
    host, _, number = server.partition(":")
    return host, int(number or _PORT)
