"""The clock from the network, and what an NTP server, or somebody in its place, may answer instead of the time."""

import struct

from srup import clock, limits, port, sntp
from srup.errors import Refused
from tests.unit.check import raises
from tests.unit.server import NOON, token

DAY = 86_400_000
NONCE = b"12345678"
TO_1970 = 2_208_988_800
NAMES = ("ticks_ms", "random", "network_up", "clock_is_set", "set_clock", "now_ms")


def answer(ms=NOON, head=0x24, stratum=2, nonce=NONCE):
    """Of a secondary server, version 4."""
    sent = ms // 1000 + TO_1970, (ms % 1000 << 32) // 1000 + 1
    return bytes((head, stratum)) + bytes(22) + nonce + bytes(8) + struct.pack(">II", sent[0] & 0xFFFFFFFF, sent[1])


class World:
    """`with World() as world:` an Sntp, its clock (provisioned a day before NOON), and all that they see of the world."""

    SOCK_DGRAM = 2

    def __init__(self, *servers):
        self.ms = 0  # since the start
        self.set_to = None
        self.up = True
        self.asked = []
        self.coming = []  # datagrams, or what recv raises
        self.sent = b""
        self.closed = 0
        self.clock = clock.Clock({}, NOON - DAY)
        self.servers = servers or ("ntp.test",)

    def __enter__(self):
        self._real = [(port, name, getattr(port, name)) for name in NAMES] + [(sntp, "socket", sntp.socket)]
        port.ticks_ms = lambda: self.ms % (1 << 29)  # as on a board with words of 4 bytes
        port.random = lambda size: NONCE[:size]
        port.network_up = lambda: self.up
        port.clock_is_set = lambda: self.set_to is not None
        port.set_clock = self._set
        port.now_ms = lambda: self.set_to
        sntp.socket = self
        self.sntp = sntp.Sntp(self.servers, self.clock)
        return self

    def __exit__(self, *_):
        for where, name, real in self._real:
            setattr(where, name, real)

    def _set(self, ms, known=False):
        assert known
        self.set_to = ms

    def after(self, ms, *datagrams):
        """Let time pass, and then the datagrams arrive. Returns the servers asked."""
        self.ms += ms
        self.coming += datagrams
        before = len(self.asked)
        for _ in range(len(datagrams) + 1):
            self.sntp.poll()
        return self.asked[before:]

    # the socket module, and its socket

    def getaddrinfo(self, host, number, family, kind):
        assert kind == self.SOCK_DGRAM
        self.asked.append((host, number))
        if host == "unknown.test":
            raise OSError(-2)
        return [(2, kind, 0, "", (host, number))]

    def socket(self, family, kind):
        return self

    def setblocking(self, flag):
        assert not flag

    def connect(self, address):
        assert address == self.asked[-1]

    def send(self, data):
        self.sent = data

    def recv(self, size):
        if not self.coming:
            raise OSError(11)  # EAGAIN
        came = self.coming.pop(0)
        if isinstance(came, Exception):
            raise came
        return came[:size]

    def close(self):
        self.closed += 1


def test_days_that_rfc_5905_names():  # its figure 4: seconds of an era, and the day they stand for
    for seconds, days in ((2_208_988_800, 0), (2_272_060_800, 730), (3_155_587_200, 10_956), (4_294_944_000, 24_143)):
        message = bytes((0x24, 1)) + bytes(22) + NONCE + bytes(8) + struct.pack(">II", seconds, 0)
        assert sntp.time_of(message, NONCE) == days * DAY
    era_1 = bytes((0x24, 1)) + bytes(22) + NONCE + bytes(8) + struct.pack(">II", 0, 0)
    assert sntp.time_of(era_1, NONCE) is None  # no time at all, rather than the first second of 2036's era
    assert sntp.time_of(answer(24_144 * DAY), NONCE) == 24_144 * DAY  # the day after


def test_the_question_tells_nothing_of_the_board():
    with World() as world:
        assert world.after(0) == [("ntp.test", 123)]
        assert world.sent == b"\x23" + bytes(39) + NONCE


def test_the_clock_is_set_once_there_is_a_network():
    with World("ntp.test:1123") as world:
        world.up = False
        assert world.after(5000) == []
        world.up = True
        assert world.after(0) == [("ntp.test", 1123)]
        world.after(50, answer(NOON + 250))
        assert world.set_to == NOON + 250
        assert world.closed == 1


def test_it_is_asked_again_every_day():
    with World() as world:
        world.after(0, answer())
        assert world.after(DAY - 1) == []
        assert world.after(1, answer(NOON + DAY + 5)) == [("ntp.test", 123)]
        assert world.set_to == NOON + DAY + 5


HOSTILE = {
    "nothing": b"",
    "too short": answer()[:47],
    "a question": answer(head=0x23),
    "a broadcast": answer(head=0x25),
    "a server that is not synchronised itself": answer(head=0xE4),
    "a kiss of death": answer(stratum=0),
    "stratum 16": answer(stratum=16),
    "an answer to another question": answer(nonce=b"12345679"),
    "an answer to none": answer(nonce=bytes(8)),
    "no time": answer()[:40] + bytes(8),
}


def test_what_is_no_answer_is_passed_over_and_the_answer_still_counts():
    for name, datagram in HOSTILE.items():
        with World() as world:
            world.after(0)
            world.after(10, datagram)
            assert world.set_to is None, name
            world.after(10, OSError(111), datagram, answer())
            assert world.set_to == NOON, name


def test_a_time_that_can_not_be_is_refused_and_the_next_server_asked():
    with World("one.test", "two.test") as world:
        for ms in (0, NOON - DAY - limits.AHEAD - 1, NOON - DAY + limits.AHEAD_UNSET + 1, NOON + 50 * 365 * DAY):
            world.after(limits.NTP_RETRY_MOST, answer(ms))
            assert world.set_to is None
        assert [host for host, _ in world.asked] == ["one.test", "two.test"] * 2


def test_times_at_the_bounds_are_taken():  # a server's clock may be some minutes ahead of NTP, and its tokens are the floor
    for ms in (NOON - DAY - limits.AHEAD, NOON - DAY + limits.AHEAD_UNSET):
        with World() as world:
            world.after(0, answer(ms))
            assert world.set_to == ms


def test_the_clock_does_not_move_the_floor():
    with World() as world:
        world.after(0, answer(NOON + 30 * DAY))
        assert world.clock.floor() == NOON - DAY


def test_silence_is_met_with_patience_that_grows_to_an_hour():
    with World("one.test", "unknown.test") as world:
        world.after(0)
        pauses = []
        for _ in range(12):
            before = world.ms
            world.after(limits.NTP_TIMEOUT)  # it gives up
            while not world.after(1000):
                assert world.ms < before + 2 * limits.NTP_RETRY_MOST
            pauses.append(world.ms - before)
        assert limits.NTP_RETRY <= pauses[0] < pauses[2] < pauses[4] < pauses[-1] == pauses[-2]
        assert pauses[-1] <= limits.NTP_RETRY_MOST + 1000
        world.after(0, answer())
        assert world.set_to == NOON


def test_no_server_is_asked_where_none_is_named():
    with World() as world:
        assert sntp.Sntp([], world.clock).poll() is None
        assert world.asked == []


def test_a_lie_about_the_time_that_tls_fails_on_is_asked_about_again():
    with World() as world:
        world.after(0, answer(NOON + 300 * DAY))
        assert world.clock.other_date() is False  # the clock is set: a floor is no better
        world.after(limits.NTP_DOUBT, answer())
        assert world.set_to == NOON
        assert world.after(limits.NTP_DOUBT) == []


def test_a_lie_about_the_time_that_a_signed_command_speaks_against_is_asked_about_again():
    for lie in (300 * DAY, -limits.AHEAD - DAY + 1):
        with World() as world:
            world.after(0, answer(NOON + lie))
            raises(Refused, world.clock.check, token(NOON))
            assert world.after(limits.NTP_DOUBT - 1) == [], "and not for each such command"
            world.after(1, answer())
            world.clock.check(token(NOON))


def test_a_stuck_source_of_randomness_is_a_failure_like_another():
    def stuck(size):
        raise port.StuckRandom("stuck")

    with World() as world:
        good, port.random = port.random, stuck
        world.after(0)
        assert world.closed == 1
        port.random = good
        world.after(limits.NTP_RETRY, answer())
        assert world.set_to == NOON
