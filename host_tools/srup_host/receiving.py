"""Frames from devices: which of them a server acts on (protocol.md, section 3), and what follows from them."""

import json
import re
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
from srup_host.fleet import Device, Fleet, is_uuid
from srup_host.rules import Verdict
from srup_host.server import audit, registry
from srup_host.tables import Alarm, Evidence, Heard, Transaction, latest_update, unanswered

STARTS = 8  # of a device that are remembered
LATE_MS = 86_400_000  # by which a frame may be older than what has overtaken it
_STRANGER = "of no device of this fleet"
_NUMBER = re.compile(r"(?<!\S)(0x[0-9a-f]+|[0-9]+)(?!\S)")
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
        self._newest: dict[tuple[str, str], bytes] = {}  # (way, device): the highest token that came by it

    def judge(self, session: Session, uuid: str, frame: bytes, by: str = "mqtt") -> Event:
        """What a frame on the topic (or URL) of device `uuid` is, recorded with all that follows from it. by: as in Ledger.received."""
        try:
            device, unverified = self._authentic(uuid, frame)
        except (Malformed, BadSignature, InvalidKey, Failure) as error:
            return self.refuse(session, uuid, frame, str(error))
        at = self._now()  # once: all that follows from a frame was so at the same time
        registry.enrol(session, device, at)
        if unverified.type == wire.RESPONSE:
            happened = self._answered(session, at, uuid, unverified)
        else:
            overtaken = self._is_overtaken(uuid, unverified.elements["token"], by)
            happened = self._told(session, at, uuid, unverified, overtaken)
        self._keep(session, at, happened, frame)
        registry.heard(session, happened.device, at, happened.value if happened.name == "inventory" else b"")
        return replace(happened, size=len(frame))

    def _authentic(self, uuid: str, frame: bytes) -> tuple[Device, wire.Unverified]:
        """The device, and the frame, if it is this device's. Raises Malformed, BadSignature, InvalidKey or Failure.

        uuid: only in the one form that a device is known by; whoever owns the broker has any topic there is.
        """
        if not (is_uuid(uuid) and self._fleet.has(uuid)):
            raise Malformed(_STRANGER)
        unverified = wire.decode(frame)
        wire.check_sizes(unverified)
        if unverified.type not in _FROM_DEVICE:
            raise Malformed(f"{wire.TYPES[unverified.type][0]} from a device")
        device = self._fleet.device(uuid)
        signing.verify_frame(device.key, unverified)
        if unverified.elements.get("target", device.target) != device.target:
            raise Malformed("target is another device")
        return device, unverified

    def _answered(self, session: Session, at: int, uuid: str, response: wire.Unverified) -> Event:
        token, value = response.elements["token"], response.elements["status"]
        transaction = session.get(Transaction, (uuid, token))
        if transaction is None:
            return Event(Kind.ALARM, uuid, token, value, f"{status.name(value)} under a token that was never sent")
        return self._move(session, at, transaction, value)

    def _move(self, session: Session, at: int, transaction: Transaction, value: int) -> Event:
        """Take `value` as the latest status, if it is."""
        waiting = [sent for sent in unanswered(session, transaction.device) if sent.token == transaction.token]
        verdict = rules.judge(transaction.kind, transaction.seen, value, transaction.lost)
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
            transaction.changed = at
        for sent in waiting:
            if value in rules.ANSWERS[sent.type]:
                sent.unanswered = False
        on_trial = transaction.status == status.ACTIVATE_TRIAL
        kind = Kind.ANSWER if verdict is Verdict.FORWARD else Kind.DUPLICATE
        confirm = transaction.token if on_trial and value == status.ACTIVATE_TRIAL else None
        return Event(kind, transaction.device, transaction.token, value, confirm=confirm)

    def _is_overtaken(self, uuid: str, token: bytes, by: str) -> bool:
        """Has a newer frame of the device come to this process already, by a way that keeps their order? Not this frame itself, which
        comes again where what followed from it was undone."""
        if not by:
            return False
        newest = self._newest.get((by, uuid), tokens.ZERO)
        self._newest[by, uuid] = max(newest, token)
        return token < newest

    def _told(self, session: Session, at: int, uuid: str, unverified: wire.Unverified, overtaken: bool) -> Event:
        """DATA, JOIN or RESIGN: the device's own tokens put them in order.

        One that is not above its last is a replay, or of a second board with its key: an alarm. But of several processes that listen
        (workers that share a subscription, `srup send` beside `srup serve`, HTTPS beside MQTT) each hears in an order of its own, and
        one may have recorded what is newer than what another still has in its hands. So what has never been seen is taken, late, and
        what is newer stays; overtaken: not if it was here, by the same way, that what is newer came: that way keeps the order.
        """
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
            if overtaken or not _is_late(session, at, heard, unverified):
                return Event(Kind.ALARM, uuid, token, why=f"{kind} with a token not above its last")
        heard.token = max(heard.token, token)
        if unverified.type != wire.DATA:
            if unverified.type == wire.RESIGN_REQUEST:
                self._fleet.retire(uuid)
            return Event(Kind.REQUEST, uuid, token, name=name)
        value = unverified.elements["value"]
        if name == "poll":
            return Event(Kind.POLL, uuid, token, name=name)
        if name == "inventory":
            return self._inventory(session, at, heard, token, value)
        return Event(Kind.DATA, uuid, token, name=name, value=value)

    def _inventory(self, session: Session, at: int, heard: Heard, token: bytes, value: bytes) -> Event:
        try:
            told = inventory.read(value)
        except ValueError:
            return Event(Kind.ALARM, heard.device, token, why="an inventory that can't be read")
        if token < heard.token:  # late: evidence of how it was then, and no more
            return Event(Kind.INVENTORY, heard.device, token, name="inventory")
        heard.inventory, heard.inventory_at = json.dumps(told), at
        latest = {bytes.fromhex(known): last for known, last in told["latest"].items()}
        moved = self._catch_up(session, at, heard.device, latest)
        contradiction = _compare(session, at, heard.device, told) or _first_alarm(moved) or _clone(heard, told)
        if contradiction:
            return Event(Kind.ALARM, heard.device, token, why=contradiction, name="inventory", value=value)
        confirm = next((found.confirm for found in moved if found.confirm), None)
        return Event(Kind.INVENTORY, heard.device, token, name="inventory", value=value, confirm=confirm)

    def _catch_up(self, session: Session, at: int, uuid: str, reported: Mapping[bytes, int]) -> list[Event]:
        """Answers that were lost: the inventory has the latest transactions with their last status."""
        for sent in unanswered(session, uuid):
            if sent.type == wire.ID_REQUEST:
                sent.unanswered = False
                session.get_one(Transaction, (uuid, sent.token)).agreed = at
        known = [(session.get(Transaction, (uuid, token)), value) for token, value in reported.items()]
        return [self._move(session, at, transaction, value) for transaction, value in known if transaction]

    def _keep(self, session: Session, at: int, happened: Event, frame: bytes) -> None:
        """As evidence, whatever it is; each frame once, and no polls."""
        device, token = happened.device, happened.token
        if happened.kind in (Kind.DUPLICATE, Kind.POLL) or _is_known(session, device, token, frame):
            return
        session.add(Evidence(device=device, token=token, at=at, frame=frame, verdict=happened.kind.value))
        with audit.acting(f"device:{device}"):
            audit.append(session, at, f"heard {happened.kind}", device, _words(happened), frame)
        if happened.kind is Kind.ALARM:
            session.add(Alarm(device=device, why=happened.why, at=at, count=1, frame=frame))

    def refuse(self, session: Session, uuid: str, frame: bytes, why: str) -> Event:
        """Not the device's word: counted under one entry for each reason, whatever numbers are in it, so that noise does not fill the
        disk."""
        kind = _NUMBER.sub("…", why)
        entry = session.scalar(select(Alarm).where(Alarm.device == "", Alarm.why == kind))
        if entry is None:
            entry = Alarm(device="", why=kind, count=0, at=0, frame=b"")
            session.add(entry)
        entry.count, entry.at, entry.frame = entry.count + 1, self._now(), frame[: limits.FRAME]
        return Event(Kind.REFUSED, uuid if is_uuid(uuid) else "", why=why, size=len(frame))


def _is_known(session: Session, uuid: str, token: bytes, frame: bytes) -> bool:
    same = select(Evidence.id).where(Evidence.device == uuid, Evidence.token == token, Evidence.frame == frame)
    return session.scalar(same.limit(1)) is not None


def _is_late(session: Session, now: int, heard: Heard, unverified: wire.Unverified) -> bool:
    """May a frame with a token below its last still be taken? Not once its token was used, nor when it is a day old: by the clock
    here, and by its last. No poll: it is no evidence, so a recorded one can't be told from it. And no RESIGN where the device was
    told since that it is in the fleet: whoever held that back would have it leave again."""
    token, device = unverified.elements["token"], heard.device
    since = now - LATE_MS
    if token == heard.token or unverified.elements.get("name") == b"poll":
        return False
    if tokens.milliseconds(token) <= max(since, tokens.milliseconds(heard.token) - LATE_MS):
        return False
    if unverified.type == wire.RESIGN_REQUEST and _was_let_in(session, device, since):
        return False
    used = select(Evidence.id).where(Evidence.device == device, Evidence.token == token)
    return session.scalar(used.limit(1)) is None


def _was_let_in(session: Session, uuid: str, since: int) -> bool:
    """Was the device told since then (ms since 1970) that it is in the fleet?"""
    told = (Transaction.device == uuid, Transaction.kind == wire.JOIN_COMMAND, Transaction.opened > since)
    return session.scalar(select(Transaction.token).where(*told).limit(1)) is not None


def _compare(session: Session, at: int, uuid: str, told: Mapping[str, Any]) -> str:
    """Hold the inventory against the latest update that is said to be confirmed; "" unless they contradict."""
    update = latest_update(session, uuid)
    if update is None or update.status != status.ACTIVATE_SUCCESS or update.agreed:
        return ""
    runs = (told.get("name"), told.get("version"), told.get("tree"))
    said = update.name, update.version, update.tree
    if said in (runs, tuple(told.get("data") or ())) and not told.get("trial"):
        update.agreed = at
        return ""
    return f"said to be confirmed: {update.name} {update.version}, but it runs {runs[0]} {runs[1]}"


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
