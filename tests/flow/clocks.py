"""Clocks that jump: a board's, an NTP server's, the C2 server's. The true time is that of a story.

In place of srup.port's clock, and of the module socket for SNTP:

    with Clocks() as clocks:
        clocks.pass_ms(1000)
        clocks.jump(random.Random(1))
"""

import random

from srup import port, sntp
from tests.unit.server import NOON
from tests.unit.test_sntp import answer

MINUTE, DAY = 60_000, 86_400_000
_PORT = ("clock_is_set", "now_ms", "set_clock", "network_up")
# NTP's are within what a board believes at all (Clock.learn)
_JUMPS = (9 * MINUTE, 20 * MINUTE, -9 * MINUTE, -20 * MINUTE, 8 * DAY, 300 * DAY)
_SERVERS = (9 * MINUTE, 30 * MINUTE)


class Clocks:
    """true: ms since 1970 · server: what the C2 server takes it for · jumps: how many there were."""

    SOCK_DGRAM = 2

    def __init__(self):
        self.true = NOON
        self.jumps = 0
        self._board = self._ntp = self._server = 0  # how far each is ahead
        self._set = False
        self._right_at = 0  # the NTP server, and the C2 server
        self._question: bytes | None = None

    def __enter__(self):
        self._real = [(port, name, getattr(port, name)) for name in _PORT] + [(sntp, "socket", sntp.socket)]
        port.clock_is_set, port.now_ms = (lambda: self._set), (lambda: self.true + self._board)
        port.set_clock, port.network_up = self._set_clock, lambda: True
        sntp.socket = self
        return self

    def __exit__(self, *_):
        for where, name, real in self._real:
            setattr(where, name, real)

    @property
    def server(self) -> int:
        return self.true + self._server

    def pass_ms(self, ms: int) -> None:
        self.true += ms
        if self.true >= self._right_at:
            self._ntp = self._server = 0

    def jump(self, chance: random.Random) -> None:
        """One of them does; the servers are right again within the hour, but the board must find out."""
        self.jumps += 1
        which = chance.randrange(3)
        if which == 0:
            self._board += chance.choice(_JUMPS) * chance.choice((1, -1))
        elif which == 1:
            self._ntp = chance.choice(_JUMPS)
        else:
            self._server = chance.choice(_SERVERS)
        self._right_at = self.true + chance.randrange(60 * MINUTE)

    def settle(self) -> None:
        """The servers jump no more, and are right."""
        self._ntp = self._server = 0

    def mislead(self, ms: int) -> None:
        """The board's clock is so far ahead."""
        self._board = ms

    def power_cut(self) -> None:
        """A board's clock is in RAM."""
        self._set = False

    def _set_clock(self, ms: int, known: bool = False) -> None:
        self._board, self._set = ms - self.true, self._set or known

    # the socket module, and its socket

    def getaddrinfo(self, host, number, family, kind):
        return [(2, kind, 0, "", (host, number))]

    def socket(self, family, kind):
        return self

    def setblocking(self, flag):
        pass

    def connect(self, address):
        pass

    def send(self, question: bytes) -> None:
        self._question = question

    def recv(self, size: int) -> bytes:
        if self._question is None:
            raise OSError(11)  # EAGAIN
        nonce, self._question = self._question[40:48], None
        return answer(self.true + self._ntp, nonce=nonce)[:size]

    def close(self):
        self._question = None
