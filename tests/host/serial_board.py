"""MicroPython's unix port as a board at a serial port: a pseudo-terminal, its prompt (raw_repl.py), its flash in a folder.

    with SerialBoard(folder) as board:
        deploy.connected(board.port)

Fast, and for what a host does with a port. What a board does is tested on the emulated one, in tests/emulator.
"""

import contextlib
import os
import select
import subprocess
import threading
import tty
from pathlib import Path
from typing import Self

from srup_host.virtual import interpreter, making

SCRIPT = Path(__file__).with_name("raw_repl.py")
HARD, POWER_CUT, SOFT = 64, 65, 66
CHUNK = 1 << 14


class SerialBoard:
    """Off until `start` or `with`. directory: of its flash, blank if new. size: of the flash, in bytes."""

    def __init__(self, directory: Path, size: int = making.FLASH_SIZE, heap: str = making.HEAP):
        directory.mkdir(exist_ok=True)
        if not (directory / "flash.img").exists():
            making.make_flash(directory, size)
        self.directory = directory
        self.port = ""
        self.output = b""  # all that it has printed since it was switched on
        self.running = False
        self._heap = heap
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def start(self, cut: int = 0, torn: bool = False) -> Self:
        """Power on. cut, torn: the power fails at this flash operation, or in its middle; the port then is gone."""
        self.power_cut()
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.port, self.output, self.running = os.ttyname(slave), b"", True
        self._thread = threading.Thread(
            target=self._run, args=(slave, [str(cut), *(["torn"] if torn else [])]), daemon=True
        )
        self._thread.start()
        return self

    def power_cut(self) -> None:
        """Off; nothing if it is off."""
        self.running = False
        while self._thread and self._thread.is_alive():
            if self._process:
                self._process.kill()  # again, for a reset may just be making a new one
            self._thread.join(0.1)
        self._thread = None

    def operations(self) -> int:
        """Pages programmed and blocks erased in its life."""
        return int.from_bytes((self.directory / "flash.counters").read_bytes()[:4], "little")

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.power_cut()

    def _run(self, slave: int, power: list[str]) -> None:
        how = "hard"
        try:
            while self.running and how:
                code = self._one_start(how, power)
                how = {HARD: "hard", SOFT: "soft"}.get(code, "" if code == POWER_CUT else "hard")
        finally:
            self.running = False
            os.close(slave)
            os.close(self._master)  # whoever has the port open reads an error, as when a cable is pulled

    def _one_start(self, how: str, power: list[str]) -> int:
        command = [interpreter.find(), "-X", f"heapsize={self._heap}", str(SCRIPT), str(self.directory), how, *power]
        self._process = process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.defpath, "MICROPYPATH": str(interpreter.BOARD), "SRUP_UNIQUE_ID": "\x01\x02\x03\x04"},
            start_new_session=True,
        )
        assert process.stdin and process.stdout
        self._awake = False
        with process, process.stdin as keyboard, process.stdout as screen:
            while True:
                readable, _, _ = select.select([self._master, screen], [], [])
                if screen in readable:
                    data = os.read(screen.fileno(), CHUNK)
                    if not data:
                        return process.wait()
                    self.output += data
                    self._awake = True
                    os.write(self._master, data)
                if self._master in readable:
                    self._type(keyboard.fileno(), os.read(self._master, CHUNK))

    def _type(self, keyboard: int, data: bytes) -> None:
        if not self._awake:  # no firmware listens for Ctrl-C while it mounts its flash
            data = data.replace(b"\x03", b"")
        with contextlib.suppress(BrokenPipeError):  # what is typed while a board resets is lost
            os.write(keyboard, data)
