"""What makes a board a member of a fleet: settings, the server's keys, a certificate, perhaps a first application.

The board has made its key pair by then; the fleet learns the public key, and the board is given all else.
"""

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from srup import keys, tokens
from srup.errors import UpdateFailed
from srup.keys import Keys
from srup.slots import FileSlots
from srup.store import Store
from srup_boot import record, start
from srup_host import bundle, credentials, device_tree, files, sources
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
) -> Device:
    """Give the board what it needs, and enter it in the fleet. put: copies files onto the board (path from the root, without the first slash ->
    contents).

    application: a bundle, or a folder that is made into one of this `version`; without one the board starts in recovery.
    settings: in config.json besides the fleet's. Raises Failure; the fleet then does not have the board.
    """
    identity, provisioned = uuid.uuid4(), time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, device_tree.DATA)
        root.mkdir()
        trusted = _trust(root, fleet, newcomer.public_key, provisioned)
        if application:
            _first_application(root, trusted, newcomer, _bundle(application, fleet, version))
        given = _settings(fleet, identity, newcomer, provisioned) | dict(settings or {})
        (root / "config.json").write_text(json.dumps(given))
        (root / "ca0.der").write_bytes(fleet.ca_der())
        put(
            {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in sorted(root.rglob("*"))
                if path.is_file()
            }
        )
    return fleet.add_device(
        newcomer.name, newcomer.board, newcomer.public_key, identity, provisioned, newcomer.sealing_key
    )


def _settings(fleet: Fleet, identity: uuid.UUID, newcomer: Newcomer, provisioned: int) -> dict[str, object]:
    """config.json"""
    broker = {"host": fleet.broker.host, "port": fleet.broker.port, "tls": fleet.broker.tls}
    login = {"user": str(identity), "password": credentials.issue(fleet, str(identity))}
    return {
        "uuid": str(identity),
        "name": newcomer.name,
        "board": newcomer.board,
        "fleet": str(fleet.namespace),
        "broker": broker | login,
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


def _first_application(root: Path, trusted: Keys, newcomer: Newcomer, packed: bytes) -> None:
    """Into slot a by the device's own code, with all its checks; it is confirmed from the start."""
    fresh = record.Record()
    slots = FileSlots(str(root), start.Choice(record.NONE, False, fresh, "", record.NONE))
    Path(slots.incoming).write_bytes(packed)
    try:
        for _ in slots.stage(trusted, newcomer.board, newcomer.mpy):
            pass
    except UpdateFailed as error:
        raise Failure(f"a board would not take this application: {error.why}", code=1) from None
    manifest = slots.manifest(0)
    fresh.active, fresh.counter = 0, manifest["counter"] if manifest else 0
    fresh.save(str(root))
