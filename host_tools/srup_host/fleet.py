"""A fleet's directory: its settings, its keys, its certificates and its devices.

    srup.toml        settings, made by `srup init` and edited by hand
    keys/            command, release and authority: <role>.pem (private, 0600) and <role>.pub.pem
    tls/             ca.pem, ca.key, server.pem, server.key
    devices/         <uuid>.json: uuid, name, board, public_key (65 bytes, hex), provisioned (ms since 1970)
    releases.json    name of an application: security counter of its latest bundle

What is wrong in these files raises Failure, which names the file.
"""

import json
import os
import re
import ssl
import time
import tomllib
import uuid
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import typer

from srup import p256
from srup.errors import InvalidKey
from srup_host import files, keyfiles, policies
from srup_host.console import Failure
from srup_host.signing import PrivateKey

ROLES = ("command", "release", "authority")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

FleetOption = Annotated[
    Path | None,
    typer.Option(
        "--fleet",
        metavar="DIR",
        envvar="SRUP_FLEET",
        help="Directory of the fleet.",
        show_default="the current directory",
    ),
]


@dataclass(frozen=True)
class Device:
    """What the fleet knows of a device. public_key: 65 bytes in hex. provisioned: ms since 1970. sealing_key: its public ECDH
    key, 65 bytes in hex, for bundles that it alone can read; empty where it has made none."""

    uuid: str
    name: str
    board: str
    public_key: str
    provisioned: int
    sealing_key: str = ""

    @property
    def target(self) -> bytes:
        """The UUID as a frame has it."""
        return uuid.UUID(self.uuid).bytes

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.public_key)


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    tls: bool = True


class Fleet:
    """A fleet that `srup init` has made; see `Fleet.open`."""

    def __init__(self, directory: Path, settings: Mapping[str, Mapping[str, Any]]):
        self.directory = directory
        self.name: str = settings["fleet"]["name"]
        self.namespace = uuid.UUID(settings["fleet"]["namespace"])
        self.broker = Address(**settings["broker"])
        self.https = Address(**settings["https"])
        self.allow: list[str] = settings["devices"]["allow"]
        self.board: str = settings["devices"]["board"]
        self.trial_s: int = settings["devices"]["trial_s"]
        self.poll_ms: int = settings["devices"]["poll_ms"]
        self.policy = policies.checked(settings.get("policy", {}))
        self._keys = {role: directory / settings["keys"][role] for role in ROLES}
        tls = settings["tls"]
        self.ca, self.ca_key = directory / tls["ca"], directory / tls["ca_key"]
        self.server, self.server_key = directory / tls["server"], directory / tls["server_key"]

    @classmethod
    def open(cls, directory: Path | None = None) -> Self:
        """The fleet in `directory`; without one, the current directory's."""
        directory = (directory or Path()).resolve()
        path = directory / "srup.toml"
        if not path.is_file():
            raise Failure(f"no fleet in {directory}", "name one with --fleet, or make one: srup init DIR")
        try:
            settings = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Failure(f"{path}: {error}") from None
        return cls(directory, _checked(path, settings))

    # Keys and certificates

    def private_key(self, role: str) -> PrivateKey:
        """The private key of `command`, `release` or `authority`; asks for its passphrase where it has one."""
        return keyfiles.load_private(self._keys[role])

    def key_path(self, role: str) -> Path:
        """Where its private key is, or would be."""
        return self._keys[role]

    def public_key(self, role: str) -> bytes:
        """The public key (65 bytes). It is there also where the private one is kept elsewhere."""
        return keyfiles.load_public(str(self.directory / "keys" / f"{role}.pub.pem"))

    def ca_der(self) -> bytes:
        """The CA's certificate as boards take it."""
        try:
            return ssl.PEM_cert_to_DER_cert(files.read(self.ca).decode())
        except ValueError:
            raise Failure(f"{self.ca} holds no certificate in PEM form") from None

    # Devices and groups

    def devices(self) -> list[Device]:
        """All devices, by name."""
        found = []
        for path in self._devices.glob("*.json"):
            try:
                found.append(_read_device(path))
            except Failure:
                if path.exists():  # else it has left just now
                    raise
        return sorted(found, key=lambda device: device.name)

    def device_uuids(self) -> list[str]:
        """The UUIDs of all devices, without a look at what is known of them."""
        return sorted(path.stem for path in self._devices.glob("*.json"))

    def device(self, name_or_uuid: str) -> Device:
        """Of a UUID one file is looked at, of what can be no name none: only for a name all are."""
        wanted = name_or_uuid.lower()
        if is_uuid(wanted):
            if self.has(wanted):
                return _read_device(self._devices / f"{wanted}.json")
        elif NAME.fullmatch(name_or_uuid):
            for device in self.devices():
                if device.name == name_or_uuid:
                    return device
        raise Failure(f"no device {name_or_uuid!r} in the fleet {self.name}", f"they are in {self._devices}")

    def add_device(
        self,
        name: str,
        board: str,
        public_key: bytes,
        identity: uuid.UUID | None = None,
        provisioned: int | None = None,
        sealing_key: bytes = b"",
        names: AbstractSet[str] | None = None,
    ) -> Device:
        """Enrol a device; its key is never replaced later. identity: its UUID (version 4), a new one by default.

        names: of all devices, where whoever enrols many has them at hand.
        """
        if not NAME.fullmatch(name):
            raise Failure(
                f"{name!r} is no device name", "1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
            )
        identity = identity or uuid.uuid4()
        at = time.time_ns() // 1_000_000 if provisioned is None else provisioned
        device = Device(str(identity), name, board, public_key.hex(), at, sealing_key.hex())
        try:
            p256.check_public_key(public_key)
        except InvalidKey as error:
            raise Failure(f"the device {name} has no good public key: {error}") from None
        if name in ({other.name for other in self.devices()} if names is None else names):
            raise Failure(f"the fleet {self.name} has a device named {name}", "give this one another name")
        self._devices.mkdir(exist_ok=True)
        files.write_new(self._devices / f"{identity}.json", json.dumps(asdict(device), indent=1).encode() + b"\n")
        return device

    def replace_device(self, old: Device, new: Device) -> None:
        """`new` takes the name of `old`, whose description moves to replaced/. Raises Failure where they are the same."""
        if old.uuid == new.uuid:
            raise Failure(f"{old.name} can't take its own place", "name the device that is gone, and the new one")
        gone = self.directory / "replaced"
        gone.mkdir(exist_ok=True)
        renamed = json.dumps(asdict(new) | {"name": old.name}, indent=1).encode() + b"\n"
        (self._devices / f"{old.uuid}.json").rename(gone / f"{old.uuid}.json")
        files.replace(self._devices / f"{new.uuid}.json", renamed)

    def learn_sealing_key(self, device: Device, key: bytes) -> None:
        """Of one that asked to join, and so has told its other key alone."""
        told = json.dumps(asdict(device) | {"sealing_key": key.hex()}, indent=1).encode() + b"\n"
        files.replace(self._devices / f"{device.uuid}.json", told)

    def has(self, device: str) -> bool:
        """Is the device of this UUID in the fleet? Costs a look at one file, however large the fleet is."""
        return is_uuid(device) and (self._devices / f"{device}.json").is_file()

    def known_key(self, device: str) -> bytes | None:
        """The public key of a device that is in the fleet, or was."""
        for folder in (self._devices, self.directory / "left", self.directory / "replaced"):
            if (folder / f"{device}.json").is_file():
                return _read_device(folder / f"{device}.json").key
        return None

    def retire(self, device: str) -> None:
        """It has left: its file goes to left/, with the key that it must have if it is to come back."""
        if self.has(device):
            (self.directory / "left").mkdir(mode=0o700, exist_ok=True)
            (self._devices / f"{device}.json").replace(self.directory / "left" / f"{device}.json")

    def take_in(self, device: str, name: str, board: str, public_key: bytes) -> Device:
        """A device that has asked to join; one that was here before has the key that it had."""
        before = self.directory / "left" / f"{device}.json"
        sealing = _read_device(before).sealing_key if before.is_file() else ""
        made = self.add_device(name, board, public_key, uuid.UUID(device), sealing_key=bytes.fromhex(sealing))
        before.unlink(missing_ok=True)
        return made

    def device_of_key(self, public_key: bytes) -> Device | None:
        """The device whose public key (65 bytes) this is."""
        return next((device for device in self.devices() if device.key == public_key), None)

    def forget_device(self, device: Device) -> None:
        """It is none of the fleet's any more; nothing if it was not."""
        (self._devices / f"{device.uuid}.json").unlink(missing_ok=True)

    def group(self, name: str) -> uuid.UUID:
        """The UUID of a group: name-based, in the fleet's namespace."""
        return uuid.uuid5(self.namespace, name)

    # Releases

    def counter(self, application: str) -> int:
        """Security counter of the latest bundle of an application, 0 before the first."""
        return int(self._releases().get(application, 0))

    def record_counter(self, application: str, counter: int) -> None:
        if counter > self.counter(application):
            changed = json.dumps(self._releases() | {application: counter}, indent=1, sort_keys=True)
            files.replace(self.directory / "releases.json", changed.encode() + b"\n")

    def _releases(self) -> dict[str, int]:
        path = self.directory / "releases.json"
        try:
            releases = json.loads(files.read(path)) if path.exists() else {}
        except ValueError:
            releases = None
        if not isinstance(releases, dict) or not all(type(counter) is int for counter in releases.values()):
            raise Failure(f"{path} is damaged", "it holds {application: security counter}")
        return releases

    @property
    def _devices(self) -> Path:
        return self.directory / "devices"


def is_uuid(text: str) -> bool:
    """True for a UUID in the one form that names a device in topics, URLs and files: lower case, with hyphens."""
    return _UUID.fullmatch(text) is not None


def sealing_key(device: Device) -> bytes:
    """Its public ECDH key (65 bytes). Raises Failure where it has none."""
    if not device.sealing_key:
        raise Failure(f"nothing can be sealed for {device.name}: it has made no key for that", "provision it anew")
    return bytes.fromhex(device.sealing_key)


def _read_device(path: Path) -> Device:
    try:
        device = Device(**json.loads(files.read(path)))
        if [type(value) for value in asdict(device).values()] != [str, str, str, str, int, str]:
            raise ValueError("a value of another kind than text, or provisioned no number")
        if device.uuid != path.stem or str(uuid.UUID(device.uuid)) != device.uuid:
            raise ValueError("its uuid is not the file's name")
        p256.check_public_key(device.key)
        return device
    except (ValueError, TypeError, InvalidKey) as error:
        raise Failure(f"{path} describes no device: {error}") from None


# What srup.toml must hold. A setting that is not here is refused: it would be a slip of the pen that changes nothing.
_FORM: dict[str, dict[str, type]] = {
    "fleet": {"name": str, "namespace": str},
    "broker": {"host": str, "port": int, "tls": bool},
    "https": {"host": str, "port": int},
    "devices": {"allow": list, "board": str, "trial_s": int, "poll_ms": int},
    "keys": dict.fromkeys(ROLES, str),
    "tls": dict.fromkeys(("ca", "ca_key", "server", "server_key"), str),
}
_WORDS = {str: "text", int: "a whole number", bool: "true or false", list: 'a list, as in ["host:port"]'}


def _checked(path: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for section, form in _FORM.items():
        given = settings.get(section)
        if not isinstance(given, dict):
            raise Failure(f"{path} has no section [{section}]")
        for key, kind in form.items():
            if type(given.get(key)) is not kind:
                raise Failure(f"{path}: {key} in [{section}] must be {_WORDS[kind]}")
        _refuse_unknown(f"{path}: no such setting in [{section}]", given.keys() - form.keys())
    _refuse_unknown(f"{path}: no such section", settings.keys() - _FORM.keys() - {"policy"})
    _check_values(path, settings)
    return settings


def _refuse_unknown(message: str, unknown: AbstractSet[str]) -> None:
    if unknown:
        raise Failure(f"{message}: {', '.join(sorted(unknown))}")


def _check_values(path: Path, settings: dict[str, dict[str, Any]]) -> None:
    try:
        uuid.UUID(settings["fleet"]["namespace"])
    except ValueError:
        raise Failure(f"{path}: namespace in [fleet] must be a UUID") from None
    for section in ("broker", "https"):
        if not 0 < settings[section]["port"] < 65536:
            raise Failure(f"{path}: port in [{section}] must be from 1 to 65535")
    if not all(isinstance(entry, str) for entry in settings["devices"]["allow"]):
        raise Failure(f"{path}: allow in [devices] must be {_WORDS[list]}")
    try:
        policies.checked(settings.get("policy", {}))
    except (ValueError, AttributeError) as error:
        raise Failure(f"{path}: [policy]: {error}") from None


def find(directory: Path | None) -> Fleet | None:
    """The fleet named, or else the current directory's if it is one, or else None."""
    return Fleet.open(directory) if directory or os.path.isfile("srup.toml") else None
