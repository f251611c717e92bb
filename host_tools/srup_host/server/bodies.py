"""No request's body is longer than it may be, whoever sends it: no more than that is ever read."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srup import limits
from srup_host.server import bundles

MOST = 1024 * 1024
_BUNDLES = ("/bundles", "/api/v1/bundles")
_POLLS = "/srup/v1/"
_FORM = 64 * 1024  # what a form has around the file
_WHY = "the body is too long"


class Bodies:
    """Wraps an ASGI app: 413 for what is too long, declared or not."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left = _most(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > left:
            await JSONResponse({"error": _WHY, "hint": ""}, 413)(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, _WHY)
            return message

        await self._app(scope, counted, send)


def _most(path: str) -> int:
    if path.startswith(_POLLS):
        return limits.POLL_BODY
    return bundles.MOST + _FORM if path in _BUNDLES else MOST
