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
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from srup_host.console import Failure

Progress = Callable[[str, int, int], None]  # path, bytes copied so far, bytes to copy in all

CHUNK = 1024  # bytes to a command: the board compiles each
PATIENCE = 60  # seconds without a word from the board

_MAKE_FOLDERS = """
import os
for path in {paths}:
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise
"""

_HASHES = """
import hashlib
def digest(path, piece=memoryview(bytearray(2048))):
    hash = hashlib.sha256()
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

    def put(self, contents: Mapping[str, bytes], progress: Progress = lambda path, done, total: None) -> None:
        """Copy files: path from the root, without the first slash -> contents. What the board has already is not sent again,
        and what is sent is read back and compared by SHA-256."""
        missing = self._differing(contents)
        self.run(_MAKE_FOLDERS.format(paths=_folders(missing)))
        done, total = 0, sum(map(len, missing.values()))
        for path, data in missing.items():
            with self._door():
                self._transport.fs_writefile(
                    path, data, CHUNK, lambda sent, _, path=path, before=done: progress(path, before + sent, total)
                )
            done += len(data)
        wrong = self._differing(missing)
        if wrong:
            raise Failure(
                f"{next(iter(wrong))} reads back differently on the board on {self.port}", "is its flash worn?"
            )

    def reset(self) -> None:
        """A hard reset: from here on it runs what is on it."""
        with self._door():
            self._transport.exec_raw_no_follow("import machine; machine.reset()")

    def _differing(self, contents: Mapping[str, bytes]) -> dict[str, bytes]:
        found = self.run(_HASHES.format(paths=list(contents))).split()
        pairs = zip(contents.items(), found, strict=True)
        return {path: data for (path, data), there in pairs if hashlib.sha256(data).hexdigest() != there}

    @contextlib.contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except (TransportError, OSError) as error:
            raise Failure(
                f"the board on {self.port}: {error}", "is it still plugged in, and its flash not full?"
            ) from None


@contextlib.contextmanager
def connected(port: str) -> Iterator[Connection]:
    """The board at this serial port, at its raw prompt after a soft reset, until the context ends."""
    with contextlib.ExitStack() as closing:
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it could not make sense of
                transport = SerialTransport(port)
                closing.callback(_close, transport)
                transport.enter_raw_repl()
        except (TransportError, OSError) as error:
            raise Failure(f"no MicroPython answers on {port}: {error}", "is another program using the port?") from None
        yield Connection(transport)


def _close(transport: SerialTransport) -> None:
    with contextlib.suppress(OSError):
        transport.close()


def deploy(port: str, contents: Mapping[str, bytes], progress: Progress = lambda path, done, total: None) -> None:
    """Copy files onto the board at this port (see `Connection.put`), and start it anew."""
    with connected(port) as board:
        board.put(contents, progress)
        board.reset()


def _folders(paths: Mapping[str, bytes]) -> list[str]:
    """All folders above these paths, outer ones first."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents if parent.name}
    return sorted(found)
