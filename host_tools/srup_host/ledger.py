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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from srup import keys, limits, status, tokens, wire
from srup.errors import Malformed
from srup_host import signing, tables
from srup_host.console import Failure
from srup_host.fleet import Device, Fleet
from srup_host.receiving import Event, Receiver
from srup_host.server import audit, database, registry
from srup_host.tables import Alarm, Heard, Minted, Sent, Transaction

TOLERANCE = 5_000  # ms that the clock may be behind the last token: a clock being set right, not one that is wrong


Also = Callable[[Session, Sent], None]  # what else is to be written in the transaction that records a frame


class Ledger:
    """now: the clock, ms since 1970."""

    def __init__(self, fleet: Fleet, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000):
        self._fleet = fleet
        self._now = now
        self._engine = database.connect(database.url(fleet))
        self._reading = database.reading(self._engine)
        self._receiver = Receiver(fleet, now)
        self._command_key: signing.PrivateKey | None = None

    @property
    def engine(self) -> Engine:
        """The database, for what else the server keeps in it."""
        return self._engine

    def close(self) -> None:
        self._engine.dispose()

    # Frames out

    def initiate(
        self, device: Device, url: str, digest: bytes, manifest: Mapping[str, Any], also: Also | None = None
    ) -> Sent:
        """Have `device` fetch and stage the bundle with this SHA-256 and manifest from `url`."""
        expected = {"name": manifest["name"], "version": manifest["version"], "tree": manifest["tree"]}
        return self._send(device, wire.INITIATE, {"url": url.encode(), "digest": digest}, expected, also)

    def activate(self, device: Device, also: Also | None = None) -> Sent:
        """Have `device` run what it has staged, on trial. Raises Failure if that is nothing."""
        self._key()
        with self._exclusive() as session:
            staged = tables.latest_update(session, device.uuid)
            if staged is None or staged.status != status.UPDATE_SUCCESS:
                raise Failure(f"{device.name} has nothing staged", "send it a bundle first: srup send initiate")
            if staged.key_id != self._key_id():
                raise Failure(f"what {device.name} has staged was sent with another command key", "send it again")
            return self._record(session, device, wire.ACTIVATE, {"token": staged.token}, also)

    def action(self, device: Device, action: int, parameters: bytes = b"") -> Sent:
        return self._send(device, wire.ACTION, {"action": action, "parameters": parameters})

    def data(self, device: Device, name: str, value: bytes) -> Sent:
        return self._send(device, wire.DATA, {"name": name.encode(), "value": value})

    def id_request(self, device: Device) -> Sent:
        """Ask for the inventory. Always allowed: it is how a lost answer is found."""
        return self._send(device, wire.ID_REQUEST, {})

    def confirm(self, device: Device, token: bytes) -> Sent:
        """DATA `confirm` for the update on trial; the same frame again while it is unanswered."""
        with self._exclusive() as session:
            for sent in tables.unanswered(session, device.uuid):
                if sent.type == wire.DATA and wire.decode(sent.frame).elements["value"] == token:
                    return sent
        return self.data(device, "confirm", token)

    def unanswered(self, device: Device | None = None) -> list[Sent]:
        """Frames that nothing shows to have arrived, oldest first; fit to be published again."""
        with Session(self._reading, expire_on_commit=False) as session:
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
        with self._exclusive() as session:
            aside = tables.unanswered(session, device.uuid)
            for sent in aside:
                sent.unanswered = False
            return aside

    def _send(
        self,
        device: Device,
        kind: int,
        elements: Mapping[str, bytes | int],
        expected: Mapping[str, str] | None = None,
        also: Also | None = None,
    ) -> Sent:
        """Open a transaction."""
        self._key()  # a passphrase is asked for before anybody is kept waiting
        with self._exclusive() as session:
            token = self._mint(session, device)
            session.add(
                Transaction(
                    device=device.uuid,
                    token=token,
                    kind=kind,
                    key_id=self._key_id(),
                    opened=self._now(),
                    seen=b"",
                    **(expected or {}),
                )
            )
            return self._record(session, device, kind, {"target": device.target, "token": token, **elements}, also)

    def _record(
        self, session: Session, device: Device, kind: int, elements: dict[str, bytes | int], also: Also | None = None
    ) -> Sent:
        if kind != wire.ID_REQUEST:
            self._check_free(session, device)
        try:
            frame = signing.sign_frame(self._key(), kind, elements)
        except Malformed as error:
            raise Failure(f"a device would take this for malformed: {error}") from None
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

    def _mint(self, session: Session, device: Device) -> bytes:
        key_id = self._key_id()
        highest = session.scalar(select(func.max(Minted.token)).where(Minted.key_id == key_id)) or tokens.ZERO
        behind = tokens.milliseconds(highest) - self._now()
        if behind > TOLERANCE:
            raise Failure(
                f"the clock is {behind // 1000} s behind the last token signed", "set it right: nothing was sent"
            )
        entry = session.get(Minted, (key_id, device.target))
        if entry is None:
            entry = Minted(key_id=key_id, target=device.target, token=tokens.ZERO)
            session.add(entry)
        entry.token = tokens.mint(self._now(), entry.token, os.urandom(8))
        return entry.token

    def _key(self) -> signing.PrivateKey:
        if self._command_key is None:
            self._command_key = self._fleet.private_key("command")
        return self._command_key

    def _key_id(self) -> bytes:
        return bytes(keys.key_id(signing.public_bytes(self._key())))

    # Frames in

    def received(self, uuid: str, frame: bytes) -> Event:
        """Judge a frame that came on the topic (or URL) of device `uuid`, and record what follows from it."""
        with self._exclusive() as session:
            return self._receiver.judge(session, uuid, frame)

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

    def alarms(self) -> list[Alarm]:
        with Session(self._reading, expire_on_commit=False) as session:
            return list(session.scalars(select(Alarm).order_by(Alarm.id)))

    @contextmanager
    def _exclusive(self) -> Iterator[Session]:
        """One writer at a time, in whichever process; all or nothing."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session
