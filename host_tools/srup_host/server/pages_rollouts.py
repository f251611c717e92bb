"""Pages: roll-outs."""

from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from srup_host.console import Failure
from srup_host.server import api_bundles, api_rollouts
from srup_host.server.api_fleet import Text
from srup_host.server.api_rollouts import RolloutBody, WhyBody
from srup_host.server.asking import Here, Id, Page
from srup_host.server.c2 import C2
from srup_host.server.pages import render
from srup_host.server.rollout_states import FAILED

SIZE = 50
_SELECTOR = ("search", "board", "version", "group", "tag")


def rollouts(c2: Here, request: Request, page: Page = 1) -> Response:
    found = api_rollouts.list_rollouts(c2, page, SIZE)
    return render(request, "rollouts", rollouts=found, page=page, size=SIZE)


def rollout(c2: Here, request: Request, rollout: Id, state: Text = "", page: Page = 1) -> Response:
    shown = api_rollouts.show(c2, rollout)
    targets = api_rollouts.devices(c2, rollout, state, page, SIZE)
    failed = api_rollouts.devices(c2, rollout, FAILED, 1, SIZE)
    query = f"{urlencode({'state': state})}&" if state else ""
    values = {
        "rollout": shown,
        "targets": targets,
        "failed": failed,
        "page": page,
        "size": SIZE,
        "query": query,
        "state": state,
    }
    return render(request, "rollout", **values)


def new(c2: Here, request: Request) -> Response:
    return _form(c2, request, {}, "")


def _form(c2: C2, request: Request, given: dict[str, str], error: str) -> Response:
    values = {"bundles": api_bundles.list_bundles(c2), "given": given, "error": error}
    return render(request, "rollout_new", 400 if error else 200, **values)


async def create(c2: Here, request: Request) -> Response:
    given = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    try:
        made = await run_in_threadpool(api_rollouts.create, c2, _body(given))
    except (Failure, ValidationError, ValueError) as error:
        return _form(c2, request, given, _words(error))
    return RedirectResponse(f"/rollouts/{made['id']}", 303)


def _body(given: dict[str, str]) -> RolloutBody:
    policy: dict[str, Any] = {name: given[name] for name in ("window", "zone", "activation", "rate") if name in given}
    policy |= {name: float(given[name]) / 100 for name in ("success", "abort") if name in given}
    policy |= {"waves": given.get("waves", "100%").split(), "approval": "approval" in given}
    policy |= {"deltas": "whole" not in given, "seal": "seal" in given}
    selector = {name: given.get(name, "") for name in _SELECTOR}
    return RolloutBody.model_validate({"bundle": given.get("bundle", ""), "selector": selector, "policy": policy})


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return str(error)


def approve(c2: Here, rollout: Id) -> Response:
    api_rollouts.approve(c2, rollout)
    return _back(rollout)


def activate(c2: Here, rollout: Id) -> Response:
    api_rollouts.activate(c2, rollout)
    return _back(rollout)


def pause(c2: Here, rollout: Id) -> Response:
    api_rollouts.pause(c2, rollout, WhyBody())
    return _back(rollout)


def resume(c2: Here, rollout: Id) -> Response:
    api_rollouts.resume(c2, rollout, WhyBody())
    return _back(rollout)


async def abort(c2: Here, request: Request, rollout: Id) -> Response:
    why = str((await request.form()).get("why", ""))[:200]
    await run_in_threadpool(api_rollouts.abort, c2, rollout, WhyBody(why=why))
    return _back(rollout)


def _back(rollout: int) -> Response:
    return RedirectResponse(f"/rollouts/{rollout}", 303)
