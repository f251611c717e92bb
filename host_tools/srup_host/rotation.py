"""A key of the fleet gives way to another, in four steps that can be taken up again wherever they were left:

    1 add      every device trusts the new key beside the old one        DATA `keys`, signed by the authority
    2 switch   from here on the fleet signs with the new key             files in keys/, when all devices have answered
    3 remove   no device trusts the old key any more                     DATA `keys`, signed by the authority
    4 done     keys/rotation-<role>.json goes

Which step comes next is read off the fleet's directory, and who has obeyed off the ledger: nothing is kept twice. An authority key
that changes is removed by its successor, which a device so knows to work.

    keys/rotation-<role>.json       role, old, new (public keys, hex), began, switched (ms since 1970, or null)
    keys/<role>.next.pem            the new private key, where it was made here
    keys/retired/<role>-<id>.pem    the old one: what it has signed can still be verified, and it can be destroyed
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from srup import keys, trust
from srup.limits import PUBLIC_KEY
from srup_host import files, keyfiles, signing
from srup_host.console import Failure
from srup_host.everywhere import Data
from srup_host.fleet import ROLES, Device, Fleet
from srup_host.server import audit, database

_NUMBERS = {"command": keys.COMMAND, "release": keys.RELEASE, "authority": keys.AUTHORITY}


@dataclass(frozen=True)
class Rotation:
    role: str
    old: str
    new: str
    began: int
    switched: int | None = None

    @property
    def add(self) -> Data:
        return self._order(trust.ADD, self.new)

    @property
    def remove(self) -> Data:
        return self._order(trust.REMOVE, self.old)

    def _order(self, operation: int, key: str) -> Data:
        return Data("keys", bytes((operation, _NUMBERS[self.role])) + bytes.fromhex(key))

    def concerns(self, device: Device) -> bool:
        """Not one that was provisioned since the switch, with the new key alone."""
        return self.switched is None or device.provisioned <= self.switched


def check_role(role: str) -> str:
    if role not in ROLES:
        raise Failure(f"there is no role {role!r}", "command, release or authority")
    return role


def under_way(fleet: Fleet, role: str) -> Rotation | None:
    path = _path(fleet, role)
    if not path.exists():
        return None
    try:
        found = Rotation(**json.loads(files.read(path)))
        if {len(bytes.fromhex(key)) for key in (found.old, found.new)} != {PUBLIC_KEY} or found.role != role:
            raise ValueError
        return found
    except (ValueError, TypeError):
        raise Failure(f"{path} is damaged", "it says which keys are being changed; do not begin another") from None


def begin(fleet: Fleet, role: str, new: bytes) -> Rotation:
    """new: public key, 65 bytes. Raises Failure for a key that has a role here already."""
    taken = {fleet.public_key(other): other for other in ROLES}
    if new in taken:
        raise Failure(f"that is the fleet's {taken[new]} key already", "give a new one, or none to have it made")
    retired = fleet.directory / "keys" / "retired"
    if any(retired.glob(f"*-{keys.key_id(new).hex()}.pub.pem")):
        raise Failure("that key was retired", "a key that went does not come back: give a new one")
    for device in fleet.devices():
        if new in (device.key, bytes.fromhex(device.sealing_key)):
            raise Failure(f"that is a key of {device.name}", "one key has one role")
    begun = Rotation(role, fleet.public_key(role).hex(), new.hex(), time.time_ns() // 1_000_000)
    files.write_new(_path(fleet, role), json.dumps(asdict(begun), indent=1).encode() + b"\n")
    return begun


def make_key(fleet: Fleet, role: str) -> bytes:
    """A new private key in keys/<role>.next.pem, with a passphrase if the one that it replaces has one; its public key."""
    path = _next(fleet, role)
    if path.exists():  # from an attempt that came no further
        return signing.public_bytes(keyfiles.load_private(path))
    old = fleet.key_path(role)
    if not old.exists():
        raise Failure(
            f"the {role} key is not in {old}, so its successor is not made here",
            "make it where it is kept: srup keys new",
        )
    secret = None
    if b"ENCRYPTED" in files.read(old):
        secret = keyfiles.ask_passphrase(f"Passphrase of the new {role} key", twice=True, prefix="SRUP_NEW_")
    key = keyfiles.generate()
    files.write_new(path, keyfiles.private_pem(key, secret), 0o600)
    return signing.public_bytes(key)


def switch(fleet: Fleet, rotation: Rotation) -> Rotation:
    """Sign with the new key from now on. Each step may be done again: the file that says so is written last."""
    role, next_pem, current = rotation.role, _next(fleet, rotation.role), fleet.key_path(rotation.role)
    retired = fleet.directory / "keys" / "retired"
    retired.mkdir(mode=0o700, exist_ok=True)
    stem = retired / f"{role}-{keys.key_id(bytes.fromhex(rotation.old)).hex()}"
    if not stem.with_suffix(".pub.pem").exists():
        if next_pem.exists() and current.exists():
            files.replace(stem.with_suffix(".pem"), files.read(current), 0o600)
        public = fleet.directory / "keys" / f"{role}.pub.pem"
        files.replace(stem.with_suffix(".pub.pem"), files.read(public))
    if next_pem.exists():
        files.replace(current, files.read(next_pem), 0o600)
    pem = keyfiles.public_pem_of(bytes.fromhex(rotation.new))
    files.replace(fleet.directory / "keys" / f"{role}.pub.pem", pem)
    _log(fleet, rotation)
    done = replace(rotation, switched=time.time_ns() // 1_000_000)
    files.replace(_path(fleet, role), json.dumps(asdict(done), indent=1).encode() + b"\n")
    next_pem.unlink(missing_ok=True)
    return done


def _log(fleet: Fleet, rotation: Rotation) -> None:
    """The audit log names the new key, whether it ever signs a frame or not. Raises Unavailable."""
    engine = database.connect(database.url(fleet))
    try:
        with database.exclusive(engine) as session:
            audit.name_key(session, time.time_ns() // 1_000_000, rotation.role, bytes.fromhex(rotation.new))
    finally:
        engine.dispose()


def retired(fleet: Fleet, role: str) -> list[bytes]:
    """The public keys, 65 bytes each, that this role had before."""
    found = (fleet.directory / "keys" / "retired").glob(f"{check_role(role)}-*.pub.pem")
    return [keyfiles.load_public(str(path)) for path in sorted(found)]


def end(fleet: Fleet, role: str) -> None:
    _path(fleet, role).unlink(missing_ok=True)


def _path(fleet: Fleet, role: str) -> Path:
    return fleet.directory / "keys" / f"rotation-{check_role(role)}.json"


def _next(fleet: Fleet, role: str) -> Path:
    return fleet.directory / "keys" / f"{role}.next.pem"
