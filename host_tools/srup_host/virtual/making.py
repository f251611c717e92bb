"""Making a virtual board: what a factory and `srup provision` do to a real one."""

import contextlib
import json
import re
import secrets
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from srup_host import combs, credentials, device_tree, files, membership
from srup_host.console import Failure
from srup_host.fleet import NAME, Fleet
from srup_host.virtual import interpreter

BOARD = "UNIX"
BLOCK = 4096
FLASH_SIZE = (848 + 64) * 1024  # what MicroPython leaves of a Pico W's 2 MB, and room for x64 code, which is larger
HEAP = "380K"  # holds what 190 KB do on a chip, where words are half as long; but for TLS, which is outside it here
_HEAPS = re.compile("[1-9][0-9]*[KkMm]?")  # as MicroPython takes them
_FLASH = ("flash.raw", "flash.img", "flash.counters")


def make(
    directory: Path,
    fleet: Fleet,
    name: str = "",
    *,
    flash_size: int = FLASH_SIZE,
    raw_slot: int = 0,
    heap: str = HEAP,
    application: Path | None = None,
    version: str = "1.0",
    clock: bool = True,
    settings: Mapping[str, object] | None = None,
    joins: bool = False,
) -> None:
    """Make a board in `directory`, with a key pair of its own, and enrol it in the fleet.

    raw_slot: bytes of each of two slots in raw flash, besides flash_size; 0: slots are folders.
    application: a bundle, or a folder that is made into one of this `version`; without one the board starts in recovery.
    clock: the board knows the time from the start. settings: in config.json besides the fleet's. Raises Failure; the fleet then does not
    have the board, and the directory nothing of it.
    """
    _check_free(directory)
    check(directory, fleet, name, heap=heap, application=application, joins=joins)
    with _new_directory(directory):
        make_flash(directory, flash_size, 2 * raw_slot)
        name = name or directory.resolve().name
        device = membership.enrol(
            fleet,
            membership.Newcomer(name, BOARD, interpreter.mpy(), *_install(directory, fleet)),
            lambda contents: _put_contents(directory, contents),
            application=application,
            version=version,
            settings=settings,
            joins=joins,
        )
        with membership.undone(fleet, device):
            if raw_slot:
                regions = json.dumps({"regions": [[0, raw_slot], [raw_slot, raw_slot]]})
                _put_contents(directory, {f"{device_tree.DATA}/slots.json": regions.encode()})
            describe(directory, device.uuid, heap, clock)


def check(
    directory: Path,
    fleet: Fleet,
    name: str = "",
    *,
    heap: str = HEAP,
    application: Path | None = None,
    joins: bool = False,
) -> None:
    """Of what `make` will be given, all that can be looked at before anything is made, or erased: the name of a board that is in
    `directory` is free. Raises Failure."""
    name = name or directory.resolve().name
    if not NAME.fullmatch(name):
        raise Failure(
            f"{name!r} is no device name", "1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit: give --name"
        )
    there = _identity(directory) if exists(directory) else ""
    if not joins and any(one.name == name and one.uuid != there for one in fleet.devices()):
        raise Failure(f"the fleet {fleet.name} has a device named {name}", "give this one another name: --name")
    if not _HEAPS.fullmatch(heap):
        raise Failure(f"{heap!r} is no size of a heap", "bytes, or with K or M after them, as in 380K")
    if application and not application.exists():
        raise Failure(f"there is no application {application}", "--app is a folder or a bundle")


def describe(directory: Path, identity: str, heap: str = HEAP, clock: bool = True) -> None:
    """board.json, the last file of a new board: what its hardware is like, and its UUID."""
    described = {"uuid": identity, "unique_id": secrets.token_hex(8), "heap": heap, "clock": clock}
    files.write_new(directory / "board.json", json.dumps(described, indent=1).encode() + b"\n")


def exists(directory: Path) -> bool:
    """True for a board that has been made to the end."""
    return (directory / "board.json").is_file()


def remove(directory: Path, fleet: Fleet) -> None:
    """The board goes, and what the fleet knows of it; a flash that is of no board, too."""
    if exists(directory):
        identity = _identity(directory)
        credentials.revoke(fleet, identity)
        (fleet.directory / "devices" / f"{identity}.json").unlink(missing_ok=True)
        (directory / "board.json").unlink()
    for name in _FLASH:
        (directory / name).unlink(missing_ok=True)


def _identity(directory: Path) -> str:
    """The UUID of the board there."""
    try:
        return str(uuid.UUID(json.loads(files.read(directory / "board.json"))["uuid"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"{directory}/board.json describes no board") from None


# The board


def _check_free(directory: Path) -> None:
    """A flash without a board may be somebody's only copy of one."""
    if exists(directory):
        raise Failure(f"there is a board in {directory} already", "--fresh erases it")
    for name in _FLASH:
        if (directory / name).exists():
            raise Failure(f"there is a {name} in {directory} already, of no board", "--fresh erases it")


@contextlib.contextmanager
def _new_directory(directory: Path) -> Iterator[None]:
    """A directory for a board that is made within; where that fails, nothing is left of what was. What is on its flash is for nobody
    else to read."""
    was_there = directory.exists()
    try:
        directory.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"can't make {directory}: {error.strerror}") from None
    try:
        yield
    except BaseException:
        for name in (*_FLASH, "board.json"):
            (directory / name).unlink(missing_ok=True)
        if not was_there:
            with contextlib.suppress(OSError):  # somebody has put something there meanwhile
                directory.rmdir()
        raise


def make_flash(directory: Path, size: int = FLASH_SIZE, raw: int = 0) -> None:
    """A blank chip of `size` bytes for a file system, and before that `raw` bytes for none. Its owner alone can read it: a board's
    keys will be in it."""
    blocks = (raw + size) // BLOCK
    if raw:
        files.replace(directory / "flash.raw", str(raw).encode(), 0o600)
    files.replace(directory / "flash.img", b"\xff" * (blocks * BLOCK), 0o600)
    files.replace(directory / "flash.counters", bytes(4 + 4 * blocks), 0o600)


def _install(directory: Path, fleet: Fleet) -> tuple[bytes, bytes]:
    """The device's files; the board then makes its key pairs. Returns the public keys, to verify and to seal with."""
    processor = interpreter.processor()
    contents = device_tree.device_files(processor=processor)
    if processor:
        contents |= combs.tables(device_tree.DATA, fleet.public_key("command"))
    printed = _put_contents(directory, contents, f"/{device_tree.DATA}", secrets.token_hex(64))
    public_key, sealing_key = map(bytes.fromhex, printed.split())
    return public_key, sealing_key


def _put_contents(directory: Path, contents: Mapping[str, bytes], *key: str) -> str:
    """The same as `put`, from path -> contents."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in contents.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return put(directory, folder, *key)


def put(directory: Path, folder: str, *key: str) -> str:
    """Copy a folder's files onto the board, and see board/put.py for `key`; what the board printed."""
    command = interpreter.board_command("put.py", ".", folder, *key, heap="2M")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"the board does not take its files: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout
