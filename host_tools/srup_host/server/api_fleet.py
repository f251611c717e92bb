"""/api/v1: devices."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from srup_host.server import device_view, registry
from srup_host.server.asking import Body, Here, Page, Size
from srup_host.server.c2 import C2
from srup_host.server.models import Member

Text = Annotated[str, Query(max_length=64)]


class LabelsBody(Body):
    groups: list[str] | None = Field(None, max_length=64)
    tags: list[str] | None = Field(None, max_length=64)
    zone: str | None = Field(None, max_length=64, description='its time zone, as in Europe/Paris; "" for none')


class BulkBody(LabelsBody):
    devices: list[str] = Field(min_length=1, max_length=1000)


class QuarantineBody(Body):
    why: str = Field(min_length=1, max_length=200)


def overview(c2: Here) -> dict[str, Any]:
    """The fleet in figures."""
    with c2.read() as session:
        return in_figures(session)


def in_figures(session: Session) -> dict[str, Any]:
    versions = registry.versions(session)
    names = ("devices", "online", "failing", "quarantined")
    figures: dict[str, Any] = {name: sum(getattr(one, name) for one in versions) for name in names}
    shown = [{"app": one.app, "version": one.version, "devices": one.devices} for one in versions]
    return figures | {"versions": shown}


def list_devices(
    c2: Here,
    search: Text = "",
    board: Text = "",
    version: Text = "",
    group: Text = "",
    tag: Text = "",
    quarantined: bool | None = None,
    online: bool | None = None,
    page: Page = 1,
    size: Size = 100,
) -> dict[str, Any]:
    query = registry.members(
        search=search,
        board=board,
        version=version,
        group=group,
        tag=tag,
        quarantined=quarantined,
        online=online,
    )
    with c2.read() as session:
        total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery()))
        members = list(session.scalars(query.offset((page - 1) * size).limit(size)))
        return {"total": total, "page": page, "devices": device_view.facts(session, members, c2.now())}


def show_device(c2: Here, device: str) -> dict[str, Any]:
    """All that is known of a device: by its UUID or its name."""
    with c2.read() as session:
        return device_view.whole(session, registry.one(session, device), c2.now())


def frames(c2: Here, device: str, size: Size = 50) -> list[dict[str, Any]]:
    """The latest frames to and from a device, as they were signed."""
    with c2.read() as session:
        return device_view.frames(session, registry.one(session, device).uuid, size)


def label(c2: Here, device: str, body: LabelsBody) -> dict[str, Any]:
    """Set groups, tags, the time zone: what is given of these."""
    with c2.write() as session:
        member = registry.one(session, device)
        _label(session, c2, member, body)
        return {**registry.labels(session, [member.uuid])[member.uuid], "zone": member.zone}


def label_many(c2: Here, body: BulkBody) -> dict[str, int]:
    """The same groups, tags or time zone for many devices: all of them, or, if one is unknown, none."""
    with c2.write() as session:
        members = [registry.one(session, device) for device in body.devices]
        for member in members:
            _label(session, c2, member, body)
    return {"devices": len(members)}


def _label(session: Session, c2: C2, member: Member, body: LabelsBody) -> None:
    for kind, names in (("group", body.groups), ("tag", body.tags)):
        if names is not None:
            registry.set_labels(session, member.uuid, kind, names, c2.now())
    if body.zone is not None:
        registry.set_zone(session, member, body.zone, c2.now())


def quarantine(c2: Here, device: str, body: QuarantineBody) -> dict[str, Any]:
    """Leave a device out of roll-outs until it is released."""
    with c2.write() as session:
        member = registry.one(session, device)
        registry.quarantine(session, member, body.why, c2.now())
        return device_view.whole(session, member, c2.now())


def release(c2: Here, device: str) -> dict[str, Any]:
    with c2.write() as session:
        member = registry.one(session, device)
        registry.release(session, member, c2.now())
        return device_view.whole(session, member, c2.now())


def ask(c2: Here, device: str) -> dict[str, str]:
    """ID_REQUEST: have the device say what it runs. The answer comes later, among its frames."""
    with c2.read() as session:
        member = registry.one(session, device)
    sent = c2.send(c2.ledger.id_request, registry.as_device(member))
    return {"token": sent.token.hex()}
