"""The power goes at any flash operation of an update, the board comes back, and the update ends as the server is told.

A sample; every operation of every scenario is a campaign of its own.
"""

from pathlib import Path

import pytest

from tests.flow.world import GOOD, World

ENDS = ("ACTIVATE_SUCCESS", "ACTIVATE_FAIL", "ACTIVATE_REVERTED")


def drive(world: World, token: bytes) -> str:
    """Do as a server does until the transaction has ended, and start the board again whenever it has lost its power."""
    while True:
        try:
            answered, name = world.answer(timeout=0.5)
        except TimeoutError:
            if not world.board.running:
                world.board.start()
            continue
        if answered == token and name in ENDS:
            return name
        if answered == token and name == "UPDATE_SUCCESS":
            world.activate(token)
        elif answered == token and name == "ACTIVATE_TRIAL":
            world.data("confirm", token)


def update(world: World, cut: int = 0, torn: bool = False) -> str:
    world.board.start(cut=cut, torn=torn)
    return drive(world, world.initiate(world.bundle({"app.py": GOOD, "data.txt": "0123456789" * 2000}, "2.0")))


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """The flash operations of an undisturbed update: (first, last)."""
    with World(tmp_path_factory.mktemp("whole")) as world:
        before = world.board.operations()
        assert update(world) == "ACTIVATE_SUCCESS"
        return before, world.board.operations()


@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_power_cut_leaves_the_old_version_or_the_new_one(tmp_path: Path, operations, tenths: int, torn: bool) -> None:
    first, last = operations
    with World(tmp_path) as world:
        end = update(world, first + (last - first) * tenths // 10, torn)
        assert "--- power cut ---" in world.board.lines()
        inventory = world.inventory()
        assert inventory["version"] == ("2.0" if end == "ACTIVATE_SUCCESS" else "1.0")
        assert not inventory["trial"]
        if end != "ACTIVATE_SUCCESS":  # and whatever happened, the next update goes through
            assert drive(world, world.initiate(world.bundle(GOOD, "2.1"))) == "ACTIVATE_SUCCESS"
