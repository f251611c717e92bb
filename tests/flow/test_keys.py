"""Keys of a real board changed over a real broker: all three, one after the other, and a loop that works after each."""

from pathlib import Path

import pytest

from srup import wire
from srup_host import keyfiles
from tests.flow.world import GOOD, World
from tests.host.shell import failed, run, srup


@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
def test_all_three_keys_of_a_board_change_and_what_the_old_ones_signed_is_worth_nothing(tmp_path: Path, broker) -> None:
    with World(tmp_path, broker=broker) as world:
        world.start()
        old = {role: world.fleet.private_key(role) for role in ("command", "release", "authority")}
        captured = [
            world.sign(wire.ID_REQUEST, old["command"], target=world.device.target, token=world.token()),
            _keys_frame(world, old["authority"]),
        ]
        for role in ("command", "authority", "release"):
            done = srup("keys", "rotate", role, "--fleet", world.fleet.directory, "--json").json
            assert done["step"] == "done"
        world.command_key = world.fleet.private_key("command")
        for frame in captured:
            world.send(frame)
        fresh = world.sign(wire.ID_REQUEST, old["command"], target=world.device.target, token=world.token())
        world.send(fresh)
        assert world.inventory()["refused"] == {"signature": 3}
        world.expect(world.initiate(world.bundle(GOOD, "2.0", key=old["release"])), "UPDATE_FAIL_BUNDLE")
        token = world.update(GOOD, "2.0")
        world.expect(token, "ACTIVATE_TRIAL")
        confirm = world.data("confirm", token)
        assert {world.answer(), world.answer()} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}


def _keys_frame(world: World, authority) -> bytes:
    value = bytes((1, 1)) + keyfiles.generate().public_key().public_bytes(*_POINT)
    elements = {"target": world.device.target, "token": world.token(), "name": b"keys", "value": value}
    return world.sign(wire.DATA, authority, **elements)


_POINT = (keyfiles.Encoding.X962, keyfiles.PublicFormat.UncompressedPoint)


def test_a_change_of_keys_goes_on_after_a_power_cut(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        away = run("keys", "rotate", "command", "--timeout", "0", "--fleet", world.fleet.directory, "--json")
        assert away.code == 6 and away.json["step"] == "add"
        world.board.start(cut=world.board.operations() + 6)
        world.board.wait_stopped()
        world.board.start()
        done = srup("keys", "rotate", "command", "--fleet", world.fleet.directory, "--json").json
        assert done["step"] == "done"


# DATA `settings` and `clock`, from the command line


def test_settings_are_tried_and_hold_and_those_that_cut_the_board_off_are_undone(tmp_path: Path) -> None:
    with World(tmp_path, trial_s=3) as world:
        world.start()
        where = ["--fleet", world.fleet.directory, "--json", "--set-aside"]  # nobody else listens for what comes late
        assert (
            srup("send", "settings", "kitchen", "--ntp", "ntp.example", *where).json["status_name"]
            == "ACTIVATE_SUCCESS"
        )
        back = run("send", "settings", "kitchen", "--broker", "localhost:9", *where)
        assert (back.code, back.json["status_name"]) == (5, "ACTIVATE_REVERTED")
        assert "would refuse" in failed("send", "settings", "kitchen", "--trial", "1", *where)
        clock = srup("send", "clock", "kitchen", "--reset-command-key", *where)
        assert clock.json["status_name"] == "DATA_SUCCESS"
        assert world.inventory()["version"] == "1.0"
