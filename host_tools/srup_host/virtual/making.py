"""Making a virtual board: what a factory and `srup provision` do to a real one."""

import json
import secrets
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from srup import keys, tokens
from srup.errors import UpdateFailed
from srup.keys import Keys
from srup.slots import FileSlots
from srup.store import Store
from srup_boot import record, start
from srup_host import bundle, credentials, device_tree, files, sources
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.virtual import interpreter

BOARD = "UNIX"
BLOCK = 4096
FLASH_SIZE = 848 * 1024  # what MicroPython leaves of a Pico W's 2 MB
HEAP = "380K"  # holds what 190 KB do on a chip, where words are half as long; but for TLS, which is outside it here

_ROLES = {"command": keys.COMMAND, "release": keys.RELEASE, "authority": keys.AUTHORITY}


def make(
    directory: Path,
    fleet: Fleet,
    name: str = "",
    *,
    flash_size: int = FLASH_SIZE,
    heap: str = HEAP,
    application: Path | None = None,
    version: str = "1.0",
    clock: bool = True,
    settings: Mapping[str, object] | None = None,
) -> None:
    """Make a board in `directory`, with a key pair of its own, and enrol it in the fleet.

    application: a bundle, or a folder that is made into one of this `version`; without one the board starts in recovery.
    clock: the board knows the time from the start. settings: in config.json besides the fleet's. Raises Failure; the fleet then does not have the board.
    """
    _make_directory(directory)
    make_flash(directory, flash_size)
    public_key = _install(directory)
    identity, provisioned = uuid.uuid4(), time.time_ns() // 1_000_000
    name = name or directory.resolve().name
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, device_tree.DATA)
        root.mkdir()
        trusted = _trust(root, fleet, public_key, provisioned)
        if application:
            _first_application(root, trusted, _bundle(application, fleet, version))
        password = credentials.issue(fleet, str(identity))
        given = _settings(fleet, identity, name, provisioned, password) | dict(settings or {})
        (root / "config.json").write_text(json.dumps(given))
        (root / "ca0.der").write_bytes(fleet.ca_der())
        put(directory, folder)
    fleet.add_device(name, BOARD, public_key, identity, provisioned)
    describe(directory, str(identity), heap, clock)


def describe(directory: Path, identity: str, heap: str = HEAP, clock: bool = True) -> None:
    """board.json, the last file of a new board: what its hardware is like, and its UUID."""
    described = {"uuid": identity, "unique_id": secrets.token_hex(8), "heap": heap, "clock": clock}
    files.write_new(directory / "board.json", json.dumps(described, indent=1).encode() + b"\n")


def exists(directory: Path) -> bool:
    """True for a board that has been made to the end."""
    return (directory / "board.json").is_file()


def remove(directory: Path, fleet: Fleet) -> None:
    """The board goes, and what the fleet knows of it."""
    try:
        identity = str(uuid.UUID(json.loads(files.read(directory / "board.json"))["uuid"]))
    except (ValueError, KeyError):
        raise Failure(f"{directory}/board.json describes no board") from None
    credentials.revoke(fleet, identity)
    (fleet.directory / "devices" / f"{identity}.json").unlink(missing_ok=True)
    (directory / "board.json").unlink()


# The board


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"can't make {directory}: {error.strerror}") from None
    if exists(directory):
        raise Failure(f"there is a board in {directory} already", "--fresh erases it")


def make_flash(directory: Path, size: int = FLASH_SIZE) -> None:
    """A blank chip of `size` bytes."""
    blocks = size // BLOCK
    files.replace(directory / "flash.img", b"\xff" * (blocks * BLOCK))
    files.replace(directory / "flash.counters", bytes(4 + 4 * blocks))


def _install(directory: Path) -> bytes:
    """The device's files; the board then makes its key pair. Returns the public key."""
    with tempfile.TemporaryDirectory() as folder:
        _write_all(Path(folder), device_tree.device_files())
        printed = put(directory, folder, f"/{device_tree.DATA}", secrets.token_hex(32))
    return bytes.fromhex(printed)


def _write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def put(directory: Path, folder: str, *key: str) -> str:
    """Copy a folder's files onto the board, and see board/put.py for `key`; what the board printed."""
    command = interpreter.board_command("put.py", ".", folder, *key, heap="2M")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"the board does not take its files: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout


# What makes it a member of the fleet


def _settings(fleet: Fleet, identity: uuid.UUID, name: str, provisioned: int, password: str) -> dict[str, object]:
    """config.json"""
    broker = {"host": fleet.broker.host, "port": fleet.broker.port, "tls": fleet.broker.tls}
    return {
        "uuid": str(identity),
        "name": name,
        "board": BOARD,
        "fleet": str(fleet.namespace),
        "broker": broker | {"user": str(identity), "password": password},
        "allow": fleet.allow,
        "wifi": [],
        "provisioned": provisioned,
        "trial_s": fleet.trial_s,
        "poll_ms": fleet.poll_ms,
    }


def _trust(root: Path, fleet: Fleet, public_key: bytes, provisioned: int) -> Keys:
    """state.log: the fleet's keys by role, good for tokens from now on."""
    store = Store(f"{root}/state.log")
    for role, number in _ROLES.items():
        keys.install(store, number, fleet.public_key(role), tokens.first_at(provisioned), public_key)
    return Keys(store, f"{root}/device.key")


def _bundle(application: Path, fleet: Fleet, version: str) -> bytes:
    if application.is_file():
        return files.read(application)
    name = application.resolve().name
    counter = fleet.counter(name)
    contents = sources.compile_all(sources.collect(application).files)
    return bundle.pack(contents, fleet.private_key("release"), name=name, version=version, counter=counter)


def _first_application(root: Path, trusted: Keys, packed: bytes) -> None:
    """Into slot a by the device's own code, with all its checks; it is confirmed from the start."""
    fresh = record.Record()
    slots = FileSlots(str(root), start.Choice(record.NONE, False, fresh, ""))
    Path(slots.incoming).write_bytes(packed)
    try:
        for _ in slots.stage(trusted, BOARD, interpreter.mpy()):
            pass
    except UpdateFailed as error:
        raise Failure(f"a board would not take this application: {error.why}", code=1) from None
    manifest = slots.manifest(0)
    fresh.active, fresh.counter = 0, manifest["counter"] if manifest else 0
    fresh.save(str(root))
