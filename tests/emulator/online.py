"""An emulated Pico with a network, told line by line: what srup_host.virtual's board is for the unix port.

    with OnlineBoard(folder, firmware, names={"localhost"}) as board:
        board.start(print)
        board.wait_for("srup: connected")

The same folder is the same board, switched on again.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

from srup_host.virtual.lines import Console, Listener
from tests.emulator.board import Board
from tests.emulator.ppp import Link, in_thread

_PATIENCE = 120.0  # seconds
_POWER_CUT = "--- power cut ---"


class OnlineBoard(Console):
    """Off until `start`. directory: where its flash is. names: what it can look up; each is this machine, where the board
    reaches the ports that listen on loopback. clock: seconds since 1970, for who asks by NTP. network: as for ppp.Link.

    Leaving a `with` block cuts its power.
    """

    def __init__(
        self,
        directory: Path,
        firmware: str | os.PathLike[str],
        names: Collection[str],
        clock: Callable[[], float] = time.time,
        **network: Any,
    ):
        super().__init__()
        directory.mkdir(exist_ok=True)
        self.board = Board(firmware, directory / "flash", uart=directory / "uart", told=self._hear)
        self._network = {"names": names, "clock": clock} | network
        self._listener: Listener | None = None
        self._line = b""  # of the console, so far
        self._cables = contextlib.ExitStack()
        self.link: Link | None = None

    @property
    def port(self) -> str:
        """Its serial port."""
        return self.board.port

    def start(self, listener: Listener | None = None) -> Self:
        """Power on. Resets start it again. listener: called with each line of its console, in another thread."""
        self.power_cut()
        self._listener = listener
        self.board.start()
        self.running = True
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(self.board.uart))
        self.link = self._cables.enter_context(in_thread(line, **self._network))
        return self

    def power_cut(self) -> None:
        """Off, between two instructions. Nothing if it is off."""
        self.board.stop()
        self._cables.close()
        with self._changed:
            self._changed.wait_for(lambda: not self.running, _PATIENCE)

    def tear(self, received: int) -> None:
        """Let the power fail in the middle of a flash operation: of the first one after so many more bytes down its line.

        Raises TimeoutError where they do not come.
        """
        goal, until = self.link.traffic.bytes_out + received, time.monotonic() + _PATIENCE
        while self.link.traffic.bytes_out < goal:
            if time.monotonic() > until:
                raise TimeoutError(f"no {received} bytes for the board in {_PATIENCE:g} s\n{self._tail()}")
            time.sleep(0.01)
        self.board.cut_power_at(1, "torn")
        self.wait_for(_POWER_CUT, _PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_cut()

    def _hear(self, event: dict) -> None:
        if event["event"] == "console":
            *lines, self._line = (self._line + event["text"].encode("latin-1")).split(b"\n")
            for line in lines:
                self._add(line.decode("utf-8", "replace").rstrip("\r"), self._listener)
        elif event["event"] == "reset":
            self._add("--- reset ---", self._listener)
        elif event["event"] == "fault":
            self._add(f"--- fault: {event['why']} ---", self._listener)
        elif event["event"] == "ended":
            self._line = b""
            self._add(_POWER_CUT, self._listener)
            with self._changed:
                self.running = False
                self._changed.notify_all()
