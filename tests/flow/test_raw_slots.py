"""A board whose slots are raw flash: updates are ROMFS images, mounted where they lie, on MicroPython's own VfsRom."""

import base64
import hashlib
import random
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


# Larger than the file system

LARGE = 1024 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Iterator[World]:
    """Two raw slots of 1 MB, and a file system of 912 KB, in which the agent is. (A process has to hold the image that it mounts.)"""
    with World(tmp_path, source=None, raw_slot=LARGE, heap="3M") as made:
        made.board.start()
        made.board.wait_for("connected")
        yield made


def noise(world: World, version: str, window: int) -> bytes:
    """A bundle of 1,000 KB; if deflated, of which that leaves three quarters."""
    data = base64.b64encode(random.Random(int(version[0])).randbytes(750_000))
    image = images.romfs({"app.py": GOOD.replace("{version}", version).encode(), "noise": data})
    key = world.fleet.private_key("release")
    return bundle.pack(
        {bundle.IMAGE: image}, key, name="kitchen", version=version, counter=1, kind="romfs", window=window
    )


@pytest.mark.parametrize("window", [0, 10], ids=["as it is", "deflated"])
def test_an_image_larger_than_the_file_system_goes_straight_into_its_slot_and_on_after_a_power_cut(
    large: World, window: int
) -> None:
    packed = noise(large, "1.0", window)
    assert len(packed) > 750_000
    large.board.power_cut()
    large.board.start(cut=large.board.operations() + 1500)
    assert drive(large, large.initiate(packed)) == "ACTIVATE_SUCCESS"
    asked = [int((request.get("range") or "bytes=0-")[6:-1]) for request in large.peer.requests]
    header = asked[1]  # where it ends, the first connection does
    assert asked[0] == 0 and header < 2200
    assert asked[2] == header if window else asked[2] > 200_000
    large.board.power_cut()
    large.start()
    assert large.inventory()["version"] == "1.0"


def test_a_large_image_that_is_another_one_than_was_named_is_no_slot(large: World) -> None:
    packed = noise(large, "1.0", 0)
    token = large.initiate(packed[:-1] + b"x", digest=hashlib.sha256(packed).digest())
    large.expect(token, "UPDATE_FAIL_DIGEST")
    assert large.inventory()["other"] is None
    unsigned = bytearray(packed)
    unsigned[20] ^= 1
    large.expect(large.initiate(bytes(unsigned)), "UPDATE_FAIL_BUNDLE")


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
