"""Pages: the fleet, a device, devices that ask to join."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from srup_host.console import Failure
from srup_host.server import api_fleet, device_view, registry
from srup_host.server.api_fleet import LabelsBody, QuarantineBody, Text
from srup_host.server.asking import Here, Page
from srup_host.server.pages import render

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


def label(c2: Here, device: str, groups: Field = "", tags: Field = "") -> Response:
    api_fleet.label(c2, device, LabelsBody(groups=groups.split(), tags=tags.split()))
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


def joins(request: Request) -> Response:
    return render(request, "joins")
