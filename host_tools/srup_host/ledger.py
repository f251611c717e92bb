"""What has been sent to whom, and what came back: the sender's rules of protocol.md, section 3, in one place.

Kept in c2.sqlite in the fleet's directory. Opening a transaction mints its token, signs and records the frame in one
exclusive database transaction, so the lock per target holds between processes too; whoever publishes the frame does so
afterwards, and may do so again: a device does nothing twice.

    ledger = Ledger(fleet)
    sent = ledger.initiate(device, url, bundle.digest, bundle.manifest)    publish sent.frame to sent.topic
    event = ledger.received(uuid, frame)                                   for every frame on srup/<uuid>/up
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from srup import keys, limits, status, tokens, wire
from srup.errors import Malformed
from srup_host import console, signing, tables
from srup_host.console import Failure
from srup_host.fleet import Device, Fleet
from srup_host.keyring import Keyring
from srup_host.receiving import Event, Kind, Receiver
from srup_host.server import audit, database, registry
from srup_host.server.errors import Unavailable
from srup_host.tables import Alarm, Evidence, Heard, Minted, Sent, Transaction

TOLERANCE = 5_000  # ms that the clock may be behind the last token: a clock being set right, not one that is wrong


Also = Callable[[Session, Sent], None]  # what else is to be written in the transaction that records a frame


class Ledger:
    """now: the clock, ms since 1970 · keys: the fleet's, if some are elsewhere than srup.toml says."""

    def __init__(
        self, fleet: Fleet, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000, keys: Keyring | None = None
    ):
        self._fleet = fleet
        self._now = now
        self._engine = database.connect(database.url(fleet))
        self._reading = database.reading(self._engine)
        self._receiver = Receiver(fleet, now)
        self._keys = keys or Keyring(fleet)

    @property
    def engine(self) -> Engine:
        """The database, for what else the server keeps in it."""
        return self._engine

    def close(self) -> None:
        self._engine.dispose()

    def unlock(self) -> None:
        """Read the command key now: a passphrase is asked for here, and not by the first frame. Raises Failure without the key."""
        self._key_id(wire.ID_REQUEST, {})

    # Frames out

    def initiate(
        self, device: Device, url: str, digest: bytes, manifest: Mapping[str, Any], also: Also | None = None
    ) -> Sent:
        """Have `device` fetch and stage the bundle with this SHA-256 and manifest from `url`."""
        expected = {"name": manifest["name"], "version": manifest["version"], "tree": manifest["tree"]}
        return self._send(device, wire.INITIATE, {"url": url.encode(), "digest": digest}, expected, also)

    def activate(self, device: Device, also: Also | None = None) -> Sent:
        """Have `device` run what it has staged, on trial. Raises Failure if that is nothing."""
        key_id = _id(self._keys["command"])
        with self.together() as session:
            staged = tables.latest_update(session, device.uuid)
            if staged is None or staged.status != status.UPDATE_SUCCESS:
                raise Failure(f"{device.name} has nothing staged", "send it a bundle first: srup send initiate")
            if staged.key_id != key_id:
                raise Failure(f"what {device.name} has staged was sent with another command key", "send it again")
            return self._record(session, device, wire.ACTIVATE, {"token": staged.token}, also)

    def action(
        self, device: Device, action: int, parameters: bytes = b"", token: bytes = b"", also: Also | None = None
    ) -> Sent:
        """token: one that was reserved, where the parameters have a second signature over it."""
        return self._send(device, wire.ACTION, {"action": action, "parameters": parameters}, None, also, token)

    def reserve(self, device: Device) -> bytes:
        """A token for a command that is still to be signed; good until something else is sent to the device."""
        key_id = _id(self._keys["command"])
        with self.together() as session:
            return self._mint(session, device.target, key_id)

    def _reserved(self, session: Session, device: Device, key_id: bytes, token: bytes) -> bytes:
        newest = session.get(Minted, (key_id, device.target))
        if newest is None or newest.token != token or session.get(Transaction, (device.uuid, token)):
            raise Failure(
                f"something else has been sent to {device.name} since", "prepare it anew: its token is too old"
            )
        return token

    def data(self, device: Device, name: str, value: bytes) -> Sent:
        return self._send(device, wire.DATA, {"name": name.encode(), "value": value})

    def join_command(self, device: Device) -> Sent:
        """Tell a device that has asked that it is in the fleet. What it did not answer when it last was is not waited for."""
        self.set_aside(device)
        return self._send(device, wire.JOIN_COMMAND, {"settings": b""})

    def deregister(self, device: Device, nonce: bytes) -> Sent:
        """Have the device leave the fleet. It takes two keys. nonce: the boot nonce of its latest inventory, 16 bytes."""
        authority, key_id = self._keys["authority"], self._key_id(wire.DEREGISTER_COMMAND, {})
        with self.together() as session:
            token = self._mint(session, device.target, key_id)
            elements: dict[str, bytes | int] = {"target": device.target, "token": token}
            second = signing.second_signature(authority, wire.DEREGISTER_COMMAND, elements, nonce)
            session.add(self._opened(device, token, wire.DEREGISTER_COMMAND, key_id, None))
            return self._record(session, device, wire.DEREGISTER_COMMAND, elements | {"second_signature": second})

    def id_request(self, device: Device) -> Sent:
        """Ask for the inventory. Always allowed: it is how a lost answer is found."""
        return self._send(device, wire.ID_REQUEST, {})

    def confirm(self, device: Device, token: bytes) -> Sent:
        """DATA `confirm` for the update on trial; the same frame again while it is unanswered."""
        with self.together() as session:
            for sent in tables.unanswered(session, device.uuid):
                if sent.type == wire.DATA and wire.decode(sent.frame).elements["value"] == token:
                    return sent
        return self.data(device, "confirm", token)

    def last_data(self, device: Device, name: str, value: bytes | None = None) -> tuple[Sent, Transaction] | None:
        """The newest DATA of this name, and of this value if one is given, to `device`, and what became of it."""
        with Session(self._reading, expire_on_commit=False) as session:
            query = select(Sent).where(Sent.device == device.uuid, Sent.type == wire.DATA).order_by(Sent.id.desc())
            for sent in session.scalars(query):
                elements = wire.decode(sent.frame).elements
                if elements["name"] == name.encode() and value in (None, elements["value"]):
                    return sent, session.get_one(Transaction, (device.uuid, sent.token))
            return None

    def unanswered(self, device: Device | None = None) -> list[Sent]:
        """Frames that nothing shows to have arrived, oldest first; fit to be published again."""
        with database.looking(self._reading) as session:
            return tables.unanswered(session, device.uuid if device else None)

    def last_command(self, device: Device) -> Sent | None:
        """The newest frame to `device`, but for questions and confirms."""
        with Session(self._reading, expire_on_commit=False) as session:
            sent = session.scalars(select(Sent).where(Sent.device == device.uuid).order_by(Sent.id.desc()))
            return next((one for one in sent if not one.is_aside), None)

    def is_unanswered(self, sent: Sent) -> bool:
        with Session(self._reading) as session:
            return session.get_one(Sent, sent.id).unanswered

    def set_aside(self, device: Device) -> list[Sent]:
        """Stop waiting for the answers of `device`, which may come all the same and then count."""
        with self.together() as session:
            aside = tables.unanswered(session, device.uuid)
            for sent in aside:
                sent.unanswered = False
                told = {"frame": sent.name, "token": sent.token.hex()}
                audit.append(session, self._now(), "set aside", device.uuid, told)
            return aside

    def _send(
        self,
        device: Device,
        kind: int,
        elements: Mapping[str, bytes | int],
        expected: Mapping[str, str] | None = None,
        also: Also | None = None,
        reserved: bytes = b"",
    ) -> Sent:
        """Open a transaction."""
        key_id = self._key_id(kind, elements)
        with self.together() as session:
            token = (
                self._reserved(session, device, key_id, reserved)
                if reserved
                else self._mint(session, device.target, key_id)
            )
            session.add(self._opened(device, token, kind, key_id, expected))
            return self._record(session, device, kind, {"target": device.target, "token": token, **elements}, also)

    def to_group(
        self,
        target: bytes,
        members: Iterable[Device],
        kind: int,
        elements: Mapping[str, bytes | int],
        expected: Mapping[str, str] | None = None,
    ) -> list[Sent]:
        """Open one transaction of a group (its UUID, 16 bytes) for each of its members: the same frame, an answer of each.

        It is published once, to the group's topic; to those that have not answered then, each by itself.
        """
        key_id = self._key_id(kind, elements)
        with self.together() as session:
            token = self._mint(session, target, key_id)
            told = {"target": target, "token": token, **elements}
            for device in members:
                session.add(self._opened(device, token, kind, key_id, expected))
            return self._record_all(session, members, kind, told)

    def activate_group(self, token: bytes, members: Iterable[Device]) -> list[Sent]:
        """Have those run what this INITIATE of their group has staged; where nobody has, nothing is signed."""
        self._key_id(wire.ACTIVATE, {})
        with self.together() as session:
            staged = [
                device
                for device in members
                if session.get_one(Transaction, (device.uuid, token)).status == status.UPDATE_SUCCESS
            ]
            return self._record_all(session, staged, wire.ACTIVATE, {"token": token}) if staged else []

    def _opened(
        self, device: Device, token: bytes, kind: int, key_id: bytes, expected: Mapping[str, str] | None
    ) -> Transaction:
        return Transaction(
            device=device.uuid,
            token=token,
            kind=kind,
            key_id=key_id,
            opened=self._now(),
            seen=b"",
            **(expected or {}),
        )

    def _record_all(
        self, session: Session, members: Iterable[Device], kind: int, elements: dict[str, bytes | int]
    ) -> list[Sent]:
        frame = self._signed(session, kind, elements)
        sent = []
        for device in members:
            if kind != wire.ID_REQUEST:
                self._check_free(session, device)
            registry.enrol(session, device, self._now())
            sent.append(
                Sent(
                    device=device.uuid, token=elements["token"], type=kind, frame=frame, at=self._now(), unanswered=True
                )
            )
        session.add_all(sent)
        group = str(uuid.UUID(bytes=wire.decode(frame).elements.get("target", bytes(16))))
        told = {"members": [one.device for one in sent]}
        name = Sent(type=kind, frame=frame).name
        audit.append(session, self._now(), f"send {name}", group, told, frame)
        return sent

    def _signed(self, session: Session, kind: int, elements: Mapping[str, bytes | int]) -> bytes:
        """The frame; the audit log has its key from now on."""
        role = signing.role(kind, elements)
        key = self._keys[role]  # once: a rotation may give the role another one at any time
        try:
            frame = signing.sign_frame(key, kind, elements)
        except Malformed as error:
            raise Failure(f"a device would take this for malformed: {error}") from None
        audit.name_key(session, self._now(), role, signing.public_bytes(key))
        return frame

    def _key_id(self, kind: int, elements: Mapping[str, bytes | int]) -> bytes:
        """Of the key that signs this. A passphrase is asked for now, before anybody is kept waiting."""
        return _id(self._keys[signing.role(kind, elements)])

    def _record(
        self, session: Session, device: Device, kind: int, elements: dict[str, bytes | int], also: Also | None = None
    ) -> Sent:
        if kind != wire.ID_REQUEST:
            self._check_free(session, device)
        frame = self._signed(session, kind, elements)
        sent = Sent(
            device=device.uuid, token=elements["token"], type=kind, frame=frame, at=self._now(), unanswered=True
        )
        session.add(sent)
        registry.enrol(session, device, self._now())
        audit.append(session, self._now(), f"send {sent.name}", device.uuid, frame=frame)
        if also:
            also(session, sent)
        return sent

    def _check_free(self, session: Session, device: Device) -> None:
        """One unanswered command at a time; what the device would refuse as too old does not count any more."""
        for sent in tables.unanswered(session, device.uuid):
            if sent.at < self._now() - limits.FRESH:
                sent.unanswered = False
            elif sent.type != wire.ID_REQUEST:
                ago = max(0, self._now() - sent.at) // 1000
                raise Failure(
                    f"{device.name} has not answered the {sent.name} of {ago} s ago",
                    "wait for the answer (srup send wait), or give it up (--set-aside)",
                )
        session.flush()

    def _mint(self, session: Session, target: bytes, key_id: bytes) -> bytes:
        highest = session.info.get(key_id) or _highest(session, key_id)
        behind = tokens.milliseconds(highest) - self._now()
        if behind > TOLERANCE:
            raise Failure(
                f"the clock is {behind // 1000} s behind the last token signed", "set it right: nothing was sent"
            )
        entry = session.get(Minted, (key_id, target))
        if entry is None:
            entry = Minted(key_id=key_id, target=target, token=tokens.ZERO)
            session.add(entry)
        entry.token = tokens.mint(self._now(), entry.token, os.urandom(8))
        session.info[key_id] = max(highest, entry.token)
        return entry.token

    # Frames in

    def received(self, device: str, frame: bytes, by: str = "mqtt") -> Event:
        """Judge a frame that came on the topic (or URL) of `device`, its UUID, and record what follows from it.

        by: the way that it came, if frames come to this process on it as the device sent them, one after the other; "" if not: of
        what several workers share, each hears some. Raises Unavailable: then nothing is on record, and it must come again.
        """
        return self.received_all([(device, frame)], by)[0]

    def received_all(self, frames: Iterable[tuple[str, bytes]], by: str = "mqtt") -> list[Event]:
        """As `received`, for many: (uuid, frame) each."""
        with self.together() as session:
            return [self._judged(session, device, frame, by) for device, frame in frames]

    def _judged(self, session: Session, device: str, frame: bytes, by: str) -> Event:
        """Each by itself: where one can't be judged, the others are on record all the same."""
        try:
            with self.together():
                return self._receiver.judge(session, device, frame, by)
        except (Failure, *database.GONE):
            raise
        except OSError as error:  # our disk's fault, not the frame's
            raise Unavailable(f"the fleet's directory can't be used: {error}") from None
        # Any other is a fault of ours that this frame has found. It must not go up: the frame would not be acknowledged, would come
        # again, and would end the server once more, and after each start, in the name of whoever has one device or the broker.
        except Exception as error:  # noqa: BLE001 - whatever it is
            why = f"{type(error).__name__} while it was judged"
            console.warn(f"a frame from {device} is refused: {why}: {error}".splitlines()[0])
            return self._receiver.refuse(session, device, frame, why)

    # Who asks to join

    def heard_token(self, device: str) -> bytes:
        """The highest token that a device, by its UUID, has used in frames of its own."""
        with Session(self._reading) as session:
            heard = session.get(Heard, device)
            return heard.token if heard else tokens.ZERO

    def note_token(self, device: Device, token: bytes) -> None:
        """It has used this one, in a frame that did not come the usual way."""
        with self.together() as session:
            registry.enrol(session, device, self._now())
            heard = session.get(Heard, device.uuid)
            if heard is None:
                session.add(Heard(device=device.uuid, token=token))
            else:
                heard.token = max(heard.token, token)

    def alarm(self, device: str, why: str, frame: bytes) -> None:
        """Something that should not be; the same of one device again is counted. frame: a JOIN_REQUEST that the key in it has signed."""
        with self.together() as session:
            entry = session.scalar(select(Alarm).where(Alarm.device == device, Alarm.why == why))
            if entry is None:
                entry = Alarm(device=device, why=why, count=0, at=0, frame=b"")
                session.add(entry)
            entry.count, entry.at, entry.frame = entry.count + 1, self._now(), frame
            audit.append(session, self._now(), "alarm", device, {"why": why}, frame)

    # What is known

    def transaction(self, device: Device, token: bytes) -> Transaction:
        with Session(self._reading, expire_on_commit=False) as session:
            return session.get_one(Transaction, (device.uuid, token))

    def latest_update(self, device: Device) -> Transaction | None:
        """The device's latest INITIATE, whatever became of it."""
        with Session(self._reading, expire_on_commit=False) as session:
            return tables.latest_update(session, device.uuid)

    def inventory(self, device: Device) -> dict[str, Any] | None:
        """What the device last said it runs, in its own signed words."""
        with Session(self._reading) as session:
            heard = session.get(Heard, device.uuid)
            return json.loads(heard.inventory) if heard and heard.inventory else None

    def values(self, device: Device, since: int) -> dict[str, str]:
        """DATA that has come from the device since then (ms since 1970), but for its inventory: {name: text}, the newest by its token."""
        query = select(Evidence).where(
            Evidence.device == device.uuid, Evidence.at >= since, Evidence.verdict == Kind.DATA
        )
        with Session(self._reading) as session:
            told = [wire.decode(entry.frame).elements for entry in session.scalars(query.order_by(Evidence.token))]
        return {each["name"].decode("ascii", "replace"): each["value"].decode("utf-8", "replace") for each in told}

    def alarms(self) -> list[Alarm]:
        with Session(self._reading, expire_on_commit=False) as session:
            return list(session.scalars(select(Alarm).order_by(Alarm.id)))

    @contextmanager
    def together(self) -> Iterator[Session]:
        """All that is done within is on record when it is over, or nothing is; see database.exclusive."""
        with database.exclusive(self._engine) as session:
            yield session


def _id(key: signing.PrivateKey) -> bytes:
    return bytes(keys.key_id(signing.public_bytes(key)))


def _highest(session: Session, key_id: bytes) -> bytes:
    """The newest token of a key, for whichever target."""
    newest = select(Minted.token).where(Minted.key_id == key_id).order_by(Minted.token.desc()).limit(1)
    return session.scalar(newest) or tokens.ZERO
