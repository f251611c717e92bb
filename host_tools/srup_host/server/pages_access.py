"""The way in and out: log in, log out, and the invitation that makes an account."""

from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from srup_host.console import Failure
from srup_host.server import accounts
from srup_host.server.asking import Here
from srup_host.server.c2 import C2
from srup_host.server.guard import COOKIE, address, check_same_origin
from srup_host.server.pages import render
from srup_host.server.roles import Role

Text = Annotated[str, Form(max_length=accounts.PASSWORD_MOST)]


def log_in_form(request: Request) -> Response:
    return render(request, "log_in", error="", name="")


def log_in(c2: Here, request: Request, name: Text, password: Text) -> Response:
    check_same_origin(request)
    c2.log_ins.check(f"address {address(request)}")
    c2.log_ins.check(f"account {name}")
    with c2.read() as session:
        account = accounts.check_password(session, name, password)
    if account is None:
        return render(request, "log_in", 401, error="That is not the name and the password of an account.", name=name)
    return _enter(c2, account.id)


def _enter(c2: C2, account_id: int) -> Response:
    with c2.write() as session:
        secret = accounts.log_in(session, account_id, c2.now())
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, secret, secure=True, httponly=True, samesite="lax", path="/")
    return answer


def log_out(c2: Here, request: Request) -> Response:
    with c2.write() as session:
        accounts.log_out(session, request.cookies.get(COOKIE, ""), c2.now())
    answer = RedirectResponse("/log-in", 303)
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax", path="/")
    return answer


def invitation_form(c2: Here, request: Request, secret: str) -> Response:
    return _invitation(c2, request, secret, "")


def _invitation(c2: C2, request: Request, secret: str, error: str, name: str = "") -> Response:
    with c2.read() as session:
        role = Role(accounts.invitation(session, secret, c2.now()).role)
    shown = {"secret": secret, "role": role, "error": error, "name": name, "least": accounts.PASSWORD}
    return render(request, "invitation", 400 if error else 200, **shown)


def accept_invitation(c2: Here, request: Request, secret: str, name: Text, password: Text, again: Text) -> Response:
    check_same_origin(request)
    c2.log_ins.check(f"address {address(request)}")
    try:
        if password != again:
            raise Failure("the two passwords differ")
        with c2.read() as session:
            accounts.invitation(session, secret, c2.now())  # before the work of hashing for anybody
        kept = accounts.hashed(name, password)
        with c2.write() as session:
            account = accounts.accept(session, secret, name, kept, c2.now())
    except Failure as failure:
        return _invitation(c2, request, secret, str(failure), name)
    return _enter(c2, account.id)
