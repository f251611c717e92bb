"""A World of tests/flow whose board is the emulated Pico, provisioned over its serial port: real Mosquitto, TLS on everything."""

import json
import time
from pathlib import Path
from typing import Any

from srup_host import provisioning
from tests.emulator.online import OnlineBoard
from tests.flow.world import World
from tests.unit.on_micropython import ROOT

PROFILE = json.loads((ROOT / "boards/SRUP_RP2040/board.json").read_text())
NTP = "pool.ntp.org"
AHEAD = 2 * 86_400  # seconds that the network's time is ahead of this machine's: so one can tell them apart


class PicoWorld(World):
    """firmware: with the agent frozen in, or without."""

    def __init__(self, folder: Path, firmware: Path, **options: Any):
        self._firmware = firmware
        super().__init__(folder, "mosquitto", **options)

    def make_board(self, application: Path | None, settings: dict[str, Any]) -> OnlineBoard:
        names = {"localhost", NTP}
        board = OnlineBoard(self.folder / "board", self._firmware, names, clock=lambda: time.time() + AHEAD)
        given = {"network": PROFILE["network"], "ntp": [NTP], "memory": {"drop_mqtt": True}} | settings
        with board.start():
            provisioning.provision(board.port, self.fleet, "kitchen", application=application, settings=given)
        return board
