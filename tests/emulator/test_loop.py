"""The paper's loop on the chip: a real broker and TLS, a bundle into littlefs, the power cut where it hurts, trial, confirm, revert."""

import base64
import random
import time

import pytest

from srup import limits
from srup_host import actions
from tests.emulator.world import AHEAD, PicoWorld

PATIENCE = 120.0  # seconds for an answer: other work of this machine counts, too

# Tells the least heap that it has found free after a collection, and the least of the stack that nothing has touched.
APP = """
import asyncio, gc, machine

def setup(agent):
    agent.on_self_test(lambda: {good})
    print("app {{version}}")

async def main(agent):
    least = gc.mem_alloc() + gc.mem_free()
    stack = 0x20042000  # its end; it grows down from there
    while True:
        low = 0x20040000
        while low < stack and not machine.mem32[low]:
            low += 4
        if low < stack:
            stack = low
            print("free stack:", stack - 0x20040000)
        gc.collect()
        if gc.mem_free() < least:
            least = gc.mem_free()
            print("free heap:", least)
        await asyncio.sleep(1)
"""
GOOD, BAD = APP.format(good=True), APP.format(good=False)
TABLE = base64.b64encode(random.Random(1).randbytes(40_000)).decode()  # compressed it is 40 kB


@pytest.fixture(scope="module")
def world(frozen_firmware, tmp_path_factory):
    with PicoWorld(tmp_path_factory.mktemp("world"), frozen_firmware, source=GOOD, trial_s=120) as world:
        world.board.start()
        world.board.wait_for("srup: connected")
        yield world


def cut_in_the_download(world: PicoWorld) -> int:
    """The power fails in the middle of a write, with some of the bundle in flash. Returns how many bytes of it were not fetched again."""
    world.board.tear(32_000)
    world.board.start()
    world.board.wait_for("srup: downloaded", PATIENCE)
    first, second = world.peer.requests
    assert "range" not in first
    return int(second["range"].removeprefix("bytes=").removesuffix("-"))


def cut_in_staging(world: PicoWorld) -> None:
    """The power fails while the other slot is being filled; the bundle is whole, and none of it is fetched again."""
    world.board.board.cut_power_at(60, "torn")
    world.board.wait_for("--- power cut ---", PATIENCE)
    world.board.start()


def test_two_power_cuts_then_the_version_before_on_command_then_one_that_fails(world, record_property):
    update_through_two_power_cuts(world)
    go_back_on_command(world)
    go_back_from_a_failed_self_test(world)
    assert not [line for line in world.board.lines() if "crashed" in line]
    record_property("least_free_heap", min(told(world, "free heap:")))
    # Of 8 KB, at whose end the heap begins: an application may call `poll` from a few calls deep.
    assert min(told(world, "free stack:")) >= 1000


def update_through_two_power_cuts(world: PicoWorld) -> None:
    bundle = world.bundle({"app.py": GOOD, "table": TABLE}, "2.0")
    token = world.initiate(bundle)
    assert cut_in_the_download(world) >= limits.SYNC
    cut_in_staging(world)
    world.expect(token, "UPDATE_SUCCESS", PATIENCE)
    assert [request.get("range") for request in world.peer.requests[2:]] == [f"bytes={len(bundle)}-"]

    world.activate(token)
    world.board.wait_for("slot b, on trial", PATIENCE)
    world.board.wait_for("app 2.0", PATIENCE)
    confirm(world, token, "2.0")


def go_back_on_command(world: PicoWorld) -> None:
    confirm(world, world.action(actions.REVERT), "1.0")


def go_back_from_a_failed_self_test(world: PicoWorld) -> None:
    token = world.initiate(world.bundle({"app.py": BAD}, "3.0"))
    world.expect(token, "UPDATE_SUCCESS", PATIENCE)
    world.activate(token)
    world.board.wait_for("app 3.0", PATIENCE)
    world.expect(token, "ACTIVATE_REVERTED", PATIENCE)
    assert world.inventory(PATIENCE)["version"] == "1.0"


def confirm(world: PicoWorld, token: bytes, version: str) -> None:
    world.expect(token, "ACTIVATE_TRIAL", PATIENCE)
    confirm = world.data("confirm", token)
    assert {world.answer(PATIENCE), world.answer(PATIENCE)} == {(token, "ACTIVATE_SUCCESS"), (confirm, "DATA_SUCCESS")}
    assert world.inventory(PATIENCE)["version"] == version


def told(world: PicoWorld, what: str) -> list[int]:
    figures = [int(line.split()[-1]) for line in world.board.lines() if line.startswith(what)]
    assert len(figures) > 3
    return figures


def test_the_time_is_that_of_the_network(world):
    ahead = world.inventory(PATIENCE)["clock"] / 1000 - time.time()
    assert AHEAD - 60 < ahead < AHEAD + 60
