"""A board whose slots are raw flash: updates are ROMFS images, mounted where they lie, on MicroPython's own VfsRom."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srup_host import bundle, images, sources
from tests.flow.world import GOOD, World

SLOT = 192 * 1024
REVERT = 0x08


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, source=None, raw_slot=SLOT) as made:
        made.board.start()
        made.board.wait_for("slot none: recovery")
        made.board.wait_for("connected")
        yield made


def romfs(world: World, version: str, size: int = 20_000) -> bytes:
    """A bundle with app.py and some data, as an image."""
    contents = {"app.py": GOOD.replace("{version}", version).encode(), "data.txt": version.encode() * (size // 3)}
    image = images.romfs(sources.compile_all(contents))
    key = world.fleet.private_key("release")
    return bundle.pack({bundle.IMAGE: image}, key, name="kitchen", version=version, counter=1, kind="romfs")


def drive(world: World, token: bytes) -> str:
    """Do as a server does until the transaction has ended; start the board again where it has lost its power."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            answered, name = world.answer(timeout=0.5)
        except TimeoutError:
            if not world.board.running:
                world.board.start()
            continue
        if (answered, name) == (token, "UPDATE_SUCCESS"):
            world.activate(token)
        elif (answered, name) == (token, "ACTIVATE_TRIAL"):
            world.data("confirm", token)
        elif answered == token and name not in ("ACTIVATE_TRIAL", "TRIAL_RETRY"):
            return name
    raise TimeoutError("\n".join(world.board.lines()[-30:]))


def update(world: World, version: str) -> str:
    return drive(world, world.initiate(romfs(world, version)))


def test_a_romfs_is_installed_tried_confirmed_replaced_and_run_again(world: World) -> None:
    for version, slot in (("1.0", "slot a"), ("2.0", "slot b")):
        assert update(world, version) == "ACTIVATE_SUCCESS"
        world.board.wait_for(f"{slot}, on trial")
        world.board.wait_for(f"app {version}")
        inventory = world.inventory()
        assert (inventory["version"], inventory["slot"]) == (version, slot[-1])
    assert drive(world, world.action(REVERT)) == "ACTIVATE_SUCCESS"
    world.board.power_cut()
    world.start()
    assert world.inventory()["version"] == "1.0"


def test_bundles_of_files_are_refused_and_so_are_images_that_do_not_fit(world: World) -> None:
    world.expect(world.initiate(world.bundle(GOOD, "2.0")), "UPDATE_FAIL_BOARD")
    world.expect(world.initiate(romfs(world, "2.0", SLOT)), "UPDATE_FAIL_SPACE")
    assert update(world, "1.0") == "ACTIVATE_SUCCESS"


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Flash operations of an undisturbed update."""
    with World(tmp_path_factory.mktemp("whole"), source=None, raw_slot=SLOT) as world:
        world.board.start()
        before = world.board.operations()
        assert update(world, "1.0") == "ACTIVATE_SUCCESS"
        return world.board.operations() - before


@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
@pytest.mark.parametrize("eighths", range(1, 8))
def test_a_power_cut_leaves_the_old_image_or_the_new_one(
    world: World, operations: int, eighths: int, torn: bool
) -> None:
    assert update(world, "1.0") == "ACTIVATE_SUCCESS"
    world.board.power_cut()
    at = world.board.operations() + operations * eighths // 8
    world.board.start(cut=at, torn=torn)
    end = update(world, "2.0")
    world.board.power_cut()
    assert world.board.operations() >= at
    world.start()
    assert world.inventory()["version"] == ("2.0" if end == "ACTIVATE_SUCCESS" else "1.0")
