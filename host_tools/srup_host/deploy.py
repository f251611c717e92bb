"""A board at a serial port, by way of mpremote: files copied onto it and checked there, scripts run on it.

    with deploy.connected("/dev/ttyACM0") as board:
        board.put(device_tree.device_files())
        print(board.run("import os; print(os.listdir())"))
        board.reset()

Whatever the board was running is interrupted, and runs again after `reset` only. What goes wrong raises Failure.
"""

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from srup_host import ports
from srup_host.console import Failure

Progress = Callable[[str, int, int], None]  # path, bytes copied so far, bytes to copy in all

CHUNK = 1024  # bytes to a command: the board compiles each
PATIENCE = 60  # seconds without a word from the board
PART = "~"  # a file is copied under its name and this, and renamed when it is there and right
_SILENCE = 5.0  # seconds for a byte: at a pseudo-terminal mpremote would wait for ever
_ATTEMPTS = 4  # to open a port
_QUIET = 1.0  # seconds
_AT_ONCE = 40  # paths to a script: the board compiles it

_MAKE_FOLDERS = """
import os
for path in {paths}:
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise
"""

# uhashlib: the firmware's own, even where a package in /lib hides it.
_HASHES = """
try:
    from uhashlib import sha256
except ImportError:
    from hashlib import sha256
def digest(path, piece=memoryview(bytearray(2048))):
    hash = sha256()
    try:
        with open(path, "rb") as file:
            while count := file.readinto(piece):
                hash.update(piece[:count])
    except OSError:
        return "missing"
    return hash.digest().hex()
for path in {paths}:
    print(digest(path))
"""

_RENAME = """
import os
try:
    os.rename({path!r} + "~", {path!r})
except OSError:  # a FAT file system puts nothing over another file
    os.remove({path!r})
    os.rename({path!r} + "~", {path!r})
"""

# Where the agent was running, its modules go, and with them the heap that they hold; but for its port, which holds on to the
# network. A soft reset would lose that from under lwIP (MicroPython 1.25 faults a few seconds later), and count as a crash.
_LEAVE_AGENT = """
import gc, sys
if "srup.agent" in sys.modules:
    from srup_boot import hw
    hw.arm(0)
    import srup
    keep = "__main__", "srup", "srup.errors"
    for name in list(sys.modules):
        ours = name in keep or name.startswith("srup.port") or name.startswith("srup_boot")
        if not ours and hasattr(sys.modules[name], "__file__"):
            del sys.modules[name]
            if name.startswith("srup.") and hasattr(srup, name[5:]):
                delattr(srup, name[5:])
    for name in list(globals()):
        if not name.startswith("__") and name not in ("gc", "name"):
            del globals()[name]
    gc.collect()
    print("agent")
"""
_DISARM = """
import sys
if "srup_boot.hw" in sys.modules:
    sys.modules["srup_boot.hw"].arm(0)
"""


class Connection:
    """A board at its raw prompt, over an mpremote transport."""

    def __init__(self, transport: SerialTransport):
        self._transport = transport
        self.port: str = transport.device_name

    def run(self, script: str, timeout: int = PATIENCE) -> str:
        """What the script prints. timeout: seconds that it may be silent."""
        with self._door():
            printed, traceback = self._transport.exec_raw(script, timeout=timeout)
        if traceback:
            raise Failure(f"the board on {self.port} says: {traceback.decode().strip().splitlines()[-1]}")
        return printed.decode()

    def ask(self, script: str) -> Any:
        """The JSON that the script prints, in its last line."""
        said = self.run(script).strip().rpartition("\n")[2]
        try:
            return json.loads(said)
        except ValueError:
            raise Failure(f"the board on {self.port} says {said[:80]!r}, which is no answer") from None

    def differing(self, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Of these files, path -> contents, those that are not so on the board: path -> "missing" or "differs"."""
        found = self.digests(contents)
        wanted = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
        different = {path: digest for path, digest in found.items() if digest != wanted[path]}
        return {path: digest if digest == "missing" else "differs" for path, digest in different.items()}

    def digests(self, paths: Iterable[str]) -> dict[str, str]:
        """Path -> SHA-256 in hex, or "missing"."""
        wanted, found = list(paths), []
        for at in range(0, len(wanted), _AT_ONCE):
            found += self.run(_HASHES.format(paths=wanted[at : at + _AT_ONCE])).split()
        return dict(zip(wanted, found, strict=True))

    def put(self, contents: Mapping[str, bytes], progress: Progress = lambda path, done, total: None) -> list[str]:
        """Copy files, in this order: path from the root, without the first slash -> contents. What the board has already is not
        sent again, and what is sent is read back and compared by SHA-256 before it gets its name: broken off, and begun again,
        this goes on where it was. Returns the paths that were copied."""
        different = self.differing(contents)
        missing = {path: data for path, data in contents.items() if path in different}
        self._make_folders(missing)
        done, total = 0, sum(map(len, missing.values()))
        for path, data in missing.items():
            with self._door():
                self._transport.fs_writefile(
                    path + PART,
                    data,
                    CHUNK,
                    lambda sent, _, path=path, before=done: progress(path, before + sent, total),
                )
            if self.differing({path + PART: data}):
                raise Failure(f"{path} reads back differently on the board on {self.port}", "is its flash worn?")
            self.run(_RENAME.format(path=path))
            done += len(data)
        return list(missing)

    def reset(self) -> None:
        """A hard reset: from here on it runs what is on it."""
        with self._door():
            self._transport.exec_raw_no_follow("import machine; machine.reset()")

    def _make_folders(self, contents: Mapping[str, bytes]) -> None:
        if folders := _folders(contents):
            self.run(_MAKE_FOLDERS.format(paths=folders))

    @contextlib.contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except (TransportError, OSError) as error:
            why = str(error) or "no answer"
            raise Failure(
                f"the board on {self.port}: {why}", "is it still plugged in, and its flash not full?"
            ) from None
        except (TypeError, ValueError) as error:  # what mpremote makes of half an answer: the cable was pulled
            raise Failure(f"the board on {self.port} answers no more: {error}", "is it still plugged in?") from None


@contextlib.contextmanager
def connected(port: str) -> Iterator[Connection]:
    """The board at this serial port, at its raw prompt, until the context ends; what it was running has gone."""
    with contextlib.ExitStack() as closing:
        with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it could not make sense of
            transport = _opened(port)
            closing.callback(_close, transport)
            board = _at_the_prompt(transport)
        yield board


def _opened(port: str) -> SerialTransport:
    """A port in use is tried again: Linux's ModemManager looks at what has just been plugged in."""
    attempts = 0
    while True:
        try:
            return SerialTransport(port, timeout=_SILENCE)
        except (TransportError, OSError):
            why = ports.not_opened(port)
            attempts += 1
            if not isinstance(why, ports.InUse) or attempts == _ATTEMPTS:
                raise why from None
            time.sleep(_QUIET)


def _at_the_prompt(transport: SerialTransport) -> Connection:
    """Interrupt what runs, and clear the heap of it: by a soft reset, but where the agent runs."""
    board = Connection(transport)
    try:
        _enter(transport)
        if "agent" not in board.run(_LEAVE_AGENT):
            transport.enter_raw_repl()
            board.run(_DISARM)
    except (TransportError, OSError):
        raise Failure(
            f"something is on {board.port}, but it does not answer as MicroPython",
            "is its firmware MicroPython? An ESP32: srup flash; a Pico: hold BOOTSEL, plug it in, copy the .uf2 onto it",
        ) from None
    return board


def _enter(transport: SerialTransport) -> None:
    try:
        transport.enter_raw_repl(soft_reset=False)
    except TransportError:  # it was starting, and has not heard our Ctrl-C
        time.sleep(_QUIET)
        transport.enter_raw_repl(soft_reset=False)
        time.sleep(_QUIET)  # it answers all that we have said by now, and what comes twice is thrown away
        transport.enter_raw_repl(soft_reset=False)


def _close(transport: SerialTransport) -> None:
    with contextlib.suppress(OSError):  # of the control lines of a port that is gone
        transport.close()
    transport.serial.close()


def deploy(port: str, contents: Mapping[str, bytes], progress: Progress = lambda path, done, total: None) -> None:
    """Copy files onto the board at this port (see `Connection.put`), and start it anew."""
    with connected(port) as board:
        board.put(contents, progress)
        board.reset()


def _folders(paths: Mapping[str, bytes]) -> list[str]:
    """All folders above these paths, outer ones first."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents if parent.name}
    return sorted(found)
