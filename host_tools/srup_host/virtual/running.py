"""A virtual board's power switch and its console."""

import atexit
import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Self

from srup_host import files
from srup_host.console import Failure
from srup_host.virtual import interpreter
from srup_host.virtual.lines import Console, Listener

RESET = 64
POWER_CUT = 65
RESTART_PAUSE = 0.05  # seconds


class VirtualBoard(Console):
    """A board that `making.make` has made.

    Leaving a `with` block cuts its power, and so does the end of this program.
    """

    def __init__(self, directory: Path):
        super().__init__()
        self.directory = directory
        try:
            described = json.loads(files.read(directory / "board.json"))
            self.uuid: str = described["uuid"]
            self.heap: str = described["heap"]
            self._environment = {"SRUP_UNIQUE_ID": described["unique_id"]}
            self._environment |= {} if described["clock"] else {"SRUP_CLOCK_UNSET": "1"}
        except (ValueError, KeyError, TypeError):
            raise Failure(f"{directory}/board.json describes no board") from None
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._on = False  # is there power? `running` is true as long as it goes on, or will start again after a reset
        self.exit_code: int | None = None  # of the last process; negative: the signal that ended it

    # Power

    def start(self, listener: Listener | None = None, *, once: bool = False, cut: int = 0, torn: bool = False) -> Self:
        """Power on. It runs until `power_cut`, or until a real board would wait at its prompt; resets start it again.

        listener: called with each line of the console, in another thread. once: a reset ends it too.
        cut, torn: cut the power at this flash operation, counted as in `operations`, or in its middle.
        """
        if self.running:
            raise Failure(f"the board in {self.directory} is running")
        lock = self._lock()
        power = [str(cut), "torn"] if torn else [str(cut)]
        command = interpreter.board_command("run.py", ".", *power, heap=self.heap)
        self._on = self.running = True
        atexit.register(self.power_cut)
        self._thread = threading.Thread(target=self._run, args=(command, lock, listener, once), daemon=True)
        self._thread.start()
        return self

    def power_cut(self) -> None:
        """Off, in the middle of whatever it is doing. Nothing if it is off."""
        with self._changed:
            self._on = False
            if self._process:
                self._process.kill()
            if threading.current_thread() is not self._thread:  # where a listener pulls the plug
                self._changed.wait_for(lambda: not self.running)
        atexit.unregister(self.power_cut)

    stop = power_cut

    def wait_stopped(self, timeout: float | None = None) -> int | None:
        """Wait until it is off; the exit code of its last process. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self.running, timeout):
                raise TimeoutError(f"the board still runs after {timeout} s\n{self._tail()}")
            return self.exit_code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_cut()

    # The flash

    def operations(self) -> int:
        """Pages programmed and blocks erased in its life."""
        return self._counters()[0]

    def erases(self) -> list[int]:
        """Wear: how often each block was erased."""
        return self._counters()[1:]

    def _counters(self) -> list[int]:
        data = files.read(self.directory / "flash.counters")
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    # The thread that keeps it running

    def _lock(self) -> IO[bytes]:
        """Held by the board's process too: no two processes ever write to one flash, even if this one is killed."""
        lock = (self.directory / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Failure(f"the board in {self.directory} is running already") from None
        return lock

    def _run(self, command: list[str], lock: IO[bytes], listener: Listener | None, once: bool) -> None:
        try:
            self._go_on(command, lock, listener, once)
        finally:
            with self._changed:
                if self._process:  # a listener's fault has brought us here
                    self._process.kill()
                    self._process.wait()
                lock.close()
                self._on = self.running = False
                self._changed.notify_all()

    def _go_on(self, command: list[str], lock: IO[bytes], listener: Listener | None, once: bool) -> None:
        """Until the power is cut or it waits at its prompt."""
        cause = "power"
        while True:
            if self._spawn(command, lock.fileno(), cause):
                self._listen(listener)
            event = self._event()
            cause = "watchdog" if event == _RESETS[-signal.SIGALRM] else "reset"
            self._add(event, listener)
            if once or event not in _RESETS.values():
                return
            time.sleep(RESTART_PAUSE)

    def _spawn(self, command: list[str], lock: int, cause: str) -> bool:
        with self._changed:
            if not self._on:
                return False
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                env={"PATH": os.environ.get("PATH", os.defpath)} | self._environment | {"SRUP_RESET_CAUSE": cause},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=[lock],
                start_new_session=True,  # Ctrl-C is for us: we cut the power
            )
            return True

    def _listen(self, listener: Listener | None) -> None:
        """Take down the console until the process is gone."""
        process = self._process
        assert process and process.stdout
        with process.stdout:
            for line in process.stdout:
                self._add(line.rstrip("\r\n"), listener)
        self.exit_code = process.wait()
        with self._changed:
            self._process = None

    def _event(self) -> str:
        if not self._on or self.exit_code == POWER_CUT:
            return "--- power cut ---"
        return _RESETS.get(self.exit_code or 0, f"--- at the prompt (exit code {self.exit_code}) ---")


_RESETS = {RESET: "--- reset ---", -signal.SIGALRM: "--- reset by the watchdog ---"}
