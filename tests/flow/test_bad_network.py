"""Between a board, its broker and its server all goes wrong that can: slow, in pieces, cut, gone, without names. It comes back by itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.flow.relay import Relay
from tests.flow.world import GOOD, World


class Behind(World):
    """A world whose board reaches the broker through a Relay alone."""

    def make_board(self, application: Path | None, settings: dict[str, Any]) -> Any:
        self.relay = Relay(self.fleet.broker.port)
        near, far = self.relay.port, self.fleet.broker
        self.fleet.broker = type(far)(far.host, near, far.tls)
        making.make(self.folder / "board", self.fleet, "kitchen", application=application, **settings)
        self.fleet.broker = far
        return VirtualBoard(self.folder / "board")

    def __enter__(self) -> Self:
        self.relay.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.relay.__exit__()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Behind]:
    with Behind(tmp_path) as made:
        yield made


def whole_update(world: World, version: str = "2.0") -> None:
    token = world.update(GOOD, version)
    world.expect(token, "ACTIVATE_TRIAL", timeout=60)
    confirm = world.data("confirm", token)
    assert {world.answer(60), world.answer(60)} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}


def test_a_link_that_carries_some_bytes_at_a_time_and_late(world: Behind) -> None:
    """TLS records and MQTT packets in pieces of 50 bytes, each some milliseconds after the one before."""
    world.relay.piece, world.relay.delay = 50, 0.005
    world.start()
    whole_update(world)
    assert world.inventory(timeout=60)["version"] == "2.0"


def test_a_link_that_is_cut_at_each_turn_of_an_update(world: Behind) -> None:
    world.start()
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.relay.cut()
    world.expect(token, "UPDATE_SUCCESS", timeout=60)
    world.activate(token)
    world.relay.cut()
    world.expect(token, "ACTIVATE_TRIAL", timeout=90)
    world.data("confirm", token)
    world.relay.cut()
    found = {world.answer(60), world.answer(60)}
    assert (token, "ACTIVATE_SUCCESS") in found
    assert world.inventory(timeout=60)["version"] == "2.0"
    assert world.relay.connections >= 4


def test_a_broker_that_starts_again_in_the_middle_of_an_update(world: Behind) -> None:
    """What it has forgotten is asked for again: the board says when it is back."""
    world.start()
    token = world.initiate(world.bundle(GOOD, "2.0"))
    world.expect(token, "UPDATE_SUCCESS")
    world.network_down()
    world.network_up()
    told = world.inventory(timeout=90)
    assert told["latest"][token.hex()] == 0, "UPDATE_SUCCESS"
    world.activate(token)
    world.expect(token, "ACTIVATE_TRIAL", timeout=60)


def test_a_name_that_does_not_resolve_fails_the_update_and_nothing_else(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        nowhere = "nowhere.invalid:8443"
        world.board = _allowing(world, nowhere)
        world.start()
        token = world.initiate(world.bundle(GOOD, "2.0"), url=f"https://{nowhere}/x.srup")
        world.inventory()
        newer = world.initiate(world.bundle(GOOD, "3.0"))
        assert {world.answer(60), world.answer(60)} == {(token, "SUPERSEDED"), (newer, "UPDATE_SUCCESS")}


def _allowing(world: World, host: str) -> Any:
    """The board again, with this host on its list too."""
    shutil.rmtree(world.folder / "board")
    world.fleet.allow = [*world.fleet.allow, host]
    making.make(world.folder / "board", world.fleet, "attic", application=world.folder / "first.srup")
    world.device = next(device for device in world.fleet.devices() if device.name == "attic")
    return VirtualBoard(world.folder / "board")
