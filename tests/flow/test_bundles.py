"""Small bundles, data, and sealed ones, from the server's word to the board's, on real MicroPython over TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from srup_host import bundle, fleet, keyfiles, sealing, signing
from tests.flow.world import GOOD, World

TAKES = """
import os

def setup(agent):
    agent.on_self_test(lambda: True)
    agent.on_files(take)
    told("has", agent.files())

def told(word, folder):
    print("app", word, open(folder + "/table.txt").read() if folder else "nothing")

def take(folder, manifest):
    told("is given %s of" % manifest["version"], folder)
    return "{takes}"
"""


def table(version: str, extra: str = "") -> dict[str, bytes]:
    return {"table.txt": f"the table of {version}".encode(), "large.bin": bytes(range(256)) * 20 + extra.encode()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, source=TAKES.replace("{takes}", "yes")) as made:
        made.start()
        yield made


def data(world: World, version: str, base: Path | None = None, **changes: object) -> bytes:
    """A bundle of kind data; kept as a file, to be the base of another."""
    read = bundle.read(base) if base and pytest.importorskip("detools") else None
    key = world.fleet.private_key("release")
    packed = bundle.pack(
        table(version), key, name="table", version=version, counter=0, kind="data", base=read, **changes
    )  # type: ignore[arg-type]
    if not base:
        (world.folder / f"{version}.srup").write_bytes(packed)
    return packed


def given(world: World, packed: bytes) -> bytes:
    """INITIATE, UPDATE_SUCCESS, ACTIVATE; the token."""
    token = world.initiate(packed)
    world.expect(token, "UPDATE_SUCCESS")
    world.activate(token)
    return token


def test_a_delta_is_applied_to_what_runs(world: World) -> None:
    pytest.importorskip("detools")
    files = {"app.py": GOOD, "large.txt": "the same in all of them, and a lot of it" * 200}
    key = world.fleet.private_key("release")
    full = world.bundle(files, "2.0")
    (world.folder / "2.0.srup").write_bytes(full)
    token = given(world, full)
    world.expect(token, "ACTIVATE_TRIAL")
    confirm = world.data("confirm", token)
    assert {world.answer(), world.answer()} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}
    base = bundle.read(world.folder / "2.0.srup")
    delta = world.bundle(files, "3.0", base=base, key=key)
    assert len(delta) < len(full) + 64  # whose large file deflates to nothing, too
    token = given(world, delta)
    world.board.wait_for("app 3.0")
    world.expect(token, "ACTIVATE_TRIAL")


def test_a_delta_to_another_version_is_told_by_its_status(world: World) -> None:
    pytest.importorskip("detools")
    (world.folder / "other.srup").write_bytes(world.bundle(GOOD, "0.9"))
    delta = world.bundle(GOOD, "2.0", base=bundle.read(world.folder / "other.srup"))
    world.expect(world.initiate(delta), "UPDATE_FAIL_BOARD")
    world.expect(world.initiate(world.bundle(GOOD, "2.0")), "UPDATE_SUCCESS")


def test_data_is_handed_over_without_a_restart_and_is_there_after_one(world: World) -> None:
    token = given(world, data(world, "1"))
    world.board.wait_for("app is given 1 of the table of 1")
    world.expect(token, "ACTIVATE_SUCCESS")
    inventory = world.inventory()
    assert (inventory["version"], inventory["slot"]) == ("1.0", "a")
    assert inventory["data"][:2] == ["table", "1"]
    world.board.power_cut()
    world.board.start()
    world.board.wait_for("app has the table of 1")


def test_data_comes_as_a_delta_too(world: World) -> None:
    world.expect(given(world, data(world, "1")), "ACTIVATE_SUCCESS")
    full, delta = data(world, "2"), data(world, "2", world.folder / "1.srup")
    assert len(delta) < len(full)
    token = given(world, delta)
    world.board.wait_for("app is given 2 of the table of 2")
    world.expect(token, "ACTIVATE_SUCCESS")
    world.expect(world.initiate(delta), "UPDATE_FAIL_BOARD")  # what it is a change to has gone


@pytest.mark.parametrize("answer", ["", "1/0"])
def test_data_that_the_application_does_not_take_changes_nothing(tmp_path: Path, answer: str) -> None:
    hook = TAKES.replace('return "{takes}"', answer or "return False")
    with World(tmp_path, source=hook) as world:
        world.start()
        token = given(world, data(world, "1"))
        world.expect(token, "ACTIVATE_FAIL")
        assert "data" not in world.inventory()
        world.board.power_cut()
        world.board.start()
        world.board.wait_for("app has nothing")


def test_a_reset_while_the_application_is_given_data_leaves_what_was_there(tmp_path: Path) -> None:
    hook = TAKES.replace('return "{takes}"', "from srup import port; port.reset()")
    with World(tmp_path, source=hook) as world:
        world.start()
        token = given(world, data(world, "1"))
        world.board.wait_for("app is given 1")
        world.board.wait_for("app has nothing")
        world.expect(token, "ACTIVATE_FAIL")


def test_an_application_that_knows_of_no_data(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.start()
        world.expect(given(world, data(world, "1")), "ACTIVATE_FAIL")


def test_the_counter_of_data_is_its_own(world: World) -> None:
    """That of the application is 1; this begins at 0."""
    world.expect(given(world, data(world, "1")), "ACTIVATE_SUCCESS")


def test_sealed_for_this_board_alone(world: World) -> None:
    full = world.bundle(GOOD, "2.0")
    others = sealing.seal(full, [signing.public_bytes(keyfiles.generate())])
    group = sealing.seal(full, [signing.public_bytes(keyfiles.generate()), fleet.sealing_key(world.device)])
    world.expect(world.initiate(others), "UPDATE_FAIL_BOARD")
    token = given(world, group)
    world.board.wait_for("app 2.0")
    world.expect(token, "ACTIVATE_TRIAL")
