"""A device as it is shown, by the API and on its page."""

import json
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from srup import status, wire
from srup_host import actions, tables
from srup_host.receiving import Kind
from srup_host.server import registry, truth
from srup_host.server.models import Member
from srup_host.server.truth import Said, Truth
from srup_host.tables import Alarm, Evidence, Heard, Sent


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
    said, updates, ordered = _said(session, members), tables.latest_updates(session, uuids), _ordered(session, uuids)
    return {uuid: truth.of(said.get(uuid), updates.get(uuid), now, ordered.get(uuid, "")) for uuid in uuids}


def _said(session: Session, members: list[Member]) -> dict[str, Said]:
    runs = {member.uuid: (member.app, member.version) for member in members}
    same = (Evidence.device == Heard.device) & (Evidence.token == Heard.token) & (Evidence.at <= Heard.inventory_at)
    query = select(Heard.device, Heard.inventory_at, func.min(Evidence.id)).outerjoin(Evidence, same)
    query = query.where(Heard.device.in_(runs), Heard.inventory_at.is_not(None)).group_by(Heard.device)
    return {row[0]: Said(*runs[row[0]], row[1] or 0, row[2]) for row in session.execute(query)}


def _ordered(session: Session, uuids: list[str]) -> dict[str, str]:
    """An action sent since its inventory after which a device may run something else, or nothing any more."""
    since = (Heard.device == Sent.device) & (Sent.at >= Heard.inventory_at)
    query = select(Sent).join(Heard, since).where(Sent.device.in_(uuids), Sent.type == wire.ACTION).order_by(Sent.id)
    named = [(sent.device, _action(sent)) for sent in session.scalars(query)]
    return {device: name for device, name in named if name in ("REVERT", "SELF_DESTRUCT")}


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
