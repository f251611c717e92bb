"""The registry: which devices there are, what groups and tags they have, when they were last heard of, and who is kept apart.

The fleet's directory says who belongs to it and with which key; what is here besides follows from the frames they sign.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Select, case, delete, func, select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import NAME, Device, Fleet
from srup_host.inventory import read
from srup_host.server import audit
from srup_host.server.errors import Missing
from srup_host.server.models import Label, Member
from srup_host.server.rollout_plan import zone

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
        told = read(inventory) if inventory else None
    except ValueError:
        return
    if told:
        member.app, member.version = _text(told.get("name")), _text(told.get("version"))
        member.counter = told["counter"] if type(told.get("counter")) is int else None


def _text(value: object) -> str | None:
    return value[:64] if isinstance(value, str) else None


def state(session: Session, uuid: str, online: bool) -> bool:
    """What the broker says in the device's name; a hint, signed by nobody. True if that is news."""
    member = session.get(Member, uuid)
    if member is None or member.online == online:
        return False
    member.online = online
    return True


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
        query = query.where(_begins(Member.name, search) | _begins(Member.uuid, search))
    for column, value in ((Member.board, board), (Member.version, version)):
        query = query.where(column == value) if value else query
    for kind, name in (("group", group), ("tag", tag)):
        if name:
            labelled = select(Label.device).where(Label.kind == kind, Label.name == name)
            query = query.where(Member.uuid.in_(labelled))
    if quarantined is not None:
        query = query.where(Member.quarantined.is_not(None) if quarantined else Member.quarantined.is_(None))
    return query if online is None else query.where(Member.online.is_(online))


def _begins(column: Any, text: str) -> Any:
    """As an index finds it."""
    return (column >= text) & (column < f"{text}\U0010ffff")


def one(session: Session, name_or_uuid: str) -> Member:
    """Raises Missing for a device that is not there."""
    known = (Member.uuid == name_or_uuid.lower()) | (Member.name == name_or_uuid)
    member = session.scalar(select(Member).where(known, Member.left.is_(None)).limit(1))
    if member is None:
        raise Missing(f"there is no device {name_or_uuid!r}")
    return member


def as_device(member: Member) -> Device:
    return Device(member.uuid, member.name, member.board, member.public_key, member.provisioned)


class Version(NamedTuple):
    """What some devices say they run, and how many they are: all, online, of late failing, in quarantine."""

    app: str | None
    version: str | None
    devices: int
    online: int
    failing: int
    quarantined: int


def versions(session: Session) -> list[Version]:
    """The most frequent first. One look at the table, however large, has all figures of the fleet."""
    flags = Member.online, Member.failures > 0, Member.quarantined.is_not(None)
    counted = [func.sum(case((flag, 1), else_=0)) for flag in flags]
    query = select(Member.app, Member.version, func.count(), *counted).where(Member.left.is_(None))
    rows = session.execute(query.group_by(Member.app, Member.version).order_by(func.count().desc()))
    return [Version(*row[:2], *map(int, row[2:])) for row in map(tuple, rows)]


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


def set_zone(session: Session, member: Member, name: str, at: int) -> None:
    """Where it is, as in Europe/Paris; "" for nobody knows. Raises Failure for what is no time zone."""
    try:
        member.zone = zone(name) if name else ""
    except ValueError as error:
        raise Failure(str(error), "one of the IANA's names, as in Europe/Paris") from None
    audit.append(session, at, "set time zone", member.uuid, {"zone": name})


def replace(session: Session, old: Device, new: Device, at: int) -> None:
    """`new` takes the name, the groups, the tags and the time zone of `old`."""
    gone, came = enrol(session, old, at), enrol(session, new, at)
    had = labels(session, [gone.uuid])[gone.uuid]
    for kind in KINDS:
        set_labels(session, came.uuid, kind, had[f"{kind}s"], at)
        set_labels(session, gone.uuid, kind, [], at)
    came.name, came.zone = gone.name, gone.zone
    audit.append(session, at, "device replaced", gone.uuid, {"by": came.uuid, "name": gone.name})


def quarantine(session: Session, member: Member, why: str, at: int) -> None:
    """Leave this device out of roll-outs until a person lets it in again."""
    if member.quarantined is None:
        member.quarantined, member.quarantined_why = at, why
        audit.append(session, at, "device quarantined", member.uuid, {"why": why})


def release(session: Session, member: Member, at: int) -> None:
    if member.quarantined is not None:
        member.quarantined, member.quarantined_why, member.failures = None, None, 0
        audit.append(session, at, "device released", member.uuid)
