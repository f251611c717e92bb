"""The registry: which devices there are, what groups and tags they have, when they were last heard of, and who is kept apart.

The fleet's directory says who belongs to it and with which key; what is here besides follows from the frames they sign.
"""

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import NAME, Device, Fleet
from srup_host.server import audit
from srup_host.server.errors import Missing
from srup_host.server.models import Label, Member

KINDS = ("group", "tag")


def fingerprint(public_key: bytes) -> str:
    """SHA-256 of a public key, in hex."""
    return hashlib.sha256(public_key).hexdigest()


def enrol(session: Session, device: Device, at: int) -> Member:
    """The device's entry, made when it is first met; the audit log has its key from then on."""
    member = session.get(Member, device.uuid)
    if member is None:
        member = Member(
            uuid=device.uuid,
            name=device.name,
            board=device.board,
            public_key=device.public_key,
            fingerprint=fingerprint(device.key),
            provisioned=device.provisioned,
        )
        session.add(member)
        known = {"name": device.name, "board": device.board, "public_key": device.public_key}
        audit.append(session, at, "device enrolled", device.uuid, known)
    return member


def sync(session: Session, fleet: Fleet, at: int) -> None:
    """Take up devices that have come to the fleet's directory, and note which have left it."""
    there = set(fleet.device_uuids())
    known = {uuid: left for uuid, left in session.execute(select(Member.uuid, Member.left))}
    for uuid in sorted(there - known.keys()):
        enrol(session, fleet.device(uuid), at)
    for uuid, left in known.items():
        if (uuid in there) == (left is not None):
            member = session.get_one(Member, uuid)
            member.left = None if uuid in there else at
            audit.append(session, at, "device came back" if uuid in there else "device left", uuid)


def heard(session: Session, uuid: str, at: int, inventory: bytes = b"") -> None:
    """A frame that the device has signed has come; inventory: what it says in it, if that is what it is."""
    member = session.get_one(Member, uuid)
    member.seen = at
    try:
        told = json.loads(inventory) if inventory else None
    except ValueError:
        return
    if isinstance(told, dict):
        member.app, member.version = _text(told.get("name")), _text(told.get("version"))
        member.counter = told["counter"] if type(told.get("counter")) is int else None


def _text(value: object) -> str | None:
    return value[:64] if isinstance(value, str) else None


def state(session: Session, uuid: str, online: bool) -> None:
    """What the broker says in the device's name; a hint, signed by nobody."""
    if member := session.get(Member, uuid):
        member.online = online


# Looking


def members(
    *,
    search: str = "",
    board: str = "",
    version: str = "",
    group: str = "",
    tag: str = "",
    quarantined: bool | None = None,
    online: bool | None = None,
) -> Select[Member]:
    """The devices of which all that is given is true, by name. search: how a name or UUID begins."""
    query = select(Member).where(Member.left.is_(None)).order_by(Member.name, Member.uuid)
    if search:
        query = query.where(
            Member.name.startswith(search, autoescape=True) | Member.uuid.startswith(search, autoescape=True)
        )
    for column, value in ((Member.board, board), (Member.version, version)):
        query = query.where(column == value) if value else query
    for kind, name in (("group", group), ("tag", tag)):
        if name:
            labelled = select(Label.device).where(Label.kind == kind, Label.name == name)
            query = query.where(Member.uuid.in_(labelled))
    if quarantined is not None:
        query = query.where(Member.quarantined.is_not(None) if quarantined else Member.quarantined.is_(None))
    return query if online is None else query.where(Member.online.is_(online))


def one(session: Session, name_or_uuid: str) -> Member:
    """Raises Missing for a device that is not there."""
    known = (Member.uuid == name_or_uuid.lower()) | (Member.name == name_or_uuid)
    member = session.scalar(select(Member).where(known, Member.left.is_(None)).limit(1))
    if member is None:
        raise Missing(f"there is no device {name_or_uuid!r}")
    return member


def as_device(member: Member) -> Device:
    return Device(member.uuid, member.name, member.board, member.public_key, member.provisioned)


def versions(session: Session) -> list[tuple[str | None, str | None, int]]:
    """(application, version, how many devices say so), the most frequent first."""
    count = func.count()
    query = select(Member.app, Member.version, count).where(Member.left.is_(None))
    rows = session.execute(query.group_by(Member.app, Member.version).order_by(count.desc()))
    return [(app, version, number) for app, version, number in rows]


def labels(session: Session, uuids: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Device -> {"groups": [...], "tags": [...]}."""
    found: dict[str, dict[str, list[str]]] = {uuid: {"groups": [], "tags": []} for uuid in uuids}
    query = select(Label).where(Label.device.in_(list(found))).order_by(Label.name)
    for label in session.scalars(query):
        found[label.device][f"{label.kind}s"].append(label.name)
    return found


# Changing


def set_labels(session: Session, uuid: str, kind: str, names: Iterable[str], at: int) -> None:
    """These groups, or tags, and no others. Raises Failure for what is no name."""
    names = sorted(set(names))
    for name in names:
        if not NAME.fullmatch(name):
            raise Failure(f"{name!r} is no name of a {kind}", "1 to 32 of A-Z a-z 0-9 . _ -")
    session.execute(delete(Label).where(Label.device == uuid, Label.kind == kind))
    session.add_all(Label(kind=kind, name=name, device=uuid) for name in names)
    audit.append(session, at, f"set {kind}s", uuid, {f"{kind}s": names})


def quarantine(session: Session, member: Member, why: str, at: int) -> None:
    """Leave this device out of roll-outs until a person lets it in again."""
    if member.quarantined is None:
        member.quarantined, member.quarantined_why = at, why
        audit.append(session, at, "device quarantined", member.uuid, {"why": why})


def release(session: Session, member: Member, at: int) -> None:
    if member.quarantined is not None:
        member.quarantined, member.quarantined_why, member.failures = None, None, 0
        audit.append(session, at, "device released", member.uuid)
