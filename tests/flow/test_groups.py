"""Two real boards and a group, over a real broker: one frame for both, and none for the one that has left."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from srup import wire
from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.flow.peer import serving
from tests.flow.world import World
from tests.host.shell import run, srup

LAMP = """
def setup(agent):
    agent.on_self_test(lambda: True)
    agent.on_action(lambda action, parameters: print("lamp", parameters.decode()) or True)
    print("app {version}")
"""


@contextlib.contextmanager
def two_boards(folder: Path) -> Iterator[tuple[World, VirtualBoard]]:
    with World(folder, source=LAMP, settings={"spread_s": 1}) as world:
        making.make(folder / "hall", world.fleet, "hall", application=folder / "first.srup", settings={"spread_s": 1})
        hall = VirtualBoard(folder / "hall")
        try:
            world.start()
            hall.start()
            hall.wait_for("srup: connected")
            yield world, hall
        finally:
            hall.power_cut()


def test_a_group_s_members_obey_and_one_that_has_left_does_not_whoever_sends_it(tmp_path: Path) -> None:
    with two_boards(tmp_path) as (world, hall):
        where = ["--fleet", world.fleet.directory, "--json"]
        assert srup("group", "create", "lamps", "kitchen", "hall", *where).json == {"told": 2, "left": []}
        done = srup("send", "action", "group:lamps", "0x80", "on", *where).json
        assert [(one["device"], one["done"]) for one in done["members"]] == [("hall", True), ("kitchen", True)]
        world.board.wait_for("lamp on")
        hall.wait_for("lamp on")
        assert srup("group", "remove", "lamps", "hall", *where).json["left"] == []
        srup("send", "action", "group:lamps", "0x80", "off", *where)
        world.board.wait_for("lamp off")
        group = world.fleet.group("lamps")
        frame = world.sign(wire.ACTION, target=group.bytes, token=world.token(), action=0x80, parameters=b"dim")
        for topic in (f"srup/group/{group}/c2", f"srup/{hall_uuid(world)}/c2"):
            world.publish(topic, frame)
        world.board.wait_for("lamp dim")
        hall.wait_for("srup: refused: target")
        hall.power_cut()
        hall.start()
        hall.wait_for("srup: connected")
        world.publish(f"srup/{hall_uuid(world)}/c2", frame)
        hall.wait_for("srup: refused: target")
        assert "lamp dim" not in hall.lines() and "lamp off" not in hall.lines()
        listed = srup("group", "list", *where).json
        assert listed["behind"] == [] and listed["groups"][0]["members"] == ["kitchen"]


def hall_uuid(world: World) -> str:
    return world.fleet.device("hall").uuid


def test_a_group_is_updated_by_one_initiate_and_each_member_is_confirmed(tmp_path: Path) -> None:
    with two_boards(tmp_path) as (world, hall):
        where = ["--fleet", world.fleet.directory, "--json"]
        srup("group", "create", "lamps", "kitchen", "hall", *where)
        packed = world.bundle(LAMP, "2.0")
        (tmp_path / "two.srup").write_bytes(packed)
        world.peer.answer = serving(packed)
        result = run(
            "send", "initiate", "group:lamps", tmp_path / "two.srup", "--url", world.url(), "--activate", *where
        )
        assert result.code == 0, result.err
        world.board.wait_for("app 2.0")
        hall.wait_for("app 2.0")


def test_a_member_that_is_off_is_shown_until_it_has_heard(tmp_path: Path) -> None:
    with two_boards(tmp_path) as (world, hall):
        where = ["--fleet", world.fleet.directory, "--json"]
        hall.power_cut()
        late = run("group", "create", "lamps", "kitchen", "hall", "--timeout", "3", *where)
        assert late.code == 6 and [one["device"] for one in late.json["left"]] == ["hall"]
        assert srup("group", "list", *where).json["behind"] == ["hall"]
        hall.start()
        assert srup("group", "sync", *where).json["left"] == []
        assert srup("group", "list", *where).json["behind"] == []
