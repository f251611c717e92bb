"""A device as it is shown, by the API and on its page."""

import json
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from srup import limits, status, wire
from srup_host import actions, rules, tables
from srup_host.receiving import Kind
from srup_host.server import registry, truth
from srup_host.server.models import Member
from srup_host.server.truth import Said, Truth
from srup_host.tables import Alarm, Evidence, Heard, Sent, Transaction

_NOT_DONE = rules.REFUSED | {status.ACTION_REFUSED, status.ACTION_UNKNOWN}


def facts(session: Session, members: list[Member], now: int) -> list[dict[str, Any]]:
    """What lists show of devices."""
    uuids = [member.uuid for member in members]
    labels, runs = registry.labels(session, uuids), known(session, members, now)
    return [_facts(member) | labels[member.uuid] | _words(runs[member.uuid]) for member in members]


def _facts(member: Member) -> dict[str, Any]:
    names = ("uuid", "name", "board", "fingerprint", "provisioned", "online", "seen", "failures", "quarantined", "zone")
    return {name: getattr(member, name) for name in names} | {"quarantined_why": member.quarantined_why}


def _words(runs: Truth) -> dict[str, Any]:
    said = {"word": runs.word, "app": runs.app, "version": runs.version, "why": runs.why}
    return {"runs": said | {"at": runs.at, "evidence": runs.evidence}}


def known(session: Session, members: list[Member], now: int) -> dict[str, Truth]:
    """What each device runs, and how well that is known. A few questions to the database, however many they are."""
    uuids = [member.uuid for member in members]
    said, updates, ordered = _said(session, members), _updates(session, uuids), _ordered(session, uuids)
    return {uuid: truth.of(said.get(uuid), updates.get(uuid), now, ordered.get(uuid, "")) for uuid in uuids}


def _updates(session: Session, uuids: list[str]) -> dict[str, Transaction]:
    """Of each device the update that bears on what it runs: its newest, or an earlier one of whose trial it has told since its inventory."""
    updates = tables.latest_updates(session, uuids)
    since = select(Transaction).join(Heard, Heard.device == Transaction.device).order_by(Transaction.token)
    since = since.where(Transaction.device.in_(uuids), Transaction.changed >= Heard.inventory_at)
    for update in session.scalars(since.where(Transaction.kind == wire.INITIATE)):
        if update.status in truth.OF_A_TRIAL and not updates[update.device].reported:
            updates[update.device] = update
    return updates


def _said(session: Session, members: list[Member]) -> dict[str, Said]:
    runs = {member.uuid: (member.app, member.version) for member in members}
    same = (Evidence.device == Heard.device) & (Evidence.token == Heard.token) & (Evidence.at <= Heard.inventory_at)
    query = select(Heard, func.min(Evidence.id)).outerjoin(Evidence, same)
    query = query.where(Heard.device.in_(runs), Heard.inventory_at.is_not(None)).group_by(Heard.device)
    return {heard.device: _as_said(heard, runs[heard.device], frame) for heard, frame in session.execute(query)}


def _as_said(heard: Heard, runs: tuple[str | None, str | None], frame: int | None) -> Said:
    return Said(*runs, heard.inventory_at or 0, frame, bool(json.loads(heard.inventory or "{}").get("trial")))


def _ordered(session: Session, uuids: list[str]) -> dict[str, str]:
    """What each device was sent after which it may run something else than its inventory says, or nothing any more."""
    of_sent = (Transaction.device == Sent.device) & (Transaction.token == Sent.token)
    recent = Sent.at > Heard.inventory_at - limits.FRESH  # what is older it does not obey any more
    query = (
        select(Sent, Transaction, Heard.inventory_at)
        .join(Transaction, of_sent)
        .join(Heard, Heard.device == Sent.device)
    )
    query = query.where(Sent.device.in_(uuids), Sent.type.in_((wire.ACTION, wire.ACTIVATE)), recent).order_by(Sent.id)
    return {
        sent.device: _named(sent)
        for sent, transaction, at in session.execute(query)
        if _named(sent) in ("REVERT", "SELF_DESTRUCT", "ACTIVATE") and _may_change(sent, transaction, at or 0)
    }


def _may_change(sent: Sent, transaction: Transaction, inventory_at: int) -> bool:
    """Could what the device said at that time be over by this? Not once it has refused, nor if it spoke after it was done."""
    if sent.type == wire.ACTIVATE:
        return (
            transaction.status == status.UPDATE_SUCCESS
        )  # no answer yet; those that come are not about this frame alone
    if transaction.status in _NOT_DONE:
        return False
    ended = transaction.status is not None and rules.is_terminal(transaction.kind, transaction.status)
    return not ended or (transaction.changed or 0) > inventory_at


def _named(sent: Sent) -> str:
    return _action(sent) if sent.type == wire.ACTION else sent.name


def _action(sent: Sent) -> str:
    return actions.name(wire.decode(sent.frame).elements["action"])


def whole(session: Session, member: Member, now: int) -> dict[str, Any]:
    """All that is known of one device."""
    heard = session.get(Heard, member.uuid)
    inventory = json.loads(heard.inventory) if heard and heard.inventory else None
    [shown] = facts(session, [member], now)
    return shown | {"public_key": member.public_key, "inventory": inventory, "alarms": _alarms(session, member.uuid)}


def _alarms(session: Session, uuid: str) -> list[dict[str, Any]]:
    query = select(Alarm).where(Alarm.device == uuid).order_by(Alarm.id.desc()).limit(20)
    return [{"at": alarm.at, "why": alarm.why, "count": alarm.count} for alarm in session.scalars(query)]


def frames(session: Session, uuid: str, most: int) -> list[dict[str, Any]]:
    """The latest frames to and from a device, the newest first. Each was verified before it got here."""
    sent = select(Sent).where(Sent.device == uuid).order_by(Sent.id.desc()).limit(most)
    heard = select(Evidence).where(Evidence.device == uuid).order_by(Evidence.id.desc()).limit(most)
    both = [_sent(one) for one in session.scalars(sent)] + [_heard(one) for one in session.scalars(heard)]
    return sorted(both, key=lambda frame: (frame["at"], frame["id"]), reverse=True)[:most]


def _sent(sent: Sent) -> dict[str, Any]:
    what = f"{sent.name} {_action(sent)}" if sent.type == wire.ACTION else sent.name
    return _frame("to", sent.id, sent.at, sent.frame, what, "waits for its answer" if sent.unanswered else "")


def _heard(evidence: Evidence) -> dict[str, Any]:
    decoded = wire.decode(evidence.frame)
    what = status.name(decoded.elements["status"]) if "status" in decoded.elements else wire.TYPES[decoded.type][0]
    if "name" in decoded.elements:
        what = f"{what} {decoded.elements['name'].decode('ascii', 'replace')}"
    verdict = "" if evidence.verdict in (Kind.ANSWER, Kind.INVENTORY) else evidence.verdict
    return _frame("from", evidence.id, evidence.at, evidence.frame, what, verdict)


def _frame(direction: str, number: int, at: int, frame: bytes, what: str, note: str) -> dict[str, Any]:
    token = wire.decode(frame).elements["token"].hex()
    return {
        "direction": direction,
        "id": number,
        "at": at,
        "what": what,
        "note": note,
        "token": token,
        "frame": frame.hex(),
    }
