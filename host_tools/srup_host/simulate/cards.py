"""Who the simulated devices of a fleet are: their keys and passwords, and what they ran last, in one file of its directory."""

import json
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from srup_host import credentials, files, keyfiles, signing
from srup_host.console import Failure
from srup_host.fleet import Fleet

BOARD = "SIMULATED"
FIRST = {"name": "simulated", "version": "1.0", "tree": "00" * 32, "counter": 0}


@dataclass
class Card:
    """key: PEM · runs: the manifest of what runs."""

    uuid: str
    name: str
    key: str
    password: str
    runs: dict[str, Any] = field(default_factory=lambda: dict(FIRST))

    def private_key(self) -> signing.PrivateKey:
        key = load_pem_private_key(self.key.encode(), None)
        assert isinstance(key, signing.PrivateKey)
        return key


def take(fleet: Fleet, number: int) -> list[Card]:
    """So many; those that the fleet has not yet are enrolled."""
    cards = _load(fleet)
    names = {device.name for device in fleet.devices()} if len(cards) < number else set()
    while len(cards) < number:
        cards.append(_enrol(fleet, f"sim-{len(cards):05}", names))
    save(fleet, cards)
    return cards[:number]


def _enrol(fleet: Fleet, name: str, names: set[str]) -> Card:
    key, identity = keyfiles.generate(), uuid.uuid4()
    at = time.time_ns() // 1_000_000
    fleet.add_device(name, BOARD, signing.public_bytes(key), identity, at, names=names)
    names.add(name)
    password = credentials.issue(fleet, str(identity))
    return Card(str(identity), name, keyfiles.private_pem(key).decode(), password)


def save(fleet: Fleet, cards: list[Card]) -> None:
    kept = {card.uuid: card for card in _load(fleet)} | {card.uuid: card for card in cards}
    files.replace(_path(fleet), json.dumps([asdict(card) for card in kept.values()]).encode(), 0o600)


def _load(fleet: Fleet) -> list[Card]:
    path = _path(fleet)
    try:
        return [Card(**card) for card in json.loads(files.read(path))] if path.exists() else []
    except (ValueError, TypeError):
        raise Failure(f"{path} is damaged", "remove it: other devices are made") from None


def _path(fleet: Fleet) -> Path:
    return fleet.directory / "simulated.json"
