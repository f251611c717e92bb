"""The server as an ASGI application: the routes of the table, each behind its door, and behind them what devices download."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from srup import __version__
from srup_host.console import Failure
from srup_host.server import accounts, errors
from srup_host.server.bodies import Bodies
from srup_host.server.c2 import C2
from srup_host.server.guard import needs
from srup_host.server.headers import SecurityHeaders
from srup_host.server.pages import render
from srup_host.server.routes import ROUTES, Route

_STATUS = {
    errors.Missing: 404,
    errors.NotLoggedIn: 401,
    errors.Forbidden: 403,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
_AGAIN_S = 5  # after which to ask again, where the database has gone


_REFUSALS = (400, 401, 403, 404, 413, 429, 503)


class Refusal(BaseModel):
    """What went wrong, and what to do about it."""

    error: str
    hint: str


def create(c2: C2) -> FastAPI:
    app = FastAPI(
        title="SRUP",
        version=__version__,
        description="The C2 server of a fleet. Show an API token: `Authorization: Bearer srup_…`. Times are ms since 1970.",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # in the table, for those who may see it
    )
    app.state.c2 = c2
    accounts.nobody()  # now, and not when the first stranger asks
    for route in ROUTES:
        _add(app, route)
    app.add_middleware(Bodies)
    app.add_middleware(SecurityHeaders)
    app.add_exception_handler(Failure, _refused)
    app.add_exception_handler(HTTPException, _unheard)
    app.add_exception_handler(RequestValidationError, _unfit)
    return app


def _add(app: FastAPI, route: Route) -> None:
    app.add_api_route(
        route.path,
        route.handler,
        methods=[route.method],
        status_code=route.status,
        dependencies=[Depends(needs(route.role))],
        include_in_schema=not route.page,
        response_model=None,
        response_class=Response if route.media or route.status == 204 else JSONResponse,
        responses=_answers(route),
        tags=[route.role.word],
    )


def _answers(route: Route) -> dict[int | str, dict[str, Any]]:
    """What the description says of them, beside 422 and the success itself."""
    refused = {"model": Refusal}
    found: dict[int | str, dict[str, Any]] = {code: refused for code in _REFUSALS}
    found |= {code: {"description": HTTPStatus(code).phrase} for code in route.also}
    return found | ({route.status: {"content": {route.media: {}}}} if route.media else {})


def _refused(request: Request, error: Exception) -> Response:
    """What went wrong, for programs as JSON, for people as a page."""
    assert isinstance(error, Failure)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    headers = _retry_after(error)
    if status == 401 and _is_page(request) and request.method == "GET":
        return RedirectResponse("/log-in", 303)
    if _is_page(request):
        return render(request, "refused", status, code=status, error=error)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error.message, "hint": error.hint}, status, headers)


def _retry_after(error: Failure) -> dict[str, str]:
    if isinstance(error, errors.TooMany):
        return {"Retry-After": str(error.seconds)}
    return {"Retry-After": str(_AGAIN_S)} if isinstance(error, errors.Unavailable) else {}


def _unheard(request: Request, error: Exception) -> Response:
    """What the framework refuses, in the form that all refusals have."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail, "hint": ""}, error.status_code, error.headers)


def _unfit(request: Request, error: Exception) -> Response:
    """What is wrong where, without repeating it: it may be a password, or half a character, which nothing can be encoded from."""
    assert isinstance(error, RequestValidationError)
    wrong = [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()]
    return Response(json.dumps({"detail": wrong}), 422, media_type="application/json")


def _is_page(request: Request) -> bool:
    """For a person, who can log in."""
    path = getattr(request.scope.get("route"), "path", "")
    return any(route.page for route in ROUTES if route.path == path)
