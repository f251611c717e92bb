"""A World of tests/flow whose board is the emulated Pico, provisioned over its serial port: real Mosquitto, TLS on everything."""

import time
from pathlib import Path
from typing import Any

from srup_host import profiles, provisioning
from tests.emulator.online import OnlineBoard
from tests.flow.world import World

(NTP,) = profiles.NTP
AHEAD = 2 * 86_400  # seconds that the network's time is ahead of this machine's: so one can tell them apart


class PicoWorld(World):
    """firmware: with the agent frozen in, or without · network: as for ppp.Link"""

    def __init__(self, folder: Path, firmware: Path, network: dict[str, Any] | None = None, **options: Any):
        self._firmware = firmware
        self._network = network or {}
        super().__init__(folder, "mosquitto", **options)

    def make_board(self, application: Path | None, settings: dict[str, Any]) -> OnlineBoard:
        names = {"localhost", NTP}
        ahead = {"clock": lambda: time.time() + AHEAD}
        board = OnlineBoard(self.folder / "board", self._firmware, names, **ahead | self._network)
        with board.start():
            provisioning.provision(board.port, self.fleet, "kitchen", application=application, settings=settings)
        return board
