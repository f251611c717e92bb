"""Frames from devices: which of them a server acts on (protocol.md, section 3), and what follows from them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup import limits, status, tokens, wire
from srup.errors import BadSignature, InvalidKey, Malformed
from srup_host import inventory, rules, signing
from srup_host.console import Failure
from srup_host.fleet import Device, Fleet
from srup_host.rules import Verdict
from srup_host.server import audit, registry
from srup_host.tables import Alarm, Evidence, Heard, Transaction, latest_update, unanswered

STARTS = 8  # of a device that are remembered
_FROM_DEVICE = (wire.RESPONSE, wire.DATA, wire.JOIN_REQUEST, wire.RESIGN_REQUEST)


class Kind(StrEnum):
    """What a frame from a device turned out to be."""

    ANSWER = "answer"  # a RESPONSE that moves its transaction on
    DUPLICATE = "duplicate"  # the same again, harmless: QoS 1 delivers at least once
    INVENTORY = "inventory"
    DATA = "data"
    POLL = "poll"  # over HTTPS: what waits may be handed out
    REQUEST = "request"  # JOIN or RESIGN
    REFUSED = "refused"  # nobody's: malformed, or not signed by the device
    ALARM = "alarm"  # the device's own, and it should not be: a conflict, a replay, an unknown token


@dataclass(frozen=True)
class Event:
    """What became of a frame. token: of the transaction, or the frame's own. why: for REFUSED and ALARM. size: bytes.

    confirm: the token of an update on trial that now waits for `Ledger.confirm`.
    """

    kind: Kind
    device: str
    token: bytes = b""
    status: int | None = None
    why: str = ""
    name: str = ""
    value: bytes = b""
    size: int = 0
    confirm: bytes | None = None


class Receiver:
    """Judges frames within the caller's database transaction. now: the clock, ms since 1970."""

    def __init__(self, fleet: Fleet, now: Callable[[], int]):
        self._fleet = fleet
        self._now = now

    def judge(self, session: Session, uuid: str, frame: bytes) -> Event:
        """What a frame on the topic (or URL) of device `uuid` is, recorded with all that follows from it."""
        try:
            device, unverified = self._authentic(uuid, frame)
        except (Malformed, BadSignature, InvalidKey, Failure) as error:
            return replace(self._refuse(session, uuid, frame, str(error)), size=len(frame))
        take = self._answered if unverified.type == wire.RESPONSE else self._told
        registry.enrol(session, device, self._now())
        happened = take(session, uuid, unverified)
        self._keep(session, happened, frame)
        registry.heard(session, happened.device, self._now(), happened.value if happened.name == "inventory" else b"")
        return replace(happened, size=len(frame))

    def _authentic(self, uuid: str, frame: bytes) -> tuple[Device, wire.Unverified]:
        """The device, and the frame, if it is this device's. Raises Malformed, BadSignature, InvalidKey or, for no such device, Failure."""
        unverified = wire.decode(frame)
        wire.check_sizes(unverified)
        if unverified.type not in _FROM_DEVICE:
            raise Malformed(f"{wire.TYPES[unverified.type][0]} from a device")
        device = self._fleet.device(uuid)
        signing.verify_frame(device.key, unverified)
        if unverified.elements.get("target", device.target) != device.target:
            raise Malformed("target is another device")
        return device, unverified

    def _answered(self, session: Session, uuid: str, response: wire.Unverified) -> Event:
        token, value = response.elements["token"], response.elements["status"]
        transaction = session.get(Transaction, (uuid, token))
        if transaction is None:
            return Event(Kind.ALARM, uuid, token, value, f"{status.name(value)} under a token that was never sent")
        return self._move(session, transaction, value)

    def _move(self, session: Session, transaction: Transaction, value: int) -> Event:
        """Take `value` as the latest status, if it is."""
        verdict = rules.judge(transaction.kind, transaction.seen, value)
        if verdict is Verdict.CONFLICT:
            said = "nothing yet" if transaction.status is None else status.name(transaction.status)
            why = f"{status.name(value)} after {said}"
            return Event(Kind.ALARM, transaction.device, transaction.token, value, why)
        if verdict is Verdict.FORWARD:
            if (
                value == status.DEREGISTER_SUCCESS
            ):  # and not once more, when it has come back and an old frame is sent again
                self._fleet.retire(transaction.device)
            transaction.seen += bytes((value,))
            transaction.changed = self._now()
        for sent in unanswered(session, transaction.device):
            if sent.token == transaction.token and value in rules.ANSWERS[sent.type]:
                sent.unanswered = False
        on_trial = transaction.status == status.ACTIVATE_TRIAL
        kind = Kind.ANSWER if verdict is Verdict.FORWARD else Kind.DUPLICATE
        confirm = transaction.token if on_trial and value == status.ACTIVATE_TRIAL else None
        return Event(kind, transaction.device, transaction.token, value, confirm=confirm)

    def _told(self, session: Session, uuid: str, unverified: wire.Unverified) -> Event:
        """DATA, JOIN or RESIGN: the device's own tokens put them in order."""
        token = unverified.elements["token"]
        heard = session.get(Heard, uuid)
        if not tokens.is_token(token):
            return Event(Kind.ALARM, uuid, token, why="its token is not a UUIDv7")
        if heard is None:
            heard = Heard(device=uuid, token=tokens.ZERO)
            session.add(heard)
        kind = str(wire.TYPES[unverified.type][0])
        name = unverified.elements.get("name", b"").decode("ascii", "replace") or kind
        if token <= heard.token:
            if _is_known(session, uuid, token, unverified.frame):
                return Event(Kind.DUPLICATE, uuid, token, name=name)
            return Event(Kind.ALARM, uuid, token, why=f"{kind} with a token not above its last")
        heard.token = token
        if unverified.type != wire.DATA:
            if unverified.type == wire.RESIGN_REQUEST:
                self._fleet.retire(uuid)
            return Event(Kind.REQUEST, uuid, token, name=name)
        value = unverified.elements["value"]
        if name == "poll":
            return Event(Kind.POLL, uuid, token, name=name)
        if name == "inventory":
            return self._inventory(session, heard, token, value)
        return Event(Kind.DATA, uuid, token, name=name, value=value)

    def _inventory(self, session: Session, heard: Heard, token: bytes, value: bytes) -> Event:
        try:
            told = inventory.read(value)
        except ValueError:
            return Event(Kind.ALARM, heard.device, token, why="an inventory that can't be read")
        heard.inventory, heard.inventory_at = json.dumps(told), self._now()
        moved = self._catch_up(
            session, heard.device, {bytes.fromhex(known): last for known, last in told["latest"].items()}
        )
        contradiction = self._compare(session, heard.device, told) or _first_alarm(moved) or _clone(heard, told)
        if contradiction:
            return Event(Kind.ALARM, heard.device, token, why=contradiction, name="inventory", value=value)
        confirm = next((found.confirm for found in moved if found.confirm), None)
        return Event(Kind.INVENTORY, heard.device, token, name="inventory", value=value, confirm=confirm)

    def _catch_up(self, session: Session, uuid: str, reported: Mapping[bytes, int]) -> list[Event]:
        """Answers that were lost: the inventory has the latest transactions with their last status."""
        for sent in unanswered(session, uuid):
            if sent.type == wire.ID_REQUEST:
                sent.unanswered = False
                session.get_one(Transaction, (uuid, sent.token)).agreed = self._now()
        known = [(session.get(Transaction, (uuid, token)), value) for token, value in reported.items()]
        return [self._move(session, transaction, value) for transaction, value in known if transaction]

    def _compare(self, session: Session, uuid: str, told: Mapping[str, Any]) -> str:
        """Hold the inventory against the latest update that is said to be confirmed; "" unless they contradict."""
        update = latest_update(session, uuid)
        if update is None or update.status != status.ACTIVATE_SUCCESS or update.agreed:
            return ""
        runs = (told.get("name"), told.get("version"), told.get("tree"))
        said = update.name, update.version, update.tree
        if said in (runs, tuple(told.get("data") or ())) and not told.get("trial"):
            update.agreed = self._now()
            return ""
        return f"said to be confirmed: {update.name} {update.version}, but it runs {runs[0]} {runs[1]}"

    def _keep(self, session: Session, happened: Event, frame: bytes) -> None:
        """As evidence, whatever it is; each frame once, and no polls."""
        device, token, now = happened.device, happened.token, self._now()
        if happened.kind in (Kind.DUPLICATE, Kind.POLL) or _is_known(session, device, token, frame):
            return
        session.add(Evidence(device=device, token=token, at=now, frame=frame, verdict=happened.kind.value))
        with audit.acting(f"device:{device}"):
            audit.append(session, now, f"heard {happened.kind}", device, _words(happened), frame)
        if happened.kind is Kind.ALARM:
            session.add(Alarm(device=device, why=happened.why, at=now, count=1, frame=frame))

    def _refuse(self, session: Session, uuid: str, frame: bytes, why: str) -> Event:
        """Not the device's word: counted under one entry for each reason, so that noise does not fill the disk."""
        entry = session.scalar(select(Alarm).where(Alarm.device == "", Alarm.why == why))
        if entry is None:
            entry = Alarm(device="", why=why, count=0, at=0, frame=b"")
            session.add(entry)
        entry.count, entry.at, entry.frame = entry.count + 1, self._now(), frame[: limits.FRAME]
        return Event(Kind.REFUSED, uuid, why=why)


def _is_known(session: Session, uuid: str, token: bytes, frame: bytes) -> bool:
    same = select(Evidence.id).where(Evidence.device == uuid, Evidence.token == token, Evidence.frame == frame)
    return session.scalar(same.limit(1)) is not None


def _words(happened: Event) -> dict[str, str]:
    """What an auditor need not decode the frame for."""
    said = {"status": "" if happened.status is None else status.name(happened.status)}
    return {key: value for key, value in (said | {"name": happened.name, "why": happened.why}).items() if value}


def _clone(heard: Heard, told: Mapping[str, Any]) -> str:
    """Each start has a nonce of its own, and none comes back: where one does, two boards speak with one key. "" if not."""
    nonce, known = str(told.get("nonce") or ""), heard.starts.split()
    if not nonce or (known and known[-1] == nonce):
        return ""
    back = nonce in known
    heard.starts = " ".join([*(one for one in known if one != nonce), nonce][-STARTS:])
    return "a start that was over speaks again: two boards have its key" if back else ""


def _first_alarm(events: list[Event]) -> str:
    return next((found.why for found in events if found.kind is Kind.ALARM), "")
