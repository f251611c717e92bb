"""A real TCP stack on a network that loses, doubles and reorders packets, takes only short ones, goes dark, or forgets connections:
updates flow, and what was sent while nothing got through is obeyed once something does.
"""

from pathlib import Path

import pytest

from tests.emulator.weather import Weather
from tests.emulator.world import PicoWorld
from tests.flow.world import GOOD

PATIENCE = 300.0  # seconds


def confirmed(world: PicoWorld) -> None:
    """A whole update."""
    source = {"app.py": GOOD, "table.py": f"TABLE = {list(range(3000))}\n"}
    token = world.initiate(world.bundle(source, "2.0"))
    world.expect(token, "UPDATE_SUCCESS", PATIENCE)
    world.activate(token)
    world.expect(token, "ACTIVATE_TRIAL", PATIENCE)
    confirm = world.data("confirm", token)
    assert {world.answer(PATIENCE), world.answer(PATIENCE)} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}


@pytest.mark.timeout(900)
def test_an_update_flows_through_packets_lost_doubled_and_out_of_order(tmp_path: Path, frozen_firmware: Path) -> None:
    weather = Weather(lost=0.02, doubled=0.02, late=0.04)
    with PicoWorld(tmp_path, frozen_firmware, network={"weather": weather}, trial_s=240) as world:
        world.board.start()
        world.board.wait_for("srup: connected", PATIENCE)
        confirmed(world)
    assert weather.met["lost"] and weather.met["doubled"] and weather.met["late"]


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_an_update_flows_where_packets_may_be_no_longer_than_ip_asks_for(tmp_path: Path, frozen_firmware: Path) -> None:
    """RFC 791: 576 bytes have to pass everywhere. Longer ones vanish."""
    weather = Weather(mtu=576)
    with PicoWorld(tmp_path, frozen_firmware, network={"weather": weather, "mru": 576}, trial_s=240) as world:
        world.board.start()
        world.board.wait_for("srup: connected", PATIENCE)
        confirmed(world)
    assert not weather.met["too long"]


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("trouble", ["a black hole", "a NAT that forgets"])
def test_what_was_sent_into_the_void_is_obeyed_once_the_board_has_noticed(
    tmp_path: Path, frozen_firmware: Path, trouble: str
) -> None:
    """Nobody tells the board that its connection is none any more: it has its own pings, and silence, to go by."""
    weather = Weather()
    with PicoWorld(tmp_path, frozen_firmware, network={"weather": weather}) as world:
        world.board.start()
        world.board.wait_for("srup: connected", PATIENCE)
        if trouble == "a black hole":
            weather.dark = True
        else:
            world.board.link.rebind()
        token = world.data("app.colour", b"red")
        world.board.wait_for("srup: connection lost", PATIENCE)
        weather.dark = False
        world.board.wait_for("srup: connected", PATIENCE)
        world.expect(token, "DATA_UNKNOWN", PATIENCE)
