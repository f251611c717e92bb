"""The broker is the attacker's: what it does to the board's MQTT client. Each time the board leaves, comes again, and obeys."""

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from srup import limits, wire
from srup_host import inventory, signing
from tests.attacks.broker import PUBACK, PUBLISH, HostileBroker, Wire, length, publish
from tests.flow.world import World


class Story(World):
    """A world whose broker is not one of ours."""

    def _run(self) -> None:
        self._ready.set()

    def __exit__(self, *_: object) -> None:
        self.board.power_cut()
        self.peer.__exit__()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    with Story(tmp_path, tls=False) as made:
        yield made


def obeying(world: World, answers: "queue.Queue[dict[str, Any]]") -> Callable[[Wire], None]:
    """An honest act: ask for the inventory, and take it."""

    def act(wire_: Wire) -> None:
        wire_.greet()
        topic = f"srup/{world.device.uuid}/c2".encode()
        wire_.send(publish(topic, world.sign(wire.ID_REQUEST, target=world.device.target, token=world.token())))
        while True:
            head, body = wire_.packet()
            if head & 0xF0 != PUBLISH:
                continue
            size = int.from_bytes(body[:2], "big")
            topic, payload = body[2 : 2 + size], body[4 + size :] if head & 6 else body[2 + size :]
            if head & 6:
                wire_.send(bytes((PUBACK, 2)) + body[2 + size : 4 + size])
            if topic.endswith(b"/up"):
                found = wire.decode(payload)
                signing.verify_frame(world.device.key, found)
                answers.put(inventory.read(found.elements["value"]))

    return act


def after(world: World, act: Callable[[Wire], None]) -> dict[str, Any]:
    """The inventory of a board to which this has been done: it came again by itself, and obeys."""
    answers: queue.Queue[dict[str, Any]] = queue.Queue()

    def hostile(wire_: Wire) -> None:
        act(wire_)
        wire_.until_closed()

    with HostileBroker(world.fleet.broker.port, hostile, obeying(world, answers)) as broker:
        world.board.start()
        found = answers.get(timeout=90)
        world.board.power_cut()
    assert broker.connections >= 2 and broker.failed is None
    assert not any("Traceback" in line for line in world.board.lines())
    return found


def greeted(*packets: bytes) -> Callable[[Wire], None]:
    def act(wire_: Wire) -> None:
        wire_.greet()
        for packet in packets:
            wire_.send(packet)

    return act


TOPIC = b"srup/x/c2"


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda wire_: wire_.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="another protocol"),
        pytest.param(lambda wire_: wire_.connection.close(), id="hangs up at once"),
        pytest.param(lambda wire_: wire_.send(b"\x20\x02\x00\x05"), id="not authorised"),
        pytest.param(lambda wire_: wire_.send(publish(TOPIC, b"x")), id="a publication before the greeting"),
        pytest.param(greeted(b"\x32\xff\xff\xff\xff\x7f"), id="a length of five bytes"),
        pytest.param(greeted(b"\x32\x05\x00\xff" + b"abc"), id="a topic longer than its packet"),
        pytest.param(greeted(b"\x32\x02\x00\x00"), id="no room for the packet identifier"),
        pytest.param(greeted(publish(b"t" * 300, b"x")), id="an oversized topic"),
        pytest.param(greeted(publish(TOPIC, b"x", qos=2)), id="qos 2"),
        pytest.param(greeted(publish(TOPIC, b"x", qos=3)), id="qos 3"),
        pytest.param(greeted(b"\x20\x02\x00\x00"), id="greets twice"),
        pytest.param(greeted(b"\xf0\x00"), id="a packet type that there is not"),
        pytest.param(greeted(b"\x90\x03\x00\x01\x80"), id="takes the subscription back"),
        pytest.param(greeted(b"\x32" + length(200) + b"\x00\x09srup/"), id="stops in the middle of a packet"),
    ],
)
def test_what_a_broker_must_not_say(world: World, act: Callable[[Wire], None]) -> None:
    def then_gone(wire_: Wire) -> None:
        act(wire_)
        if wire_.connection.fileno() >= 0:
            wire_.connection.shutdown(1)  # SHUT_WR: whoever waits for the rest learns that it does not come

    assert after(world, then_gone)["refused"] == {}


def test_a_packet_of_a_quarter_of_a_gigabyte_is_left_and_not_stored(world: World) -> None:
    def act(wire_: Wire) -> None:
        wire_.greet()
        wire_.send(b"\x32" + length(268_435_455) + len(TOPIC).to_bytes(2, "big") + TOPIC)
        for _ in range(32):
            wire_.send(bytes(65_536))
        wire_.connection.shutdown(1)

    assert after(world, act)["version"] == "1.0"


def test_messages_too_long_for_a_frame_are_passed_over_and_the_next_one_taken(world: World) -> None:
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    topic = f"srup/{world.device.uuid}/c2".encode()
    honest = obeying(world, answers)

    def act(wire_: Wire) -> None:
        greet = wire_.greet

        def greet_and_flood() -> None:
            greet()
            for number in range(1, 21):
                wire_.send(publish(topic, bytes(limits.FRAME + 1 + 5000 * (number % 2)), number=number))

        wire_.greet = greet_and_flood  # type: ignore[method-assign]
        honest(wire_)

    with HostileBroker(world.fleet.broker.port, act) as broker:
        world.board.start()
        assert answers.get(timeout=60)["version"] == "1.0"
        world.board.power_cut()
    assert broker.connections == 1


def test_a_storm_of_acknowledgements_for_nothing_costs_no_memory(world: World) -> None:
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    honest = obeying(world, answers)

    def storm(wire_: Wire) -> None:
        greet = wire_.greet

        def greet_and_storm() -> None:
            greet()
            wire_.send(b"".join(bytes((PUBACK, 2)) + number.to_bytes(2, "big") for number in range(300)))
            wire_.send(b"\xd0\x00" * 100)

        wire_.greet = greet_and_storm  # type: ignore[method-assign]
        honest(wire_)

    with HostileBroker(world.fleet.broker.port, storm):
        world.board.start()
        stormed = answers.get(timeout=90)
        world.board.power_cut()
    with HostileBroker(world.fleet.broker.port, honest):
        world.board.start()
        calm = answers.get(timeout=60)
        world.board.power_cut()
    assert stormed["heap"] >= calm["heap"] - 2048
