"""What makes a board a member of a fleet: settings, the server's keys, a certificate, perhaps a first application.

The board has made its key pair by then; the fleet learns the public key, and the board is given all else.
"""

import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from srup import keys, tokens, trust
from srup.errors import UpdateFailed
from srup.keys import Keys
from srup.slots import FileSlots
from srup.store import Store
from srup_boot import record, start
from srup_host import bundle, credentials, device_tree, files, policies, sources, words
from srup_host.console import Failure
from srup_host.fleet import Device, Fleet

_ROLES = {"command": keys.COMMAND, "release": keys.RELEASE, "authority": keys.AUTHORITY}


class Newcomer(NamedTuple):
    """A board with its software and its key pair. name: in the fleet; board: its firmware's name for it, as manifests have it; mpy: the
    version of .mpy that it runs; public_key, sealing_key: 65 bytes each."""

    name: str
    board: str
    mpy: str
    public_key: bytes
    sealing_key: bytes = b""


def enrol(
    fleet: Fleet,
    newcomer: Newcomer,
    put: Callable[[Mapping[str, bytes]], object],
    *,
    application: Path | None = None,
    version: str = "1.0",
    settings: Mapping[str, object] | None = None,
    joins: bool = False,
) -> Device:
    """Enter the board in the fleet, and give it what it needs. put: copies files onto the board (path from the root, without the
    first slash -> contents); the others: as for `belongings`. joins: it is not entered. Raises Failure; the fleet then does not
    have the board."""
    device = guest(newcomer) if joins else register(fleet, newcomer)
    with undone(fleet, device):
        given = {"application": application, "version": version, "settings": settings, "joins": joins}
        put(belongings(fleet, device, newcomer.mpy, **given))
    return device


@contextlib.contextmanager
def undone(fleet: Fleet, device: Device) -> Iterator[None]:
    """What a board is made of within: where that fails, or is interrupted, the fleet does not have the board."""
    try:
        yield
    except BaseException:
        credentials.revoke(fleet, device.uuid)
        fleet.forget_device(device)
        raise


def register(fleet: Fleet, newcomer: Newcomer) -> Device:
    """Enter the board in the fleet. Raises Failure."""
    return fleet.add_device(newcomer.name, newcomer.board, newcomer.public_key, sealing_key=newcomer.sealing_key)


def guest(newcomer: Newcomer) -> Device:
    """What is known of a board that asks to join: nobody but itself has it on record."""
    now = time.time_ns() // 1_000_000
    made = str(uuid.uuid4()), newcomer.name, newcomer.board, newcomer.public_key.hex(), now, newcomer.sealing_key.hex()
    return Device(*made)


def belongings(
    fleet: Fleet,
    device: Device,
    mpy: str,
    *,
    application: Path | None = None,
    version: str = "1.0",
    settings: Mapping[str, object] | None = None,
    joins: bool = False,
) -> dict[str, bytes]:
    """All files of a new member, config.json last: path from the root, without the first slash -> contents. mpy: as of Newcomer.

    application: a bundle, or a folder that is made into one of this `version`; without one the board starts in recovery.
    settings: in config.json besides the fleet's. joins: it asks to join, and shows six words. Raises Failure.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, device_tree.DATA)
        root.mkdir()
        trusted = _trust(root, fleet, device)
        if application:
            _first_application(root, trusted, device.board, mpy, _bundle(application, fleet, version))
        if joins:
            Store(f"{root}/state.log").put({keys.MEMBERSHIP: keys.JOINING})
            (root / "words.bin").write_bytes(words.for_device())
        return _collected(folder) | told(fleet, device, settings)


def trusted(fleet: Fleet, device: Device) -> dict[str, bytes]:
    """Of `belongings`, whom the board trusts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, device_tree.DATA)
        root.mkdir()
        _trust(root, fleet, device)
        return _collected(folder)


def _collected(folder: str) -> dict[str, bytes]:
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def told(
    fleet: Fleet, device: Device, settings: Mapping[str, object] | None = None, password: str = ""
) -> dict[str, bytes]:
    """Of `belongings`, what the fleet's settings say: the CA's certificate and config.json. password: for MQTT, a new one by default."""
    given = config(fleet, device, settings, password or credentials.issue(fleet, device.uuid))
    return {
        f"{device_tree.DATA}/ca0.der": fleet.ca_der(),
        f"{device_tree.DATA}/config.json": json.dumps(given).encode(),
    }


def config(fleet: Fleet, device: Device, settings: Mapping[str, object] | None, password: str) -> dict[str, Any]:
    """config.json"""
    broker = {"host": fleet.broker.host, "port": fleet.broker.port, "tls": fleet.broker.tls}
    given = {
        "uuid": device.uuid,
        "name": device.name,
        "board": device.board,
        "fleet": str(fleet.namespace),
        "broker": broker | {"user": device.uuid, "password": password},
        "https": {"host": fleet.https.host, "port": fleet.https.port},
        "allow": fleet.allow,
        "wifi": [],
        "provisioned": device.provisioned,
        "trial_s": fleet.trial_s,
        "poll_ms": fleet.poll_ms,
    }
    return given | policies.setting(fleet.policy, options={}) | dict(settings or {})


def _trust(root: Path, fleet: Fleet, device: Device) -> Keys:
    """state.log: the fleet's keys by role, good for tokens from now on."""
    store = Store(f"{root}/state.log")
    now = tokens.first_at(time.time_ns() // 1_000_000)
    for role, number in _ROLES.items():
        trust.install(store, number, fleet.public_key(role), now, [device.key, bytes.fromhex(device.sealing_key)])
    return Keys(store, f"{root}/device.key")


def _bundle(application: Path, fleet: Fleet, version: str) -> bytes:
    if application.is_file():
        return files.read(application)
    name = application.resolve().name
    counter = fleet.counter(name)
    contents = sources.compile_all(sources.collect(application).files)
    return bundle.pack(contents, fleet.private_key("release"), name=name, version=version, counter=counter)


def _first_application(root: Path, trusted: Keys, board: str, mpy: str, packed: bytes) -> None:
    """Into slot a by the device's own code, with all its checks; it is confirmed from the start."""
    fresh = record.Record()
    slots = FileSlots(str(root), start.Choice(record.NONE, False, False, "", record.NONE))
    Path(slots.incoming).write_bytes(packed)
    try:
        for _ in slots.stage(trusted, board, mpy):
            pass
    except UpdateFailed as error:
        raise Failure(f"a board would not take this application: {error.why}", code=1) from None
    manifest = slots.manifest(0)
    fresh.active, fresh.counter = 0, manifest["counter"] if manifest else 0
    fresh.save(str(root))
