"""What goes on trial besides an update: the version before, by ACTION REVERT, and new settings."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from srup import wire
from tests.flow.brokers import free_port
from tests.flow.peer import Authority
from tests.flow.world import GOOD, World

REVERT = 0x08


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        made.start()
        yield made


def confirmed(world: World, token: bytes) -> None:
    """The trial that `token` names is confirmed; the answers to the confirm may come in any order."""
    world.expect(token, "ACTIVATE_TRIAL")
    confirm = world.data("confirm", token)
    assert {world.answer(), world.answer()} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}


def settings(world: World, **changes: object) -> bytes:
    """DATA settings, by the authority; its token."""
    token = world.token()
    elements = {"target": world.device.target, "token": token, "name": b"settings"}
    world.send(
        world.sign(wire.DATA, world.fleet.private_key("authority"), value=json.dumps(changes).encode(), **elements)
    )
    return token


# REVERT


def test_a_revert_runs_the_version_before_again_on_trial_and_another_one_the_newer(world: World) -> None:
    confirmed(world, world.update(GOOD, "2.0"))
    for slot, version in (("slot a, on trial", "1.0"), ("slot b, on trial", "2.0")):
        token = world.action(REVERT)
        world.board.wait_for(slot)
        confirmed(world, token)
        world.board.power_cut()
        world.start()
        assert world.inventory()["version"] == version


def test_a_revert_obeys_the_security_counter(world: World) -> None:
    token = world.initiate(world.bundle(GOOD, "2.0", counter=2))
    world.expect(token, "UPDATE_SUCCESS")
    world.activate(token)
    confirmed(world, token)
    world.expect(world.action(REVERT), "ACTION_REFUSED")
    assert world.inventory()["version"] == "2.0" and "--- reset ---" not in world.board.lines()[-5:]


def test_there_is_nothing_to_revert_to_before_the_first_update_nor_while_one_is_staged(world: World) -> None:
    world.expect(world.action(REVERT), "ACTION_FAIL")
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(token, "UPDATE_SUCCESS")
    world.expect(world.action(REVERT), "ACTION_FAIL")
    world.activate(token)
    confirmed(world, token)


def test_a_version_before_that_works_no_more_comes_to_nothing(tmp_path: Path) -> None:
    source = "import os\ndef setup(agent):\n    agent.on_self_test(lambda: 'old.txt' in os.listdir('/srup-data'))\n"
    with World(tmp_path, source=source) as world:
        world.start()
        confirmed(world, world.update(GOOD, "2.0"))
        token = world.action(REVERT)
        world.expect(token, "ACTIVATE_REVERTED")
        assert world.inventory()["version"] == "2.0"
        world.expect(world.action(REVERT), "ACTION_FAIL")  # it is no refuge any more


def test_a_replayed_revert_is_answered_again_and_reverts_nothing(world: World) -> None:
    confirmed(world, world.update(GOOD, "2.0"))
    token = world.token()
    frame = world.sign(wire.ACTION, target=world.device.target, token=token, action=REVERT, parameters=b"")
    world.send(frame)
    confirmed(world, token)
    resets = world.board.lines().count("--- reset ---")
    world.send(frame)
    world.expect(token, "ACTIVATE_SUCCESS")
    assert world.board.lines().count("--- reset ---") == resets and world.inventory()["version"] == "1.0"


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """The flash operations of an undisturbed REVERT, from its frame to its confirmation: (first, last)."""
    with World(tmp_path_factory.mktemp("whole")) as world:
        world.start()
        confirmed(world, world.update(GOOD, "2.0"))
        world.silence()
        world.board.power_cut()
        before = world.board.operations()
        world.start()
        confirmed(world, world.action(REVERT))
        return before, world.board.operations()


@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
@pytest.mark.parametrize("eighths", range(1, 7))
def test_a_power_cut_leaves_a_revert_done_or_not_done_and_told(
    tmp_path: Path, operations, eighths: int, torn: bool
) -> None:
    first, last = operations
    with World(tmp_path) as world:
        world.start()
        confirmed(world, world.update(GOOD, "2.0"))
        world.silence()
        world.board.power_cut()
        at = world.board.operations() + max(1, (last - first) * eighths // 8)
        world.board.start(cut=at, torn=torn)
        token = world.action(REVERT)
        end = ""
        while end not in ("ACTIVATE_SUCCESS", "ACTIVATE_FAIL", "ACTION_FAIL", "ACTIVATE_REVERTED"):
            try:
                answered, name = world.answer(timeout=0.5)
            except TimeoutError:
                if not world.board.running:
                    world.board.start()
                continue
            if answered == token:
                end = name
            if (answered, name) == (token, "ACTIVATE_TRIAL"):
                world.data("confirm", token)
        world.board.power_cut()
        assert world.board.operations() >= at
        world.start()
        inventory = world.inventory()
        assert inventory["version"] == ("1.0" if end == "ACTIVATE_SUCCESS" else "2.0")


# Settings


def test_new_settings_are_tried_confirmed_and_hold_from_then_on(world: World) -> None:
    other = f"127.0.0.1:{world.peer.port}"
    token = settings(world, allow=[*world.fleet.allow, other], wifi=[{"ssid": "new", "password": "12345678"}])
    world.board.wait_for("on trial")
    confirmed(world, token)
    world.silence()
    world.board.power_cut()
    world.start()
    bundle = world.bundle(GOOD, "2.0")
    url = f"https://{other}/x.srup"
    world.expect(world.initiate(bundle, url=url), "UPDATE_SUCCESS")


def test_settings_that_cut_the_board_off_come_back_by_themselves(tmp_path: Path) -> None:
    with World(tmp_path, trial_s=2) as world:
        world.start()
        token = settings(world, broker={"port": free_port()})
        for _ in range(3):
            world.board.wait_for("--- reset by the watchdog ---")
        world.expect(token, "ACTIVATE_REVERTED")
        assert world.inventory()["version"] == "1.0"
        world.expect(world.initiate(world.bundle(GOOD, "2.0")), "UPDATE_SUCCESS")  # and nothing stands in the way


def test_settings_of_no_sense_or_by_the_command_key_change_nothing(world: World) -> None:
    world.expect(settings(world, uuid="x"), "DATA_UNKNOWN")
    world.data("settings", b'{"allow": []}')  # signed by the command key
    world.silence()
    assert world.inventory()["refused"] == {"signature": 1}
    assert "--- reset ---" not in world.board.lines()


def test_a_fleet_changes_its_certificate_authority_in_two_steps(world: World, tmp_path: Path) -> None:
    """Both are trusted while the servers change over."""
    authority = Authority(tmp_path)
    der = base64.b64encode(authority.der).decode()
    confirmed(world, settings(world, ca={"1": der}))
    old = world.peer.context
    for context, status in ((old, "UPDATE_SUCCESS"), (authority.context("localhost"), "UPDATE_SUCCESS")):
        world.peer.context = context
        token = world.initiate(world.bundle(GOOD, "2.0"))
        world.expect(token, status)
        cancel = world.action(0x09, token)
        assert {world.answer(), world.answer()} == {(token, "SUPERSEDED"), (cancel, "ACTION_SUCCESS")}
