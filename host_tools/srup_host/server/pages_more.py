"""Pages: bundles, the audit log, accounts."""

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile

from srup_host.console import Failure
from srup_host.server import accounts as stored
from srup_host.server import api_access, api_audit, api_bundles
from srup_host.server.api_access import AccountBody, InvitationBody
from srup_host.server.asking import Here, Id
from srup_host.server.c2 import C2
from srup_host.server.pages import render

SIZE = 100
Text = Annotated[str, Form(max_length=64)]


def bundles(c2: Here, request: Request) -> Response:
    return _bundles(c2, request, "")


def _bundles(c2: C2, request: Request, error: str) -> Response:
    return render(request, "bundles", 400 if error else 200, bundles=api_bundles.list_bundles(c2), error=error)


async def add_bundle(c2: Here, request: Request) -> Response:
    form = await request.form()
    file = form.get("file")
    if not isinstance(file, UploadFile):
        return _bundles(c2, request, "choose a file")
    with tempfile.NamedTemporaryFile(prefix="srup-", suffix=".srup") as copy:
        while chunk := await file.read(65_536):
            copy.write(chunk)
        copy.flush()
        try:
            await run_in_threadpool(api_bundles.take, c2, Path(copy.name))
        except Failure as failure:
            return _bundles(c2, request, str(failure).replace(copy.name, file.filename or "the file"))
    return RedirectResponse("/bundles", 303)


def audit(c2: Here, request: Request, before: Annotated[int | None, Query(ge=1, le=2**53)] = None) -> Response:
    return render(
        request, "audit", lines=api_audit.lines(c2, before, "", SIZE), size=SIZE, heads=api_audit.heads(c2, 24)
    )


def accounts(c2: Here, request: Request) -> Response:
    return render(request, "accounts", accounts=api_access.list_accounts(c2), link="")


def invite(c2: Here, request: Request, role: Text) -> Response:
    """The link is in the answer, and nowhere else."""
    link = api_access.invite(c2, InvitationBody(role=role))["link"]
    return render(request, "accounts", accounts=api_access.list_accounts(c2), link=link)


def change_account(c2: Here, account: Id, name: Text = "") -> Response:
    """Close it, if its name is given; open it again, if it is closed."""
    with c2.read() as session:
        found = stored.account(session, account)
    if found.closed is None and name != found.name:
        raise Failure("that is not the name of this account", f"it is {found.name}: nothing was changed")
    api_access.change_account(c2, account, AccountBody(closed=found.closed is None))
    return RedirectResponse("/accounts", 303)
