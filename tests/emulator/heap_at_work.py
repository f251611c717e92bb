"""How much heap is free while the agent is at work on the chip: idle on TLS MQTT to Mosquitto, obeying, and through a whole update.

The application of the board says so itself, after each `agent.poll()` and a collection. What a round takes and gives back within
itself is not seen so; but with `held` the application holds some of the heap, in pieces, and all has to work in what is left.
"""

import random
import tempfile
from pathlib import Path
from typing import Any

from srup_host import provisioning
from tests.emulator.online import OnlineBoard
from tests.flow.world import World

PIECE = 1024  # bytes, of what the application holds
DATA = random.Random(3).randbytes(8_000)  # does not get smaller by being compressed
PATIENCE = 600.0  # seconds

APP = """
import gc, sys, time
held = [bytearray(PIECE) for _ in range(HELD // PIECE)]
low = {}

def state(agent):
    road = agent._road
    if road:
        return "update" if road.fetching() else "command"
    return "idle" if agent.connected and "srup.store" not in sys.modules else "other"

def run(agent):
    agent.on_self_test(lambda: True)
    while True:
        agent.poll()
        now = state(agent)
        if gc.mem_free() < low.get(now, 1 << 30):  # else it is no less without the garbage
            gc.collect()
            free = gc.mem_free()
            if free < low.get(now, 1 << 30):
                low[now] = free
                print("heap", now, free)
        time.sleep_ms(0 if now == "update" else 20)
"""


class PicoWorld(World):
    """A World whose board is the emulated RP2040. firmware: with the agent frozen in, or without."""

    def __init__(self, folder: Path, firmware: Path, **options: Any):
        self._firmware = firmware
        super().__init__(folder, "mosquitto", **options)

    def make_board(self, application: Path | None, settings: dict[str, Any]) -> OnlineBoard:
        board = OnlineBoard(self.folder / "board", self._firmware, {"localhost"})
        with board.start():
            provisioning.provision(
                board.port, self.fleet, "kitchen", application=application, settings={"ntp": []} | settings
            )
        return board


def measure(firmware: Path, held: int = 0) -> dict[str, int]:
    """The least free heap in bytes, by state: idle, command, update. held: bytes that the application holds all the time."""
    source = APP.replace("HELD", str(held)).replace("PIECE", str(PIECE))
    with (
        tempfile.TemporaryDirectory() as folder,
        PicoWorld(Path(folder), firmware, source=source, trial_s=120) as world,
    ):
        world.board.start()
        world.board.wait_for("heap idle", PATIENCE)
        token = world.initiate(world.bundle({"app.py": source, "data.bin": DATA.hex()}, "2.0"))
        world.expect(token, "UPDATE_SUCCESS", PATIENCE)
        world.activate(token)
        world.expect(token, "ACTIVATE_TRIAL", PATIENCE)
        confirm = world.data("confirm", token)
        assert {world.answer(PATIENCE), world.answer(PATIENCE)} == {
            (token, "ACTIVATE_SUCCESS"),
            (confirm, "DATA_SUCCESS"),
        }
        world.board.wait_for("heap idle", PATIENCE)
        lines = [line.split() for line in world.board.lines() if line.startswith("heap ")]
    figures: dict[str, int] = {}
    for _, state, free in lines:
        figures[state] = min(int(free), figures.get(state, 1 << 30))
    return figures
