"""The REST API as the command line uses it: where the server is, what to show it, and what it answers.

SRUP_SERVER and SRUP_TOKEN say so; without them it is the fleet's own server, and an API token for that one which is kept in the
fleet's directory (api.token, 0600): whoever can read that may do everything anyway. SRUP_CA names the CA that vouches for the server, the
fleet's by default; where there is neither, the machine's.
"""

import contextlib
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from srup_host import console, files, fleet, net
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.server import accounts, headers
from srup_host.server.c2 import C2
from srup_host.server.errors import NotLoggedIn
from srup_host.server.roles import Role

_TIMEOUT_S = 30


class Client:
    """Talks to the server of a fleet. Raises Failure for what it refuses, and where it is not there."""

    def __init__(self, fleet_dir: Path | None):
        where = os.environ.get("SRUP_SERVER", "")
        home = fleet.find(fleet_dir) if where else Fleet.open(fleet_dir)
        url = _url(where or _address(home))
        given = os.environ.get("SRUP_TOKEN")
        self._own = None if given else _owner(home, url)  # whose own token it is
        token = given or (_own_token(self._own) if self._own else "")
        self._http = httpx2.Client(
            base_url=url,
            verify=_context(home),
            headers={"Authorization": f"Bearer {_checked(token)}"},
            timeout=_TIMEOUT_S,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **asked: Any) -> Any:
        return self._call("GET", path, params={name: value for name, value in asked.items() if value not in (None, "")})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("POST", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._call("PATCH", path, json=dict(body))

    def upload(self, path: Path) -> Any:
        """Add a bundle."""
        return self._call("POST", "/bundles", content=files.read(path))

    def _call(self, method: str, path: str, **what: Any) -> Any:
        answer = self._ask(method, path, **what)
        if answer.status_code == 401 and self._own:
            self._http.headers["Authorization"] = f"Bearer {_renewed(self._own)}"
            answer = self._ask(method, path, **what)
        if not answer.is_success:
            raise _refusal(answer)
        name, version = headers.API
        if answer.headers.get(name) != version:
            raise Failure(
                f"what is at {self._http.base_url} is no server of srup's, or of another version", "see SRUP_SERVER"
            )
        return answer.json()

    def _ask(self, method: str, path: str, **what: Any) -> httpx2.Response:
        try:
            return self._http.request(method, f"/api/v1{path}", **what)
        except httpx2.HTTPError as error:
            raise _unreachable(str(self._http.base_url), error) from None


def _address(home: Fleet | None) -> str:
    """Of the fleet's own server; empty where there is no fleet."""
    return f"https://{home.https.host}:{home.https.port}" if home else ""


def _url(where: str) -> httpx2.URL:
    try:
        url = httpx2.URL(where)
    except httpx2.InvalidURL:
        url = httpx2.URL()
    if url.scheme != "https" or not url.host:
        raise Failure(f"{console.shortened(where)} is no address of a server", "as in SRUP_SERVER=https://HOST:8443")
    return url


def _checked(token: str) -> str:
    if not re.fullmatch("[!-~]+", token):
        raise Failure("what is given as the API token is none", "it is one word, as in SRUP_TOKEN=srup_...")
    return token


def _context(home: Fleet | None) -> ssl.SSLContext:
    """Trusts the CA that SRUP_CA names, or else the fleet's, or else those of this machine."""
    path = os.environ.get("SRUP_CA")
    if home and not path:
        return net.client_context(home)
    try:
        context = ssl.create_default_context(cafile=path or None)
    except OSError as error:  # ssl.SSLError is one
        raise Failure(f"the CA certificate {path} can't be used: {error}", "SRUP_CA names a file in PEM form") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _unreachable(where: str, error: BaseException) -> Failure:
    """What an exception of httpx2 comes to. Of TLS it keeps the words alone, and the reason is in what caused it."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause:
        return Failure(
            f"the server at {where} can't prove who it is: {cause.verify_message}",
            "SRUP_CA=FILE names the CA that vouches for it, the fleet's tls/ca.pem; --fleet knows it, too",
        )
    return Failure(f"no server at {where}: {error}", "start it: srup serve")


def _refusal(answer: httpx2.Response) -> Failure:
    try:
        told = answer.json()
        if "detail" in told:  # the form of the request is wrong, and the framework says where
            detail = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in told["detail"])
            return Failure(f"the server does not take this: {detail}")
        return Failure(told["error"], told["hint"])
    except (ValueError, KeyError, TypeError):
        return Failure(f"the server answers {answer.status_code}, and not in its own words")


def _owner(home: Fleet | None, url: httpx2.URL) -> Fleet:
    """The fleet at hand, if this is its own server: its own token is an administrator's, and for nobody else."""
    own = _address(home)
    if home is None or (url.host, url.port) != (_url(own).host, _url(own).port):
        raise Failure(f"{url} is not this fleet's own server, and there is no API token for it", "give SRUP_TOKEN")
    return home


def _own_token(home: Fleet) -> str:
    return _kept(home) or _make_token(home)


def _renewed(home: Fleet) -> str:
    """Another one for what the server has refused: it was revoked, and whoever is here may make as many as they like."""
    kept = _kept(home)
    with contextlib.closing(C2(home)) as c2:
        try:
            with c2.read() as session:
                accounts.program(session, kept, c2.now())
        except NotLoggedIn:
            return _make_token(home)
    raise Failure("the server has another database than there is here", "set SRUP_DATABASE as it has it")


def _kept(home: Fleet) -> str:
    path = _path(home)
    return files.read(path).decode(errors="replace").strip() if path.exists() else ""


def _make_token(home: Fleet) -> str:
    with contextlib.closing(C2(home)) as c2, c2.write() as session:
        secret, _ = accounts.make_token(session, "command-line", Role.ADMIN, c2.now())
    files.replace(_path(home), f"{secret}\n".encode(), 0o600)
    return secret


def _path(home: Fleet) -> Path:
    return home.directory / "api.token"
