"""A device and somebody who has all its traffic, in any order: frames signed and forged, replayed and bent, updates good and bad,
confirmed or not, power cuts in between. Whatever the order,

* nothing happens that the owner has not signed, and nothing twice;
* no key's highest token falls, nor does the security counter;
* the slot that runs is whole, byte for byte one of the releases;
* what is kept of all that is bounded.

ECDSA has its own tests: a hash takes its place, which leaves time for sequences.
"""

import hashlib
import os
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from srup import agent, download, keys, limits, p256, tokens, trust, wire
from srup.errors import NetworkError
from srup.store import Store
from srup_boot import record, slot, start
from srup_boot.record import NONE
from tests.fuzz.frames import _verify, stand_in
from tests.unit import bundles
from tests.unit.board import COMMAND, Air, Board, Reset
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import tree, write
from tests.unit.server import DEVICE, NOON, Key, token

EXAMPLES = int(os.environ.get("SRUP_STATES", "6"))
STRANGER = Key("stranger")
PUBLIC = {key.private: key.public for key in (COMMAND, STRANGER)} | {bundles.RELEASE: bundles.PUBLIC}
ROUNDS = 400  # of the agent, for a frame and all that comes of it


def _sign(private, digest, random=None):
    return stand_in(PUBLIC.get(private, b"device"), digest)


class Stood:
    """While it lasts a hash stands for ECDSA."""

    def __enter__(self):
        self._real = p256.verify, p256.sign
        p256.verify, p256.sign = _verify, _sign

    def __exit__(self, *_):
        p256.verify, p256.sign = self._real


class Server:
    """In place of a Link: an HTTPS server that has one file, and cuts it short once."""

    data, cut = b"", 0

    def __call__(self, *_):
        return self

    def step(self):
        return True

    flush = step

    def close(self):
        pass

    def send(self, request):
        asked = [line for line in request.decode().split("\r\n") if line.startswith("Range: ")]
        at = int(asked[0][13:-1]) if asked else 0
        body, span = (
            self.data[at:],
            f"Content-Range: bytes {at}-{len(self.data) - 1}/{len(self.data)}\r\n" if asked else "",
        )
        if asked and not body:
            span = f"Content-Range: bytes */{len(self.data)}\r\n"
        code = (206 if body else 416) if asked else 200
        self._coming = (
            f"HTTP/1.1 {code} So\r\nContent-Length: {len(body)}\r\n{span}\r\n".encode() + body[: self.cut or None]
        )
        self.cut = 0

    def read_into(self, buffer):
        if not self._coming:
            raise NetworkError("closed")
        count = min(len(buffer), len(self._coming))
        buffer[:count], self._coming = self._coming[:count], self._coming[count:]
        return count


class Real(Board):
    """A Board that starts as a board does: the boot part chooses, and what it has chosen is what the agent is told."""

    def restart(self):
        self.sent = []
        self.agent = None
        machine, start.hw = start.hw, self
        try:
            choice = start.choose(self.root)
        finally:
            start.hw = machine
        self.agent = agent.Agent(choice, lambda *arguments: self.wired(Air(*arguments)), self.root)
        self.agent.on_action(self._acted)
        self.agent.on_self_test(lambda: True)
        self.agent.start()

    def arm(self, seconds):
        pass

    def watch(self):
        pass

    def _acted(self, number, parameters):
        self.done[bytes(parameters)] += 1
        return True


class Owner(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self._stood, self._ticks = Stood(), Ticks()
        self._stood.__enter__()
        self._ticks.__enter__()
        self.server = Server()
        self._link, download.Link = download.Link, self.server
        self.board = Real()
        self.board.done = self.done = Counter()
        self.releases = [bundles.FILES]
        self._provision()
        self.board.__enter__()
        self.sent, self.mine, self.staged = [], set(), []
        self.nth = self.version = 0
        self.highest, self.counter = {}, 0

    def _provision(self):
        trust.install(
            Store(self.board.root + "/state.log"), keys.RELEASE, bundles.PUBLIC, tokens.first_at(NOON - 86_400_000)
        )
        self._fill(slot.slot_path(self.board.root, 0), bundles.FILES)
        state = record.Record()
        state.active, state.counter = 0, 5
        state.save(self.board.root)

    def _fill(self, folder, files):
        for path, data in files:
            os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
            write(f"{folder}/{path}", data)
        write(folder + "/.index", bundles.index_of(files))
        write(folder + "/.signature", bytes(64))
        body = bundles.body_of(files)
        write(folder + "/.manifest", bundles.manifest(files, body, {}))

    def teardown(self):
        self.board.__exit__()
        download.Link = self._link
        self._ticks.__exit__()
        self._stood.__exit__()

    # what is sent

    def deliver(self, *frames):
        self.sent += [frame for frame in frames if frame not in self.sent]
        self.board.air.coming += frames
        self.work()

    def work(self):
        for _ in range(ROUNDS):
            try:
                self.board.agent.poll()
            except Reset:
                self.board.restart()
        self.board.air.coming.clear()

    def next_token(self):
        self.nth += 1
        return token(NOON, self.nth)

    def own(self, kind, key=COMMAND, **elements):
        frame = key.frame(kind, **elements)
        if key is COMMAND:
            self.mine.add(frame)
        return frame

    def action(self, key=COMMAND):
        named = self.next_token()
        return self.own(wire.ACTION, key, target=DEVICE, token=named, action=0x80, parameters=named)

    @rule()
    def an_order(self):
        self.deliver(self.action())

    @rule()
    def an_order_held_back_behind_a_newer_one(self):
        older, newer = self.action(), self.action()
        self.deliver(newer, older)
        assert not self.done[wire.decode(older).elements["parameters"]]

    @rule()
    def an_order_by_a_stranger(self):
        self.deliver(self.action(STRANGER))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def a_replay(self, data):
        self.deliver(data.draw(st.sampled_from(self.sent)))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), bit=st.integers(0, 8191))
    def a_bent_frame(self, data, bit):
        frame = data.draw(st.sampled_from(self.sent))
        self.deliver(bundles.flipped(frame, bit % (8 * len(frame))))

    @rule(noise=st.binary(max_size=80))
    def noise(self, noise):
        self.deliver(noise)

    @rule(
        counter=st.sampled_from([4, 5, 5, 6]),
        key=st.sampled_from([bundles.RELEASE, bundles.RELEASE, STRANGER.private]),
        rightly=st.sampled_from([True, True, True, False]),
        cut=st.integers(0, 900),
    )
    def an_update(self, counter, key, rightly, cut):
        self.version += 1
        files = (("app.py", b"VERSION = %d\n" % self.version), ("data/table", bytes(range(self.version % 256))))
        self.server.data = bundles.build(files, key=key, counter=counter, version=f'"{self.version}"')
        self.server.cut = cut
        good = rightly and key == bundles.RELEASE and counter >= self.counter
        self.releases += [files] if good else []
        digest = hashlib.sha256(self.server.data).digest() if rightly else bytes(32)
        named = self.next_token()
        self.deliver(
            self.own(wire.INITIATE, target=DEVICE, token=named, url=b"https://localhost:8443/x", digest=digest)
        )
        self.staged.append(named)

    @rule(cut=st.sampled_from([0, 300]))
    def an_update_all_the_way(self, cut):
        self.an_update(6, bundles.RELEASE, True, cut)
        self.an_activation(1, COMMAND)
        self.a_confirmation(1)

    @precondition(lambda self: self.staged)
    @rule(back=st.integers(1, 2), key=st.sampled_from([COMMAND, COMMAND, STRANGER]))
    def an_activation(self, back, key):
        self.deliver(self.own(wire.ACTIVATE, key, token=self.staged[-min(back, len(self.staged))]))

    @precondition(lambda self: self.staged)
    @rule(back=st.integers(1, 2))
    def a_confirmation(self, back):
        value = self.staged[-min(back, len(self.staged))]
        self.deliver(self.own(wire.DATA, target=DEVICE, token=self.next_token(), name=b"confirm", value=value))

    @rule()
    def a_restart(self):
        """After a stable minute: five in a row without one are taken for a crash loop."""
        self._ticks.pass_ms(70_000)
        self.work()
        self.board.restart()
        self.work()

    @rule(ms=st.sampled_from([1000, 20_000, 400_000]))
    def time_passes(self, ms):
        self._ticks.pass_ms(ms)
        self.work()

    # what must be so whatever was sent

    @invariant()
    def only_what_the_owner_has_signed_and_once(self):
        signed = {wire.decode(frame).elements.get("parameters") for frame in self.mine}
        assert set(self.done) <= signed
        assert all(count == 1 for count in self.done.values())

    @invariant()
    def no_highest_token_and_no_counter_falls(self):
        found = Store(self.board.root + "/state.log")
        highest, counter = dict(found.items(b"T")), record.load(self.board.root).counter
        assert all(highest.get(entry, b"") >= before for entry, before in self.highest.items())
        assert counter >= self.counter
        self.highest, self.counter = highest, counter
        assert len(found.items(b"X")) <= limits.TRANSACTIONS + limits.OUTBOX + 1
        assert sum(len(value) for _, value in found.items(b"")) < 20_000

    @invariant()
    def the_slot_that_runs_is_whole_and_a_release(self):
        state = record.load(self.board.root)
        running = state.trial if start.chosen.version else state.active
        assert start.chosen.slot != NONE, "it is not in recovery"
        slot.verify(self.board.root, running if running != NONE else state.active)
        files = tree(slot.slot_path(self.board.root, start.chosen.slot))
        runs = tuple(sorted((path, data) for path, data in files.items() if path[0] != "."))
        assert runs in [tuple(sorted(release)) for release in self.releases]


Owner.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestWhateverTheOrder = Owner.TestCase
