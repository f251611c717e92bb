"""A board whose software is gone, or no good, stays within reach: the fallback, recovery, and the way out of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import srup_boot
from srup_host.virtual import making
from tests.flow.world import GOOD, World

CRASHES = "from srup_boot import hw\nprint('app {version} crashes')\nhw.reset()\n"
HANGS = "print('app {version} hangs')\nwhile True: pass\n"
SLOW = "import time\ntime.sleep(2)\n" + GOOD
CAN_BREAK = """
import os
from srup_boot import hw

def setup(agent):
    if "boom" in os.listdir("/"):
        hw.reset()
    agent.on_self_test(lambda: True)
    agent.on_data(lambda name, value: open("/boom", "w").close() or True)
"""
STARTS = 5


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


def confirmed(world: World, token: bytes) -> None:
    world.expect(token, "ACTIVATE_TRIAL")
    world.data("confirm", token)
    assert (token, "ACTIVATE_SUCCESS") in (world.answer(), world.answer())


def plant(world: World, name: str, old: str, new: str) -> None:
    """Change the boot part's module `name` on the board: source is imported before what was compiled."""
    source = (Path(srup_boot.__file__).parent / name).read_text()
    assert old in source
    folder = world.folder / "planted" / "lib" / "srup_boot"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(source.replace(old, new))
    making.put(world.board.directory, str(world.folder / "planted"))


def flip_bits(world: World, content: bytes) -> None:
    """One bit of each copy of `content` in flash."""
    path = world.board.directory / "flash.img"
    image = bytearray(path.read_bytes())
    at = image.find(content)
    assert at >= 0
    while at >= 0:
        image[at] ^= 0x10
        at = image.find(content, at + 1)
    path.write_bytes(image)


def test_a_confirmed_version_that_crashes_at_each_start_ends_in_recovery_and_is_replaced_there(tmp_path: Path) -> None:
    with World(tmp_path, source=CRASHES) as world:
        world.board.start()
        world.board.wait_for("slot none: recovery")
        world.board.wait_for("connected")
        assert sum("app 1.0 crashes" in line for line in world.board.lines()) == STARTS
        inventory = world.inventory()
        assert (inventory["slot"], inventory["version"], inventory["note"]) == ("none", None, "slot a: crashes")
        confirmed(world, world.update(GOOD, "2.0"))
        world.board.power_cut()
        world.board.start()
        world.board.wait_for("slot b")
        world.board.wait_for("app 2.0")


def test_a_reboot_out_of_recovery_tries_the_version_that_crashed_again(tmp_path: Path) -> None:
    """What made it crash may be mended: a sensor is plugged in again."""
    source = CAN_BREAK.replace('"boom" in', '"boom" not in')
    with World(tmp_path, source=source) as world:
        world.board.start()
        world.board.wait_for("slot none: recovery")
        world.board.wait_for("connected")
        world.board.power_cut()
        (world.folder / "mended").mkdir()
        (world.folder / "mended" / "boom").touch()
        making.put(world.board.directory, str(world.folder / "mended"))
        world.start()
        assert world.inventory()["slot"] == "none"
        world.expect(world.action(0x01), "ACTION_SUCCESS")
        world.board.wait_for("agent 0.1.0, slot a")
        assert world.inventory()["slot"] == "a"


def test_a_confirmed_version_that_hangs_before_the_agent_runs_ends_in_recovery(tmp_path: Path) -> None:
    with World(tmp_path, source=HANGS) as world:
        plant(world, "hw.py", "WATCHDOG_S = 300", "WATCHDOG_S = 1")
        world.board.start()
        for _ in range(STARTS):
            world.board.wait_for("--- reset by the watchdog ---")
        world.board.wait_for("slot none: recovery")
        world.board.wait_for("connected")
        assert world.inventory()["slot"] == "none"


def test_a_crash_loop_that_only_begins_after_the_confirmation_goes_back_to_the_version_before(world: World) -> None:
    world.start()
    confirmed(world, world.update(CAN_BREAK, "2.0"))
    world.expect(world.data("app.boom", b""), "DATA_SUCCESS")
    world.board.power_cut()
    world.board.start()
    world.board.wait_for("slot b: crashes")
    world.board.wait_for("app 1.0")
    world.board.wait_for("connected")
    inventory = world.inventory()
    assert (inventory["slot"], inventory["version"], inventory["note"]) == ("a", "1.0", "slot b: crashes")
    confirmed(world, world.update(GOOD, "3.0"))


def test_a_board_that_was_never_given_an_application_takes_its_first_one(tmp_path: Path) -> None:
    with World(tmp_path, source=None) as world:
        world.board.start()
        world.board.wait_for("slot none: recovery")
        world.board.wait_for("connected")
        confirmed(world, world.update(GOOD, "1.0"))


def test_a_flipped_bit_in_the_active_slot_starts_the_version_before_and_is_reported(world: World) -> None:
    world.start()
    contents = {"app.py": GOOD, "data.txt": "the data of two " * 1000}
    confirmed(world, world.update(contents, "2.0"))
    world.board.power_cut()
    flip_bits(world, b"the data of two " * 8)
    world.board.start()
    world.board.wait_for("slot b: data.txt differs")
    world.board.wait_for("app 1.0")
    world.board.wait_for("connected")
    inventory = world.inventory()
    assert (inventory["version"], inventory["counter"]) == ("1.0", 1) and "data.txt" in inventory["note"]
    confirmed(world, world.update(GOOD, "3.0"))


def test_a_network_that_fails_during_the_trial_costs_no_update(tmp_path: Path) -> None:
    with World(tmp_path, trial_s=3) as world:
        world.start()
        token = world.update(SLOW, "2.0")
        world.board.wait_for("slot b, on trial")
        world.network_down()
        for _ in range(3):
            world.board.wait_for("--- reset by the watchdog ---")
        world.board.wait_for("app 1.0")
        world.board.wait_for("it was the network")
        world.network_up()
        world.expect(token, "TRIAL_RETRY", 60)
        confirmed(world, token)
        assert world.inventory()["version"] == "2.0"


def test_an_agent_in_the_slot_that_can_not_be_imported_goes_back(world: World) -> None:
    world.start()
    token = world.update({"app.py": GOOD, "srup/__init__.py": "", "srup/agent.py": "1/0"}, "2.0")
    world.board.wait_for("ZeroDivisionError")
    world.expect(token, "ACTIVATE_REVERTED")
    assert world.inventory()["version"] == "1.0"
