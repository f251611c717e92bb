"""Groups: which devices are to be in one, which of them know it, and who may read what is sent to it.

A group is its members: labels in the registry, set here and on the server's pages. A device is in it once it has taken DATA
`groups`, which lists all groups that it is to be in; until then it is behind.
"""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup import limits
from srup_host.console import Failure
from srup_host.everywhere import Data
from srup_host.fleet import NAME, Device, Fleet
from srup_host.ledger import Ledger
from srup_host.server import database, registry
from srup_host.server.models import Label


@dataclass(frozen=True)
class Group:
    """members: devices that are to be in it."""

    name: str
    uuid: str
    members: tuple[Device, ...]

    @property
    def target(self) -> bytes:
        return uuid.UUID(self.uuid).bytes

    @property
    def topic(self) -> str:
        return f"srup/group/{self.uuid}/c2"


class Groups:
    def __init__(self, fleet: Fleet, ledger: Ledger, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000):
        self._fleet = fleet
        self._ledger = ledger
        self._now = now

    def all(self) -> list[Group]:
        """By name."""
        names: dict[str, list[str]] = {}
        with Session(database.reading(self._ledger.engine)) as session:
            for label in session.scalars(select(Label).where(Label.kind == "group").order_by(Label.name)):
                names.setdefault(label.name, []).append(label.device)
        devices = self._fleet.devices() if names else []
        return [
            Group(name, str(self._fleet.group(name)), tuple(one for one in devices if one.uuid in uuids))
            for name, uuids in names.items()
        ]

    def one(self, name: str) -> Group:
        for group in self.all():
            if name in (group.name, group.uuid):
                return group
        raise Failure(f"there is no group {name!r}", "a group is its members: srup group create NAME DEVICE ...")

    def names_of(self, device: Device) -> list[str]:
        with Session(database.reading(self._ledger.engine)) as session:
            return registry.labels(session, [device.uuid])[device.uuid]["groups"]

    def add(self, name: str, devices: Iterable[Device]) -> None:
        """What is to be; the devices are told by `order`. Raises Failure for what is no name, and for a device in too many."""
        if not NAME.fullmatch(name):
            raise Failure(f"{name!r} is no name of a group", "1 to 32 of A-Z a-z 0-9 . _ -")
        self._set(devices, lambda names: names | {name})

    def remove(self, name: str, devices: Iterable[Device]) -> None:
        self._set(devices, lambda names: names - {name})

    def _set(self, devices: Iterable[Device], change: Callable[[set[str]], set[str]]) -> None:
        with self._ledger.together() as session:
            for device in devices:
                registry.enrol(session, device, self._now())
                session.flush()
                names = change(set(registry.labels(session, [device.uuid])[device.uuid]["groups"]))
                if len(names) > limits.GROUPS:
                    raise Failure(f"{device.name} would be in {len(names)} groups", f"{limits.GROUPS} at most")
                registry.set_labels(session, device.uuid, "group", names, self._now())

    def order(self, device: Device) -> Data:
        """What tells the device."""
        listed = sorted(self._fleet.group(name).bytes for name in self.names_of(device))
        return Data("groups", b"".join(listed), newest=True)

    def knows(self, device: Device) -> bool:
        """Has the device taken its list? One that is to be in none, and was never told otherwise, has nothing to take."""
        wanted = self.order(device)
        if not wanted.value and self._ledger.last_data(device, "groups") is None:
            return True
        return wanted.obeyed(self._ledger, device)

    def behind(self, devices: Iterable[Device]) -> list[Device]:
        return [device for device in devices if not self.knows(device)]


class Readers:
    """For the broker's rules: the UUIDs of the groups that a device is to be in."""

    def __init__(self, fleet: Fleet):
        self._fleet = fleet
        self._reading = database.reading(database.connect(database.url(fleet)))

    def __call__(self, device: str) -> list[str]:
        with Session(self._reading) as session:
            names = registry.labels(session, [device])[device]["groups"]
        return [str(self._fleet.group(name)) for name in names]
