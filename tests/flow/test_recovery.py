"""A board whose software is gone, or no good, stays within reach: the fallback, recovery, and the way out of it."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import srup_boot
from srup_host import device_tree
from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.flow.brokers import free_port
from tests.flow.test_trials import settings
from tests.flow.world import GOOD, World
from tests.unit.on_micropython import ROOT

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
FIRMWARE = ROOT / "firmware"
WORN = '"mended" not in os.listdir("/")'


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
    folder = world.folder / "planted"
    _planted(folder / "lib" / "srup_boot" / name, Path(srup_boot.__file__).parent / name, (old, new))
    making.put(world.board.directory, str(folder))


def mend(world: World, name: str) -> None:
    """An empty file of this name, by which what was broken sees that it is not any more."""
    folder = world.folder / "mended"
    folder.mkdir()
    (folder / name).touch()
    making.put(world.board.directory, str(folder))


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
        mend(world, "boom")
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


def refuse_the_first_write(world: World) -> None:
    """The board's flash is worn out: the store is damaged, what is to be written of that is not taken, and what is there can't be asked."""
    folder = world.folder / "worn-out"
    _planted(
        folder / "lib" / "srup" / "store.py",
        FIRMWARE / "srup" / "store.py",
        ("        self.damaged = not copy.is_whole", f"        self.damaged = {WORN}  # "),
        (
            "        payload = _payload(changes)\n        if len(payload) > _RECORD:",
            "        payload = _payload(changes)\n        if " + WORN + " or len(payload) > _RECORD:",
        ),
    )
    asked = '        os.stat("/srup-data/config.json")'
    _planted(
        folder / "main.py",
        FIRMWARE / "main.py",
        ("PAUSE_S = 60", "PAUSE_S = 1"),
        (asked, f"        if {WORN}:\n            raise OSError(5)\n{asked}"),
    )
    making.put(world.board.directory, str(folder))


def _planted(target: Path, source: Path, *changes: tuple[str, str]) -> None:
    text = source.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def test_recovery_on_a_flash_that_takes_nothing_tries_again_until_it_does(tmp_path: Path) -> None:
    """It ended at the prompt, without a watchdog: out of reach until somebody came."""
    with World(tmp_path, source=None) as world:
        refuse_the_first_write(world)
        world.board.start()
        for _ in range(2):
            world.board.wait_for("StorageError: a record of")
            world.board.wait_for("--- reset ---")
        world.board.power_cut()
        mend(world, "mended")
        world.start()
        assert world.inventory()["slot"] == "none"


def test_settings_that_cut_a_board_in_recovery_off_come_back_by_themselves(tmp_path: Path) -> None:
    """No watchdog takes the place of the trial's deadline."""
    with World(tmp_path, source=None, trial_s=2) as world:
        world.start()
        token = settings(world, broker={"port": free_port()})
        for _ in range(3):
            world.board.wait_for("--- reset by the watchdog ---")
        world.expect(token, "ACTIVATE_REVERTED")


def test_who_interrupts_a_recovery_that_fails_gets_the_prompt_and_keeps_it(tmp_path: Path) -> None:
    with World(tmp_path, source=None) as world:
        refuse_the_first_write(world)

        def interrupt(line: str) -> None:
            if "StorageError: a record of" in line:
                time.sleep(0.3)  # it pauses now
                os.kill(world.board._process.pid, signal.SIGINT)

        world.board.start(interrupt)
        assert world.board.wait_stopped(30) == 1, "and no watchdog bites there"
        assert "KeyboardInterrupt:" in "".join(world.board.lines()[-3:])


def test_a_board_that_was_never_provisioned_says_at_its_prompt_what_is_wrong(tmp_path: Path) -> None:
    """`srup provision` finds it there."""
    folder, board = tmp_path / "files", tmp_path / "board"
    board.mkdir()
    for name, data in device_tree.device_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    making.make_flash(board)
    making.put(board, str(folder))
    making.describe(board, str(uuid.uuid4()))
    with VirtualBoard(board).start() as new:
        assert new.wait_stopped(30) == 1
        assert any("StorageError: config.json" in line for line in new.lines())


def test_an_agent_in_the_slot_that_can_not_be_imported_goes_back(world: World) -> None:
    world.start()
    token = world.update({"app.py": GOOD, "srup/__init__.py": "", "srup/agent.py": "1/0"}, "2.0")
    world.board.wait_for("ZeroDivisionError")
    world.expect(token, "ACTIVATE_REVERTED")
    assert world.inventory()["version"] == "1.0"
