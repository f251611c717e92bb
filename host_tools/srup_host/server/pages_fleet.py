"""Pages: the fleet, a device, devices that ask to join."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from srup_host.console import Failure
from srup_host.joins import Joins
from srup_host.server import api_fleet, api_orders, audit, device_view, registry
from srup_host.server.api_fleet import LabelsBody, QuarantineBody, Text
from srup_host.server.api_orders import ActionBody
from srup_host.server.asking import Here, Id, Page
from srup_host.server.c2 import C2
from srup_host.server.pages import render
from srup_host.tables import Sent

SIZE = 100
FRAMES = 50

Field = Annotated[str, Form(max_length=400)]


def fleet(
    c2: Here,
    request: Request,
    search: Text = "",
    board: Text = "",
    version: Text = "",
    group: Text = "",
    tag: Text = "",
    page: Page = 1,
) -> Response:
    """All devices at a glance, and those that are asked for."""
    asked: dict[str, Any] = {"search": search, "board": board, "version": version, "group": group, "tag": tag}
    found = api_fleet.list_devices(c2, **asked, page=page, size=SIZE)
    given = {name: value for name, value in asked.items() if value}
    query = f"{urlencode(given)}&" if given else ""
    shown = found | {"figures": api_fleet.overview(c2), "asked": asked, "query": query, "size": SIZE}
    return render(request, "fleet", **shown)


def device(c2: Here, request: Request, device: str) -> Response:
    with c2.read() as session:
        member = registry.one(session, device)
        shown = device_view.whole(session, member, c2.now())
        frames = device_view.frames(session, member.uuid, FRAMES)
    return render(request, "device", device=shown, frames=frames)


def ask(c2: Here, device: str) -> Response:
    api_fleet.ask(c2, device)
    return _back(device)


def label(c2: Here, device: str, groups: Field = "", tags: Field = "", zone: Field = "") -> Response:
    api_fleet.label(c2, device, LabelsBody(groups=groups.split(), tags=tags.split(), zone=zone.strip()))
    return _back(device)


def quarantine(c2: Here, device: str, why: Field = "", name: Field = "") -> Response:
    """Into it, if its name is given; out of it, if it is there."""
    with c2.read() as session:
        member = registry.one(session, device)
    if member.quarantined is not None:
        api_fleet.release(c2, device)
    elif name != member.name:
        raise Failure("that is not the name of this device", f"it is {member.name}: nothing was changed")
    else:
        api_fleet.quarantine(c2, device, QuarantineBody(why=why[:200] or "no reason given"))
    return _back(device)


def _back(device: str) -> Response:
    return RedirectResponse(f"/devices/{device}", 303)


def act(c2: Here, device: str, action: Field = "", parameters: Field = "", name: Field = "") -> Response:
    """At once, or as an order that waits for a second person."""
    done = api_orders.act(c2, device, ActionBody(action=action, parameters=parameters, name=name))
    return RedirectResponse("/orders", 303) if done["order"] else _back(device)


def orders(c2: Here, request: Request) -> Response:
    return render(request, "orders", orders=api_orders.list_orders(c2, SIZE))


def withdraw(c2: Here, order: Id) -> Response:
    api_orders.withdraw(c2, order)
    return RedirectResponse("/orders", 303)


def joins(c2: Here, request: Request) -> Response:
    return render(request, "joins", waiting=_joins(c2).waiting())


def _joins(c2: C2) -> Joins:
    return Joins(c2.fleet, c2.ledger, c2.now)


def let_in(c2: Here, device: str, name: Field = "") -> Response:
    """Whoever does it has compared the six words."""
    member, person = [], audit.actor()
    _joins(c2).compared(device, person)

    def accept() -> Sent:
        came, sent = _joins(c2).accept(device, name, person)
        member.append(came)
        return sent

    c2.send(accept)
    return _back(member[0].uuid)


def refuse(c2: Here, device: str) -> Response:
    _joins(c2).refuse(device)
    return RedirectResponse("/joins", 303)
