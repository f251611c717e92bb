"""The door of every route: how often, who, may they, and is it really they who ask.

1. Each address may ask only so often.
2. Who is asking? An API token (Authorization: Bearer), or else a session (a cookie).
3. Has this one the role that the table of routes names?
4. What a browser sends along by itself proves nothing: a request that changes something, made with a cookie, must come from
   our own pages (Origin, Sec-Fetch-Site) and show the session's secret (X-CSRF-Token, or `csrf` in a form).
"""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from srup_host.server import accounts, audit
from srup_host.server.accounts import Actor
from srup_host.server.c2 import C2
from srup_host.server.errors import Forbidden, NotLoggedIn
from srup_host.server.roles import Role

COOKIE = "__Host-srup"  # the prefix has browsers insist on Secure, on Path=/ and on this host alone
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_SAFE = ("GET", "HEAD", "OPTIONS")


def needs(role: Role) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets through whoever has this role, or a higher one; `request.state.actor` is who."""

    async def check(request: Request) -> None:
        c2: C2 = request.app.state.c2
        c2.requests.check(address(request))
        request.state.actor = None
        if role is Role.ANYBODY:
            return
        actor = await run_in_threadpool(_who, c2, request)
        if actor.role < role:
            raise Forbidden(f"this takes the role {role.word}, and yours is {actor.role.word}")
        if actor.csrf and request.method not in _SAFE:
            await _check_origin(request, actor)
        request.state.actor = actor
        audit.set_actor(actor.name)

    return check


def address(request: Request) -> str:
    return request.client.host if request.client else ""


def _who(c2: C2, request: Request) -> Actor:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise NotLoggedIn("only API tokens are taken here", "Authorization: Bearer srup_…")
        with c2.read() as session:
            return accounts.program(session, secret.strip(), c2.now())
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        raise NotLoggedIn("this takes an account", "log in, or send an API token")
    with c2.read() as session:
        actor, unnoted = accounts.visitor(session, secret, c2.now())
    if unnoted:
        with c2.write() as session:
            accounts.used(session, secret, c2.now())
    return actor


async def _check_origin(request: Request, actor: Actor) -> None:
    check_same_origin(request)
    given = request.headers.get("x-csrf-token", "")
    if not given and request.headers.get("content-type", "").startswith(_FORMS):
        given = str((await request.form()).get("csrf", ""))
    if not hmac.compare_digest(given.encode(), actor.csrf.encode()):
        raise Forbidden("this did not come from a page of ours", "load the page again")


def check_same_origin(request: Request) -> None:
    """Raises Forbidden for what another site has a browser send."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or (origin and origin.partition("://")[2] != request.headers.get("host")):
        raise Forbidden("this came from another site")
