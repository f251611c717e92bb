"""HTTPS hosting of bundles: the files of one directory, with Range, and nothing else.

starlette answers, uvicorn listens; both run in the caller's event loop, beside the broker.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srup_host import files, net
from srup_host.bundle import Bundle
from srup_host.fleet import Fleet

_GRACE_S = 2  # what a download under way is left when the server stops


class Request(NamedTuple):
    """What was asked for and answered. size: bytes of body sent. range: the header, "" where there was none."""

    path: str
    status: int
    size: int
    range: str


def offer(fleet: Fleet, packed: Path, bundle: Bundle) -> str:
    """Put a bundle where `srup serve` serves it, under a name that no other content ever has; its URL."""
    return offer_bytes(fleet, files.read(packed), bundle.manifest)[0]


def offer_bytes(fleet: Fleet, raw: bytes, manifest: Mapping[str, Any], ending: str = ".srup") -> tuple[str, bytes]:
    """The same of what is not in a file; (URL, SHA-256). ending: of the name."""
    digest = hashlib.sha256(raw)
    name = f"{manifest['name']}-{manifest['version']}-{digest.hexdigest()[:16]}{ending}"
    public(fleet).mkdir(exist_ok=True)
    files.replace(public(fleet) / name, raw)
    return f"https://{fleet.https.host}:{fleet.https.port}/{quote(name)}", digest.digest()


def file_of(url: str) -> str:
    """The name under which `offer` has put it."""
    return unquote(url.rpartition("/")[2])


def public(fleet: Fleet) -> Path:
    """What everybody may download: bundles are signed, and secret only where they are encrypted."""
    return fleet.directory / "public"


class Hosting:
    """The files under `directory`, by HTTPS on `sockets`, for as long as the context lasts.

    context: TLS, None for plain HTTP in front of which another server does it · seen: told of every request answered ·
    pages: an application that is asked first.
    """

    def __init__(
        self,
        directory: Path,
        context: ssl.SSLContext | None,
        sockets: list[socket.socket],
        seen: Callable[[Request], None] = lambda request: None,
        pages: Starlette | None = None,
    ):
        directory.mkdir(parents=True, exist_ok=True)
        self._sockets = sockets
        self.port = net.port_of(sockets)
        app = pages or Starlette()
        app.router.routes.append(Mount("/", _Files(directory=directory)))
        self._server = _Server(
            uvicorn.Config(
                _Watched(app, seen),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                ssl_context_factory=(lambda config, default: context) if context else None,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._server.serve(self._sockets))
        try:
            while not self._server.started and not self._task.done():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            await self.__aexit__()
            raise
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C is the whole process's affair, not this server's."""
        yield


class _Files(StaticFiles):
    """404 for whatever is not a file to be had: hidden and unfinished ones, directories, what may not be read."""

    def get_path(self, scope: Scope) -> str:
        return "." if scope["path"].endswith("/") else super().get_path(scope)

    def lookup_path(self, path: str) -> tuple[str, Any]:
        if any(part.startswith(".") for part in Path(path).parts):
            return "", None
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Any:
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            raise HTTPException(404 if error.status_code == 401 else error.status_code, headers=error.headers) from None
        except OSError:
            raise HTTPException(404) from None


class _Watched:
    """Tells of every answer, whole or broken off."""

    def __init__(self, app: ASGIApp, seen: Callable[[Request], None]):
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = size = 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            status = message.get("status", status)
            await send(message)
            size += len(message.get("body", b""))

        try:
            await self._app(scope, receive, counted)
        finally:
            asked = dict(scope.get("headers", ())).get(b"range", b"").decode("latin-1")
            self._seen(Request(scope.get("path", ""), status, size, asked))
