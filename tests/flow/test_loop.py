"""The paper's loop and its failures, from the server's word to the board's, on real MicroPython over real brokers and TLS."""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srup import wire
from srup_host import keyfiles
from tests.flow.peer import Authority, head, serving
from tests.flow.world import GOOD, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, flash_size=1200 * 1024) as made:  # a whole agent in the slot is more than a Pico holds twice
        yield made


def started(world: World) -> World:
    world.start()
    return world


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
def test_the_whole_loop(tmp_path: Path, broker: str, tls: bool) -> None:
    with World(tmp_path, broker, tls) as world:
        world.start()
        token = world.update(GOOD, "2.0")
        world.board.wait_for("slot b, on trial")
        world.board.wait_for("app 2.0")
        world.expect(token, "ACTIVATE_TRIAL")
        confirm = world.data("confirm", token)
        assert {world.answer(), world.answer()} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}
        world.board.power_cut()
        world.board.start()
        world.board.wait_for("app 2.0")
        world.board.wait_for("srup: connected")
        assert world.inventory()["version"] == "2.0"


def test_a_version_whose_self_test_fails_goes_back(world: World) -> None:
    started(world)
    token = world.update("def setup(agent):\n    agent.on_self_test(lambda: False)\n", "2.0")
    world.expect(token, "ACTIVATE_REVERTED")
    assert "app 1.0" in world.board.lines()[-4:] or world.inventory()["version"] == "1.0"


@pytest.mark.parametrize("source", ["1/0", "def setup(agent):\n    1/0", "async def main(agent):\n    1/0"])
def test_a_version_that_crashes_goes_back(world: World, source: str) -> None:
    started(world)
    token = world.update(source, "2.0")
    world.board.wait_for("ZeroDivisionError")
    world.expect(token, "ACTIVATE_REVERTED")
    assert world.inventory()["version"] == "1.0"


def test_a_version_that_hangs_is_ended_by_the_deadline(tmp_path: Path) -> None:
    with World(tmp_path, trial_s=1) as world:
        world.start()
        token = world.update("def setup(agent):\n    while True: pass", "2.0")
        for _ in range(3):
            world.board.wait_for("--- reset by the watchdog ---")
        world.expect(token, "ACTIVATE_REVERTED")
        assert world.inventory()["version"] == "1.0"


CAN_SEND_BUT_NOT_VERIFY = """
from srup import p256
from srup.errors import BadSignature

def never(*arguments):
    raise BadSignature("broken")

p256.verify = never

def setup(agent):
    agent.on_self_test(lambda: True)
"""


def test_a_version_that_can_send_but_not_verify_goes_back(tmp_path: Path) -> None:
    with World(tmp_path, trial_s=2) as world:
        world.start()
        token = world.update(CAN_SEND_BUT_NOT_VERIFY, "2.0")
        world.expect(token, "ACTIVATE_TRIAL")
        world.data("confirm", token)
        name = "ACTIVATE_TRIAL"
        while name == "ACTIVATE_TRIAL":  # once a trial boot
            answered, name = world.answer()
            if answered != token:  # the confirm, on the old version
                name = "ACTIVATE_TRIAL"
        assert name == "ACTIVATE_REVERTED"
        assert world.inventory()["version"] == "1.0"


def test_a_stop_hook_that_hangs_has_ten_seconds(tmp_path: Path) -> None:
    source = "def setup(agent):\n    agent.on_stop(hang)\n\ndef hang():\n    print('hanging')\n    while True: pass\n"
    with World(tmp_path, source=source) as world:
        world.start()
        token = world.update(GOOD, "2.0")
        world.board.wait_for("hanging")
        world.board.wait_for("--- reset by the watchdog ---", 20)
        world.expect(token, "ACTIVATE_TRIAL")


# Failures, by the status that the server hears


def test_the_server_is_down(tmp_path: Path) -> None:
    with World(tmp_path, settings={"download_attempts": 2}) as world:
        world.start()
        world.peer.close()
        world.expect(world.initiate(b"x"), "UPDATE_FAIL_SERVER")


@pytest.mark.parametrize(
    ("code", "status"),
    [(404, "UPDATE_FAIL_FILE"), (410, "UPDATE_FAIL_FILE"), (500, "UPDATE_FAIL_HTTP"), (302, "UPDATE_FAIL_HTTP")],
)
def test_the_server_has_not_got_it(world: World, code: int, status: str) -> None:
    started(world)
    token = world.initiate(b"x", answer=lambda connection, *_: connection.sendall(head(code, "Content-Length: 0")))
    world.expect(token, status)


def test_another_file_than_was_signed(world: World) -> None:
    started(world)
    token = world.initiate(world.bundle(GOOD, "2.0"), digest=bytes(32))
    world.expect(token, "UPDATE_FAIL_DIGEST")


@pytest.mark.parametrize("fault", ["expired", "of another host", "of another authority"])
def test_a_certificate_that_is_not_good(world: World, tmp_path: Path, fault: str) -> None:
    started(world)
    authority = Authority(tmp_path)
    if fault != "of another authority":
        authority.adopt(world.fleet)
    world.peer.context = authority.context(
        "example.org" if fault == "of another host" else "localhost", expired=fault == "expired"
    )
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(token, "UPDATE_FAIL_SERVER")
    assert not world.peer.requests


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "https://example.org/x",
        "https://localhost/x",
        "https://user@localhost:{port}/x",
        "ftp://x",
        "https://",
    ],
)
def test_a_url_that_is_not_on_the_list(world: World, url: str) -> None:
    started(world)
    token = world.initiate(b"x", url=url.replace("{port}", str(world.peer.port)))
    world.expect(token, "UPDATE_FAIL_URL")
    assert not world.peer.connections


def test_bundles_that_are_not_for_this_board(world: World) -> None:
    started(world)
    stranger = keyfiles.generate()
    for served, status in (
        (b"not a bundle", "UPDATE_FAIL_BUNDLE"),
        (world.bundle(GOOD, "2.0", key=stranger), "UPDATE_FAIL_BUNDLE"),
        (world.bundle(GOOD, "2.0", key=world.command_key), "UPDATE_FAIL_BUNDLE"),
        (world.bundle(GOOD, "2.0", boards=["RPI_PICO_W"]), "UPDATE_FAIL_BOARD"),
        (world.bundle(GOOD, "2.0", counter=0), "UPDATE_FAIL_DOWNGRADE"),
        (world.bundle({"app.py": GOOD, "big.txt": "x" * 600_000}, "2.0"), "UPDATE_FAIL_SPACE"),
    ):
        world.expect(world.initiate(served), status)
    assert world.inventory()["version"] == "1.0"
    token = world.update(GOOD, "2.0")  # and none of them leaves anything behind that would stand in the way
    world.expect(token, "ACTIVATE_TRIAL")


# Attacks


def test_a_replayed_initiate_changes_nothing_and_is_answered_again(world: World) -> None:
    started(world)
    served = world.bundle(GOOD, "2.0")
    world.peer.answer = serving(served)
    token, digest = world.token(), hashlib.sha256(served).digest()
    frame = world.sign(wire.INITIATE, target=world.device.target, token=token, url=world.url().encode(), digest=digest)
    world.send(frame)
    world.expect(token, "UPDATE_SUCCESS")
    connections = world.peer.connections
    world.send(frame)
    world.expect(token, "UPDATE_SUCCESS")
    assert world.peer.connections == connections, "nothing is fetched again"
    world.activate(token)
    world.expect(token, "ACTIVATE_TRIAL")
    world.data("confirm", token)
    assert (token, "ACTIVATE_SUCCESS") in (world.answer(), world.answer())
    world.send(frame)
    world.expect(token, "ACTIVATE_SUCCESS")
    assert world.peer.connections == connections


def test_frames_that_nobody_may_answer(world: World) -> None:
    """Another board's, unsigned, strangers', and by a key of the wrong role: counted, and no word to whoever sent them."""
    started(world)
    elements: dict[str, Any] = {"token": world.token(), "url": world.url().encode(), "digest": bytes(32)}
    world.send(world.sign(wire.INITIATE, target=os.urandom(16), **elements))
    elements["target"] = world.device.target
    world.send(wire.seal(wire.preimage(wire.INITIATE, elements), b""))
    world.send(wire.seal(wire.preimage(wire.INITIATE, elements), bytes(64)))
    for key in (keyfiles.generate(), world.fleet.private_key("release"), world.fleet.private_key("authority")):
        world.send(world.sign(wire.INITIATE, key, **elements))
    world.send(b"")
    world.send(os.urandom(300))
    world.silence()
    assert world.inventory()["refused"] == {"target": 1, "malformed": 3, "signature": 4}
    assert not world.peer.connections


def test_activate_is_for_the_staged_transaction_once_and_by_its_key(world: World) -> None:
    started(world)
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(token, "UPDATE_SUCCESS")
    other = world.token()
    world.activate(other)
    world.expect(other, "TOKEN_STALE")
    for key in (keyfiles.generate(), world.fleet.private_key("release"), world.fleet.private_key("authority")):
        world.activate(token, key)
    world.silence()
    frame = world.activate(token)
    world.expect(token, "ACTIVATE_TRIAL")
    world.data("confirm", token)
    assert (token, "ACTIVATE_SUCCESS") in (world.answer(), world.answer())
    resets = world.board.lines().count("--- reset ---")
    world.send(frame)
    world.expect(token, "ACTIVATE_SUCCESS")
    assert world.board.lines().count("--- reset ---") == resets == 1


def test_a_newer_initiate_takes_the_place_of_a_staged_one(world: World) -> None:
    started(world)
    old = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(old, "UPDATE_SUCCESS")
    new = world.initiate(world.bundle(GOOD, "3.0"))
    assert {world.answer(), world.answer()} == {(old, "SUPERSEDED"), (new, "UPDATE_SUCCESS")}
    world.activate(old)
    world.expect(old, "SUPERSEDED")
    world.activate(new)
    world.board.wait_for("app 3.0")


def test_a_cancelled_update_can_not_be_activated(world: World) -> None:
    started(world)
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(token, "UPDATE_SUCCESS")
    cancel = world.action(0x09, token)
    assert {world.answer(), world.answer()} == {(token, "SUPERSEDED"), (cancel, "ACTION_SUCCESS")}
    world.activate(token)
    world.expect(token, "SUPERSEDED")


def test_a_confirm_for_something_else_confirms_nothing(world: World) -> None:
    started(world)
    idle = world.data("confirm", bytes(16))
    world.expect(idle, "DATA_UNKNOWN")
    token = world.update(GOOD, "2.0")
    world.expect(token, "ACTIVATE_TRIAL")
    wrong = world.data("confirm", os.urandom(16))
    world.expect(wrong, "DATA_UNKNOWN")
    assert world.inventory()["trial"]


# Power and network


def slowly(data: bytes, pause: float = 0.05) -> Any:
    """A server that gives a file 4 KiB at a time."""
    whole = serving(data)

    class Slow:
        def __init__(self, connection: Any):
            self._connection = connection

        def sendall(self, piece: bytes) -> None:
            for at in range(0, len(piece), 4096):
                self._connection.sendall(piece[at : at + 4096])
                time.sleep(pause)

    return lambda connection, path, headers: whole(Slow(connection), path, headers)


def test_a_power_cut_in_the_download_is_resumed_from_flash(world: World) -> None:
    started(world)
    served = world.bundle({"app.py": GOOD, "big.txt": "0123456789" * 15_000}, "2.0", window=0)
    token = world.initiate(served, answer=slowly(served))
    while not world.peer.requests:
        time.sleep(0.01)
    time.sleep(1)
    world.board.power_cut()
    world.board.start()
    world.expect(token, "UPDATE_SUCCESS")
    ranges = [request.get("range", "") for request in world.peer.requests]
    assert len(ranges) == 2 and ranges[0] == "" and int(re.sub(r"\D", "", ranges[1])) >= 16_384
    world.activate(token)
    world.board.wait_for("app 2.0")


def test_a_response_is_kept_until_the_broker_has_it_and_a_command_until_the_board_has(tmp_path: Path) -> None:
    with World(tmp_path, "mosquitto") as world:
        world.start()
        world.board.power_cut()
        token = world.initiate(world.bundle(GOOD, "2.0"))  # while the board is off
        world.board.start()
        world.expect(token, "UPDATE_SUCCESS")


# What an application sees


def test_the_application_shares_the_connection_and_hears_its_data_and_mode(tmp_path: Path) -> None:
    source = """
def setup(agent):
    agent.on_data(lambda name, value: print("data", name, value) or True)
    agent.on_mode(lambda mode: mode == "beacon")
    agent.on_action(lambda action, parameters: parameters == b"yes")
    agent.subscribe("in", lambda topic, payload: agent.publish("out", payload + b"!", qos=1))
"""
    with World(tmp_path, source=source) as world:
        world.start()
        world.publish(f"app/{world.device.uuid}/in", b"hello")
        assert world.heard(f"app/{world.device.uuid}/out") == b"hello!"
        world.expect(world.data("app.colour", b"red"), "DATA_SUCCESS")
        world.board.wait_for("data app.colour b'red'")
        world.expect(world.data("nonsense", b""), "DATA_UNKNOWN")
        world.expect(world.action(0x06, b"beacon"), "ACTION_SUCCESS")
        world.expect(world.action(0x06, b"disco"), "ACTION_FAIL")
        world.expect(world.action(0x80, b"yes"), "ACTION_SUCCESS")
        world.expect(world.action(0x7F), "ACTION_UNKNOWN")
        reboot = world.action(0x01)
        world.expect(reboot, "ACTION_SUCCESS")
        world.board.wait_for("--- reset ---")


def test_a_message_kept_for_a_board_that_was_off_can_be_answered_at_once_or_crash_its_callback(tmp_path: Path) -> None:
    """The broker sends it again on each connection until it is acknowledged."""
    source = """
def setup(agent):
    agent.subscribe("in", lambda topic, payload: agent.publish("out", payload + b"!", qos=1))
    agent.subscribe("bad", lambda topic, payload: 1 // 0)
"""
    with World(tmp_path, "mosquitto", source=source) as world:
        world.start()
        world.board.power_cut()
        world.publish(f"app/{world.device.uuid}/bad", b"x")
        world.publish(f"app/{world.device.uuid}/in", b"hello")
        world.board.start()
        assert world.heard(f"app/{world.device.uuid}/out") == b"hello!"
        world.silence()
        lines = world.board.lines()
        assert sum("ZeroDivisionError" in line for line in lines) == 1 and "--- reset ---" not in lines


def test_a_confirmed_version_that_crashes_at_its_start_can_be_replaced(tmp_path: Path) -> None:
    with World(tmp_path, source="def setup(agent):\n    1/0\n") as world:
        world.start()
        token = world.update(GOOD, "2.0")
        world.expect(token, "ACTIVATE_TRIAL")


def test_a_loop_of_its_own_that_polls_the_agent(tmp_path: Path) -> None:
    source = "def run(agent):\n    print('my loop')\n    while True:\n        agent.poll()\n"
    with World(tmp_path, source=source) as world:
        world.start()
        token = world.update(GOOD, "2.0")
        world.expect(token, "ACTIVATE_TRIAL")


def test_a_download_leaves_the_application_its_turns(tmp_path: Path) -> None:
    source = """
turns = 0

async def main(agent):
    global turns
    import asyncio
    while True:
        turns += 1
        await asyncio.sleep_ms(0)

def setup(agent):
    agent.on_data(lambda name, value: print("turns", turns) or True)
"""
    with World(tmp_path, source=source) as world:
        world.start()
        served = world.bundle({"app.py": GOOD, "big.txt": "0123456789" * 5_000}, "2.0")
        world.expect(world.data("app.count", b""), "DATA_SUCCESS")
        before = int(world.board.wait_for("turns").split()[1])
        world.expect(world.initiate(served, answer=slowly(served)), "UPDATE_SUCCESS")
        world.expect(world.data("app.count", b""), "DATA_SUCCESS")
        after = int(world.board.wait_for("turns").split()[1])
        chunks = len(served) // 2048
        assert after - before > chunks, "at least a turn for each chunk"


def test_an_agent_in_the_slot_is_the_one_that_runs(world: World) -> None:
    """The agent is updated like the application."""
    started(world)
    firmware = Path(__file__).resolve().parents[2] / "firmware" / "srup"
    contents = {f"srup/{path.relative_to(firmware)}": path.read_text() for path in firmware.rglob("*.py")}
    contents["srup/__init__.py"] = contents["srup/__init__.py"].replace('__version__ = "', '__version__ = "99.')
    token = world.initiate(world.bundle({"app.py": GOOD, **contents}, "2.0"))
    world.expect(token, "UPDATE_SUCCESS")
    world.activate(token)
    world.board.wait_for("srup: agent 99.")
    world.expect(token, "ACTIVATE_TRIAL")
    world.data("confirm", token)
    assert (token, "ACTIVATE_SUCCESS") in (world.answer(), world.answer())


def test_the_device_listens_on_nothing(world: World) -> None:
    """By the kernel's own list of the process' sockets."""
    started(world)
    pid = world.board._process.pid
    inodes = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    listening = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    assert not [fields for fields in listening if f"socket:[{fields[9]}]" in inodes]
    assert any(name.startswith("socket:") for name in inodes), "it is connected, and that is seen"
