"""A day of a bad link, in fast time: it comes and goes, cuts downloads, loses the power, and clocks jump; updates flow all the same.

The agent and the boot part are the real ones, on a folder; the server behaves as a roll-out does, over a broker that keeps what a
board that is away has not taken. Each update ends confirmed or reported, and none is lost; and when all is quiet again they go
through, though the board's clock be wrong.
make test has two hours of one day; `make nightly` ten days. SRUP_DAYS=3 for other ones.
"""

import hashlib
import os
import random
from collections import Counter

import pytest

from srup import download, status, wire
from srup.errors import NetworkError
from srup_boot import record
from tests import evidence
from tests.flow.clocks import DAY, MINUTE, Clocks
from tests.fuzz.test_agent_states import Real, Server, Stood
from tests.unit import bundles
from tests.unit.board import COMMAND, Reset
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import read, write
from tests.unit.server import DEVICE, NOON, token

STEP = 1000  # milliseconds
EVERY = 1200  # seconds from the end of an update to the next
AGAIN = 900  # seconds of silence after which what was sent last is sent again: a refusal is not answered each time
LAST = 3  # updates when all is quiet, the last of which must go through: who refuses the first asks for the time
TERMINAL = {status.ACTIVATE_SUCCESS, status.ACTIVATE_REVERTED, status.ACTIVATE_FAIL} | set(range(0xF2, 0x100))
DAYS = int(os.environ.get("SRUP_DAYS", "10"))


class Flaky(Server):
    """The HTTPS server behind the link: none while that is down; it hangs up anywhere."""

    def __init__(self, day: "Day"):
        self.day = day

    def __call__(self, *_):
        self.cut = self.day.chance.randrange(1, 3000) if self.day.chance.random() < 0.6 else 0
        return self

    def step(self):
        if not self.day.up:
            raise NetworkError("no route")
        return True

    def read_into(self, buffer):
        self.step()
        return super().read_into(buffer[: self.day.chance.randrange(40, 400)])


class Day:
    """`run(hours)`, and then `ends`: how the updates of that time have ended."""

    def __init__(self, seed: int):
        self.chance, self.weather = random.Random(seed), random.Random(seed)  # the second: whatever the board does
        self.seconds = self.version = self.cuts = self.outages = 0
        self.up, self.change_at, self.next_at = True, 60, 30
        self.clocks = Clocks()
        self.highest = 0  # time of a token, in ms
        self.queue: list[bytes] = []  # the broker's, for a board that is away
        self.last, self.sent_at = b"", 0
        self.open: dict[bytes, int] = {}  # token: its last status
        self.ends: Counter[str] = Counter()
        self.heard = 0

    def __enter__(self):
        self._stood, self._ticks = Stood(), Ticks()
        self._stood.__enter__()
        self._ticks.__enter__()
        self._link, download.Link = download.Link, Flaky(self)
        self.board = Real(ntp=["ntp.test"])
        self.board.done = Counter()
        provision(self.board)
        self.board.__enter__()
        self.clocks.__enter__()
        return self

    def __exit__(self, *_):
        self.clocks.__exit__()
        self.board.__exit__()
        download.Link = self._link
        self._ticks.__exit__()
        self._stood.__exit__()

    def run(self, hours: float) -> None:
        """So long, and then with a good link until all is over."""
        end = self.seconds + int(hours * 3600)
        while self.seconds < end:
            self._weather_changes()
            self._second()
        self.up, self.next_at = True, 1 << 40
        self.clocks.settle()
        self._until_all_is_over()

    def goes_on(self, wrong: int) -> bool:
        """All is quiet, only the board's clock is wrong, by so many ms: does an update go through?"""
        self.clocks.mislead(wrong)
        for _ in range(LAST):
            before = self.ends["ACTIVATE_SUCCESS"]
            while not self._may_sign():
                self._second()
            self._initiate(good=True)
            self._until_all_is_over()
            if self.ends["ACTIVATE_SUCCESS"] > before:
                return True
        return False

    def _until_all_is_over(self) -> None:
        """And two minutes more: for the clock is asked about again after one."""
        for _ in range(3 * 3600):
            if not self.open:
                break
            self._second()
        for _ in range(120):
            self._second()

    def _weather_changes(self) -> None:
        if self.seconds >= self.change_at:
            self.up = not self.up
            self.outages += not self.up
            longest = 1200 if self.weather.random() < 0.2 else 60
            self.change_at = self.seconds + self.weather.randrange(1, longest)
        if self.weather.random() < 1 / 2000:
            self.cuts += 1
            self.clocks.power_cut()
            self._again()
        if self.weather.random() < 1 / 3000:
            self.clocks.jump(self.weather)

    def _again(self) -> None:
        self.board.restart()
        self.heard = 0

    def _second(self) -> None:
        self.seconds += 1
        self._ticks.pass_ms(STEP)
        self.clocks.pass_ms(STEP)
        if self.seconds >= self.next_at and not self.open and self._may_sign():
            self._initiate(good=self.chance.random() < 0.85)
        elif self.open and self.seconds >= self.sent_at + AGAIN:
            self._send(self.last)
        air = self.board.air
        air.up = self.up
        if self.up and self.queue:
            air.coming, self.queue = air.coming + self.queue, []
        try:
            for _ in range(12):
                self.board.agent.poll()
        except Reset:
            self.queue = self.board.air.coming + self.queue  # not acknowledged: it comes again
            self._again()
        self._hear()

    def _may_sign(self) -> bool:
        """Nothing is signed with a clock behind the last token."""
        return self.clocks.server > self.highest

    def _initiate(self, good: bool) -> None:
        self.version += 1
        table = bytes(self.chance.randrange(256) for _ in range(self.chance.randrange(50, 3000)))
        files = (("app.py", b"VERSION = %d\n" % self.version), ("data/table", table))
        download.Link.data = made = bundles.build(files, counter=5, version=f'"{self.version}"')
        named = self._token()
        self.open[named] = -1
        digest = hashlib.sha256(made).digest() if good else bytes(32)
        url = b"https://localhost:8443/x"
        self._send(COMMAND.frame(wire.INITIATE, target=DEVICE, token=named, url=url, digest=digest))

    def _token(self) -> bytes:
        self.highest = max(self.highest + 1, self.clocks.server)
        return token(self.highest)

    def _send(self, frame: bytes) -> None:
        self.last, self.sent_at = frame, self.seconds
        self.queue.append(frame)

    def _hear(self) -> None:
        sent = self.board.sent
        for frame in sent[self.heard :]:
            if frame.type == wire.RESPONSE and frame.elements["token"] in self.open:
                self._answered(frame.elements["token"], frame.elements["status"])
        self.heard = len(sent)

    def _answered(self, named: bytes, said: int) -> None:
        if said == self.open[named]:
            return  # again
        self.open[named] = said
        if said == status.UPDATE_SUCCESS:
            self._send(COMMAND.frame(wire.ACTIVATE, token=named))
        elif said in (status.ACTIVATE_TRIAL, status.TRIAL_RETRY):
            confirm = COMMAND.frame(wire.DATA, target=DEVICE, token=self._token(), name=b"confirm", value=named)
            self._send(confirm)
        elif said in TERMINAL:
            self.ends[status.name(said)] += 1
            self.runs(said)
            del self.open[named]
            self.next_at = self.seconds + self.chance.randrange(EVERY)

    def runs(self, said: int) -> None:
        """What is confirmed is what runs."""
        if said == status.ACTIVATE_SUCCESS:
            folder = self.board.root + ("/a", "/b")[record.load(self.board.root).active]
            assert read(folder + "/app.py") == b"VERSION = %d\n" % self.version

    def told(self) -> dict[str, object]:
        return {
            "hours": round(self.seconds / 3600, 1),
            "updates": self.version,
            "ends": dict(self.ends),
            "outages": self.outages,
            "power_cuts": self.cuts,
            "clock_jumps": self.clocks.jumps,
            "open": len(self.open),
        }


def provision(board: Real) -> None:
    """It trusts the release key, and slot a holds version 0."""
    from srup import keys, tokens, trust
    from srup.store import Store

    trust.install(Store(board.root + "/state.log"), keys.RELEASE, bundles.PUBLIC, tokens.first_at(NOON - 86_400_000))
    files = (("app.py", b"VERSION = 0\n"),)
    os.mkdir(board.root + "/a")
    write(board.root + "/a/app.py", files[0][1])
    write(board.root + "/a/.index", bundles.index_of(files))
    write(board.root + "/a/.signature", bytes(64))
    write(board.root + "/a/.manifest", bundles.manifest(files, bundles.body_of(files), {}))
    state = record.Record()
    state.active, state.counter = 0, 5
    state.save(board.root)


def lived(seed: int, hours: float) -> dict[str, object]:
    with Day(seed) as day:
        day.run(hours)
        told = day.told()
        goes_on = day.goes_on(8 * DAY) and day.goes_on(-20 * MINUTE)
    assert not day.open, f"neither confirmed nor reported: {told}"
    assert sum(day.ends.values()) == day.version, told
    assert goes_on, f"and when all was quiet no update went through: {told}"
    return told


def test_two_hours_of_a_bad_link_leave_nothing_open() -> None:
    told = lived(2, 2)
    assert told["updates"] >= 3 and told["outages"] >= 20 and told["clock_jumps"] >= 3, told


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_ten_days_of_a_bad_link_leave_nothing_open() -> None:
    days = [lived(seed, 24) for seed in range(100, 100 + DAYS)]
    evidence.record("soak", days=days)
    assert all("ACTIVATE_SUCCESS" in str(each["ends"]) for each in days)
