"""Everything that was ever sent to three boards is sent to them again after each thing that happens to them, and changes nothing.

Whoever does it owns the broker and the HTTPS server: he has all frames, publishes each on every topic, and hands them to the
board that polls. The boards: one of the unix port that stays connected, one that sleeps and polls, and an emulated Pico.
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import aiomqtt
import pytest

from srup_host import credentials, deploy, profiles, provisioning
from srup_host.server import polling
from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.emulator.online import OnlineBoard
from tests.host.backdrop import Whole
from tests.host.shell import srup

APP = """
import os

def setup(agent):
    agent.steady()  # now: else the boot record is written a minute after each start
    agent.on_self_test(lambda: True)
    agent.on_before(lambda action, parameters: not did(action))
    agent.on_action(lambda action, parameters: did(action))
    agent.on_mode(did)
    agent.on_data(lambda name, value: did(name))
    agent.subscribe("leave", lambda topic, payload: agent.resign())
    agent.subscribe("mark", lambda topic, payload: print("mark", payload.decode()))
    agent.subscribe("stack", lambda topic, payload: print("stack left:", untouched(int(payload))))
    print("app {version}")
    if "hand.txt" in os.listdir("/srup-data"):
        os.remove("/srup-data/hand.txt")
        agent.join()

def untouched(bottom):
    import machine
    at = bottom
    while not machine.mem32[at]:
        at += 4
    return at - bottom

def did(what):
    print("did", what)
    return True
"""
STACK = 0x2004_0000  # the lowest address of the RP2040's, 8 KB; below it is the heap, and nothing between them
# Bytes of it that nothing of all this has touched: an application may call `poll` from a few calls deep.
STACK_LEFT = 1000
QUIET_S = 1.5
PATIENCE = 240.0  # seconds; the Pico computes at half of its speed, on a machine that does other things besides
GROUP = "srup/group/"
DOSE = 8  # bad signatures in a row after which a good one is sent: ten, and a board looks at one a second


class Owner(threading.Thread):
    """Of broker and HTTPS server: keeps every frame to boards, and sends them all again."""

    def __init__(self, backdrop: Whole):
        super().__init__(daemon=True)
        self._fleet = backdrop.fleet
        self._login = credentials.server(self._fleet)
        self.frames: list[tuple[str, bytes]] = []
        self.to_hand_out: dict[str, list[bytes]] = {}  # by HTTPS: UUID -> frames
        self.polls: dict[str, int] = {}
        self._marks = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        self._loop.run_until_complete(self._listen())

    async def _listen(self) -> None:
        self._ended = asyncio.Event()
        async with self._client() as client:
            self._connection = client
            await client.subscribe("srup/#", qos=1)
            self._ready.set()
            pump = asyncio.create_task(self._pump(client))
            await self._ended.wait()
            pump.cancel()

    def _client(self) -> aiomqtt.Client:
        address = self._fleet.broker
        context = ssl.create_default_context(cafile=str(self._fleet.ca))
        return aiomqtt.Client(
            address.host,
            address.port,
            username=self._login.user,
            password=self._login.password,
            identifier=f"{self._login.user}.owner",
            tls_context=context,
        )

    async def _pump(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            kept = message.topic.value, bytes(message.payload)  # type: ignore[arg-type]
            if kept[0].endswith("/c2") and kept not in self.frames:
                self.frames.append(kept)

    def __enter__(self) -> Self:
        self.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self.join(20)

    def publish(self, topic: str, payload: bytes) -> None:
        publish = self._connection.publish(topic, payload, qos=1)
        asyncio.run_coroutine_threadsafe(publish, self._loop).result(60)

    def series(self, topic: str) -> list[bytes]:
        """Every frame; and between them the newest of this topic, or of each, where it is a group's: its board has obeyed it, and
        answers it again."""
        newest = {to: frame for to, frame in self.frames if not to.startswith(GROUP)}
        good = [newest[topic]] if topic in newest else list(newest.values())
        found: list[bytes] = []
        for at, frame in enumerate(dict.fromkeys(frame for _, frame in self.frames)):
            found += [*(good if at % DOSE == 0 else []), frame]
        return found

    def by_broker(self, topics: Sequence[str], asleep: Sequence[str]) -> str:
        """The series on every topic on which there ever was a frame, but for those of who is asleep and hears none; then a mark for
        each board of `topics`. Returns what it says."""
        self._marks += 1
        for topic in sorted({topic for topic, _ in self.frames}.difference(asleep)):
            for frame in self.series(topic):
                self.publish(topic, frame)
        for topic in topics:
            self.publish(f"app/{topic.split('/')[1]}/mark", b"%d" % self._marks)
        return f"mark {self._marks}"

    def answer(self, polled: Any) -> Any:
        """As polling._waiting, of which `polled` is the real one."""

        def waiting(c2: Any, device: str, frame: bytes) -> list[bytes] | None:
            frames = polled(c2, device, frame)
            if frames is None:
                return None
            self.polls[device] = self.polls.get(device, 0) + 1
            if frames or not (queue := self.to_hand_out.get(device, [])):
                return frames
            fit = len(json.loads(polling.polled(b"", queue).body)["messages"])
            self.to_hand_out[device] = queue[fit:]
            return queue[:fit]

        return waiting


class Subject:
    """A board of the three."""

    name: str
    polls = False  # over HTTPS

    def __init__(self, board: Any, image: Path, uuid: str):
        self.board = board
        self.image = image
        self.uuid = uuid
        self.topic = f"srup/{uuid}/c2"

    def operations(self) -> int:
        return self.board.operations() if isinstance(self.board, VirtualBoard) else self.board.board.counters()[1]

    def picture(self) -> tuple[int, str, list[str]]:
        """Once nothing is written any more: flash operations so far, the hash of all of it, what the application has done."""
        before, since = self.operations(), time.monotonic()
        while time.monotonic() - since < QUIET_S:
            time.sleep(0.1)
            if self.operations() != before:
                before, since = self.operations(), time.monotonic()
        done = [line for line in self.board.lines() if line.startswith("did")]
        return before, hashlib.sha256(self.image.read_bytes()).hexdigest(), done

    def refused(self) -> int:
        """Frames so far."""
        return sum(line.startswith("srup: refused:") for line in self.board.lines())

    def power_cycle(self) -> None:
        self.board.power_cut()
        self.board.start()
        self.board.wait_for("srup: connected", PATIENCE)

    def put(self, path: str) -> None:
        """Somebody comes, puts an empty file onto it, and starts it again."""
        if isinstance(self.board, OnlineBoard):
            with deploy.connected(self.board.port) as connection:
                connection.put({path: b""})
                connection.reset()
        else:
            self.board.power_cut()
            making._put_contents(self.board.directory, {path: b""})
            self.board.start()


class Scene:
    def __init__(self, backdrop: Whole, owner: Owner, subjects: list[Subject]):
        self.backdrop = backdrop
        self.owner = owner
        self.shed, self.barn, self.pico = self.subjects = subjects
        self.names: dict[str, Subject] = dict(zip(("shed", "barn", "pico"), subjects, strict=True))
        self.outside: list[Subject] = []  # in no fleet

    # what a person does

    def each(self, command: str, *arguments: str) -> None:
        for name, subject in self.names.items():
            if subject not in self.outside:
                srup("send", command, name, *arguments, "--timeout", PATIENCE)

    @contextlib.contextmanager
    def coming_back(self, *names: str, sign: str = "srup: connected") -> Iterator[None]:
        """What is done within it ends these boards' connections, and is over when there are others. sign: the line that says so"""
        seen = {name: len(self.names[name].board.lines()) for name in names}
        yield
        for name in names:
            lines = self.names[name].board.lines
            self._until(lambda lines=lines, at=seen[name]: sign in lines()[at:], f"{name} is back")

    def mode(self, name: str, mode: str) -> None:
        """One that takes a restart. Of a start without its application nobody but the agent says that it went well, a minute later."""
        with self.coming_back(name, sign="--- reset ---"):
            srup("send", "action", name, "SET_MODE", mode, "--timeout", PATIENCE)
        if mode == "safe":
            subject = self.names[name]
            before = subject.picture()[0]
            self._until(lambda: subject.operations() > before, "it says so")

    def wake(self, name: str) -> None:
        subject = self.names[name]
        subject.polls = False
        with self.coming_back(name):
            srup("send", "action", name, "WAKE", "--timeout", PATIENCE)

    def destroyed(self, name: str) -> None:
        """Its memory is that of a board from the factory."""
        srup("send", "action", name, "SELF_DESTRUCT", "--authority", "--name", name)
        subject = self.names.pop(name)
        subject.board.wait_stopped(PATIENCE)
        self.subjects.remove(subject)

    def let_in(self, name: str) -> None:
        subject = self.names[name]
        subject.put("srup-data/hand.txt")
        self._until(lambda: bool(srup("join", "list", "--json").json), "it asks to join")
        [waiting] = srup("join", "list", "--json").json
        srup("join", "accept", subject.uuid, *waiting["words"].split(), "--name", name, "--timeout", PATIENCE)
        self.outside.remove(subject)

    def provision_again(self, subject: Subject) -> None:
        """A member keeps what it is and has."""
        provisioning.provision(subject.board.port, self.backdrop.fleet)
        subject.board.wait_for("--- reset ---", PATIENCE)
        subject.board.wait_for("srup: connected", PATIENCE)

    def leaves(self, subject: Subject) -> None:
        self.owner.publish(f"app/{subject.uuid}/leave", b"")
        devices = self.backdrop.fleet.devices
        self._until(lambda: all(device.uuid != subject.uuid for device in devices()), "it leaves")
        self.outside.append(subject)

    # what the owner of broker and server does

    def nothing_changes(self) -> None:
        before = [subject.picture() for subject in self.subjects]
        members = [subject for subject in self.subjects if not subject.polls and subject not in self.outside]
        refused = [subject.refused() for subject in self.outside]
        asleep = [subject for subject in self.subjects if subject.polls]
        mark = self.owner.by_broker(*([subject.topic for subject in some] for some in (members, asleep)))
        for subject in asleep:
            self.owner.to_hand_out[subject.uuid] = self.owner.series(subject.topic)
        for subject in members:
            subject.board.wait_for(mark, PATIENCE)
        for subject, count in zip(self.outside, refused, strict=True):
            self._hears(subject, count + len(self.owner.series(subject.topic)))
        for subject in asleep:
            self._handed_out(subject)
        assert [subject.picture() for subject in self.subjects] == before

    def _hears(self, subject: Subject, goal: int) -> None:
        self._until(lambda: subject.refused() >= goal, f"{goal} frames refused by who is in no fleet")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, f"never: {what}"
            time.sleep(0.1)

    def _handed_out(self, subject: Subject) -> None:
        """All of it, and then it has polled once more."""
        owner, uuid = self.owner, subject.uuid
        self._until(lambda: not owner.to_hand_out[uuid], "all is handed out")
        polls = owner.polls[uuid]
        self._until(lambda: owner.polls[uuid] > polls, "and it polls again")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen_firmware: Path) -> Iterator[Scene]:
    """Three boards, from blank to provisioned, and connected."""
    with Whole(tmp_path / "fleet") as backdrop, Owner(backdrop) as owner:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        monkeypatch.setattr(polling, "_waiting", owner.answer(polling._waiting))
        yield from _three(tmp_path, backdrop, owner, frozen_firmware)


def _three(folder: Path, backdrop: Whole, owner: Owner, firmware: Path) -> Iterator[Scene]:
    fleet, first = backdrop.fleet, release(folder, "1.0")
    options: dict[str, Any] = {"application": first, "settings": {"spread_s": 0}}
    boards: list[Any] = []
    for name in ("shed", "barn"):
        making.make(folder / name, fleet, name, **options)
        boards.append(VirtualBoard(folder / name))
    pico = OnlineBoard(folder / "pico", firmware, {"localhost", *profiles.NTP})
    try:
        provisioning.provision(pico.start().port, fleet, "pico", **options)
        for board in boards:
            board.start()
        boards.append(pico)
        for board in boards:
            board.wait_for("srup: connected", PATIENCE)
        images = folder / "shed" / "flash.img", folder / "barn" / "flash.img", folder / "pico" / "flash"
        uuids = [fleet.device(name).uuid for name in ("shed", "barn", "pico")]
        yield Scene(backdrop, owner, [Subject(*of) for of in zip(boards, images, uuids, strict=True)])
    finally:
        for board in {*boards, pico}:
            board.power_cut()
            print("\n".join(["", *board.lines()[-60:]]))  # seen where the test fails


def release(folder: Path, version: str) -> Path:
    source = folder / version
    source.mkdir()
    (source / "app.py").write_text(APP.format(version=version))
    bundle = folder / f"{version}.srup"
    srup("bundle", "build", source, "-o", bundle, "--version", version, "--name", "three")
    return bundle


@pytest.mark.timeout(2400)
def test_nothing_that_was_sent_once_is_good_again_whatever_has_happened_since(tmp_path: Path, scene: Scene) -> None:
    """Each step, and after it the same attack."""

    def then(*done: object) -> None:
        print("\n".join(str(one) for one in done if one))
        began = time.monotonic()
        scene.nothing_changes()
        print(f"{len(scene.owner.frames)} frames again: {time.monotonic() - began:.0f} s")

    shed, barn, pico = scene.subjects
    then(scene.each("data", "app.x", "1"), scene.each("action", "0x80"))
    then(scene.each("action", "SELF_TEST"), scene.each("action", "SET_MODE", "beacon"), scene.each("action", "CONNECT"))
    then(srup("group", "create", "lamps", *scene.names), srup("send", "action", "group:lamps", "0x81"))
    second = release(tmp_path, "2.0")
    then(srup("send", "initiate", "group:lamps", second, "--activate", "--timeout", PATIENCE))
    then(scene.each("action", "REVERT"))
    with scene.coming_back(*scene.names):
        scene.each("action", "REBOOT")
    then()
    for role in ("command", "authority", "release"):
        then(srup("keys", "rotate", role, "--timeout", PATIENCE))
    then(scene.each("settings", "--ntp", "ntp.example"))
    for name in ("barn", "pico"):
        srup("send", "action", name, "LOW_POWER", "2", "--timeout", PATIENCE)
    barn.polls = pico.polls = True
    then(srup("group", "remove", "lamps", "barn", "--timeout", PATIENCE))
    scene.wake("pico")
    then(scene.mode("barn", "safe"))
    then(scene.mode("barn", "normal"))
    scene.wake("barn")
    then(srup("group", "add", "lamps", "barn"))
    then(scene.leaves(pico))
    then(scene.let_in("pico"))
    srup("send", "deregister", "shed")
    scene.outside.append(shed)
    then()
    then(scene.let_in("shed"), srup("group", "sync"))
    srup("send", "action", "shed", "TURN_OFF", "--authority", "--name", "shed")
    shed.board.wait_for("asleep until power is cycled")
    then(shed.power_cycle())
    then(scene.provision_again(pico))
    then(scene.destroyed("shed"))
    scene.each("id-request")
    assert len(scene.owner.frames) > 60
    scene.owner.publish(f"app/{pico.uuid}/stack", b"%d" % STACK)
    assert int(pico.board.wait_for("stack left:", PATIENCE).split()[-1]) >= STACK_LEFT
