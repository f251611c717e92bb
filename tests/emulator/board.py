"""An emulated Pico as an object: for tests, and for programs that want a board of their own.

    with Board("firmware.bin", "pico.flash") as board:
        print(board.mpremote("exec", "print(1 + 1)"))

The flash file outlives the board: another Board on it is the same Pico, switched on again.
"""

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from tests.emulator.node import FOLDER, node

PATIENCE = 60.0  # seconds for the emulator to answer; it computes slower than it is asked


class Counters(NamedTuple):
    """Since power-on: the processor's cycles (125 million a second), flash operations, resets."""

    cycles: int
    flash_operations: int
    resets: int


class BoardError(Exception):
    """The emulator has ended, or says no; the message is its own."""


class Board:
    """One Pico, off until `start()` or `with`.

    firmware: .bin or .elf; flash: the file that keeps its contents, made if need be; uart: path of a Unix socket for
    UART0; seed: which board it is (unique id, randomness); fast: sleep takes no time (not with a network);
    cut: (n, kind), the power fails at the n-th flash operation, "before", "torn" or "after" it; told: called with every
    event (README.md), in a thread of its own.
    """

    def __init__(
        self,
        firmware: str | os.PathLike[str],
        flash: str | os.PathLike[str],
        *,
        uart: str | os.PathLike[str] | None = None,
        seed: int = 1,
        fast: bool = False,
        cut: tuple[int, str] | None = None,
        told: Callable[[dict], None] = lambda event: None,
    ) -> None:
        self.flash = Path(flash)
        self.uart = Path(uart) if uart else None
        self._console = self.flash.with_name(self.flash.name + ".console")
        self._arguments = [str(firmware), "--flash", str(flash), "--pty", "--control", f"--seed={seed}"]
        self._arguments += ["--console", str(self._console)]
        self._arguments += ["--uart-socket", str(uart)] if uart else []
        self._arguments += ["--fast"] if fast else []
        self._arguments += [f"--cut={cut[0]}:{cut[1]}"] if cut else []
        self._told = told
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Switch the power on, off and on if it is on; returns when there is a serial port. Raises BoardError."""
        self.stop()
        self._console.write_bytes(b"")
        self._events: queue.Queue[dict] = queue.Queue()
        self._process = subprocess.Popen(
            [node(), FOLDER / "run.mjs", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHON": sys.executable},
            start_new_session=True,  # Ctrl-C is for us: we cut the power
        )
        threading.Thread(target=self._listen, args=(self._process, self._events), daemon=True).start()
        self.port = self.wait_for("serial")["path"]
        return self

    def stop(self) -> None:
        """Switch the power off between two instructions; no harm if it is off."""
        if self._process:
            with contextlib.suppress(OSError):  # it has ended by itself: a power cut, a fault
                self._process.stdin.close()
            self._end()

    def power_cut(self) -> None:
        """Switch the power off now, whatever the board is doing."""
        self._process.kill()
        self._end()

    def cut_power_at(self, operation: int, kind: str = "torn") -> None:
        """Let the power fail at that flash operation, counted from now; then `wait_for("power cut")`."""
        self._command(f"cut {operation} {kind}")

    def reset(self) -> None:
        """Press the reset button."""
        self._command("reset")
        self.wait_for("reset")

    @property
    def cycles(self) -> int:
        """The processor's cycles since it was switched on."""
        return self.counters().cycles

    def counters(self) -> Counters:
        self._command("counters")
        event = self.wait_for("counters")
        return Counters(event["cycles"], event["flash_operations"], event["resets"])

    @property
    def output(self) -> str:
        """All that the board has printed since it was switched on."""
        return self._console.read_bytes().decode("utf-8", "replace")

    def mpremote(self, *arguments: str, timeout: float = PATIENCE) -> str:
        """Run mpremote on this board's port; its output. Raises CalledProcessError, TimeoutExpired."""
        command = [sys.executable, "-m", "mpremote", "connect", self.port, *arguments]
        result = subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=timeout
        )
        return result.stdout

    def wait_for(self, name: str, timeout: float = PATIENCE) -> dict:
        """The next event of that name: serial, uart, reset, counters, power cut. Others before it are dropped.

        Raises BoardError if the emulator ends first, or nothing comes in time.
        """
        while True:
            try:
                event = self._events.get(timeout=timeout)
            except queue.Empty:
                raise BoardError(f"no {name} after {timeout:g} s") from None
            if event["event"] == name:
                return event
            if event["event"] in ("error", "fault", "power cut", "stopped", "ended"):
                raise BoardError(" ".join(str(value) for value in event.values()))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self, line: str) -> None:
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise BoardError("the board is off") from None

    def _listen(self, process: subprocess.Popen[str], events: queue.Queue[dict]) -> None:
        for line in process.stdout:
            event = json.loads(line)
            self._told(event)
            if event["event"] != "console":
                events.put(event)
        self._told(ended := {"event": "ended", "status": process.wait()})
        events.put(ended)

    def _end(self) -> None:
        self._process.wait()
        self._process = None


def run_script(
    firmware: str | os.PathLike[str],
    script: str | os.PathLike[str],
    *,
    flash: str | os.PathLike[str] | None = None,
    options: tuple[str, ...] = ("--fast",),
    timeout: float = 600.0,
) -> tuple[str, Counters]:
    """Run a script on a board of its own, from power-on to its end; what it printed, and the counters at the end.

    The same inputs (flash included, which the script may change) give the same output and the same counters, to the
    cycle. Raises BoardError with the board's traceback if the script fails, TimeoutExpired (seconds of this machine).
    """
    command = [node(), FOLDER / "run.mjs", firmware, "--exec", script, *options]
    command += ["--flash", flash] if flash else []
    result = subprocess.run(command, check=False, capture_output=True, timeout=timeout)
    said = result.stderr.decode("utf-8", "replace")
    stopped = re.search(r"\[stopped (\d+) (\d+) (\d+)\]", said)
    if result.returncode or not stopped:
        raise BoardError(said)
    return result.stdout.decode("utf-8", "replace"), Counters(*map(int, stopped.groups()))
