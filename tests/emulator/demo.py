"""`make demo BOARD=rp2040`: the story of srup_host.demo with an emulated Pico as the board.

Provisioned over USB with mpremote, on the network by PPP. Its power fails in the middle of a flash write while version 2.0 is
being downloaded; switched on again, it fetches what it has not got.
"""

import asyncio
import os
import random
from collections.abc import Mapping
from pathlib import Path

from srup_host import demo, profiles, provisioning
from srup_host.console import Failure, size
from srup_host.fleet import Fleet
from srup_host.virtual.lines import Listener
from tests.emulator.board import BoardError
from tests.emulator.node import Missing, is_installed, node
from tests.emulator.online import OnlineBoard

ROOT = Path(__file__).parents[2]
NAME = "SRUP_RP2040"
# With the agent frozen in. One without will do, too, as far as its heap goes; then the agent is copied into /lib.
FIRMWARE = Path(os.environ.get("SRUP_CHIP_FIRMWARE", ROOT / "build" / "chip" / f"{NAME}-FROZEN" / "firmware.bin"))
(NTP,) = profiles.NTP
CUT_AFTER = 48_000  # bytes down the board's line: of the handshake, and of two thirds of the bundle


class RP2040Bench:
    """An emulated Pico."""

    patience = 180.0
    # As much as there are thermometers to calibrate; random, as compressed it has to be as large.
    extras: Mapping[str, bytes] = {"calibration.bin": random.Random(2040).randbytes(56_000)}
    _board: OnlineBoard | None = None

    def check(self) -> None:
        if not FIRMWARE.is_file():
            raise Failure(f"there is no firmware at {FIRMWARE}", "make demo BOARD=rp2040 builds it")
        if not is_installed():
            raise Failure("the emulator is not installed", "python -m tests.emulator.node")
        try:
            node()
        except Missing as missing:
            raise Failure(str(missing)) from None

    def make(self, directory: Path, fleet: Fleet, application: Path) -> None:
        self._board = board = OnlineBoard(directory, FIRMWARE, {fleet.broker.host, fleet.https.host, NTP})
        demo.tell("board", f"{NAME}, switched on, serial port {board.start().port}")
        provisioning.provision(
            board.port,
            fleet,
            directory.name,
            application=application,
            progress=_tell_copied,
        )
        board.power_cut()

    def start(self, listener: Listener) -> None:
        self._listener = listener
        if self._board:
            self._board.start(listener)

    def power_cut(self) -> None:
        if self._board:
            self._board.power_cut()

    async def meddle(self) -> None:
        await asyncio.to_thread(self._tear)

    def _tear(self) -> None:
        board = self._board
        assert board
        try:
            board.tear(CUT_AFTER)
        except (BoardError, TimeoutError) as error:
            raise Failure(str(error).splitlines()[0]) from None
        demo.tell("power", f"cut in the middle of a flash write; {size(CUT_AFTER)} had come down the line")
        board.start(self._listener)
        demo.tell("power", "on again")


def _tell_copied(path: str, done: int, total: int) -> None:
    if done == total:
        demo.tell("usb", f"{size(total)} copied onto the board with mpremote")


if __name__ == "__main__":
    demo.main(RP2040Bench())
