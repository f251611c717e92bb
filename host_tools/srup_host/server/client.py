"""The REST API as the command line uses it: where the server is, what to show it, and what it answers.

SRUP_SERVER and SRUP_TOKEN say so; without them it is the fleet's own server, and an API token that is kept in the fleet's
directory (api.token, 0600): whoever can read that may do everything anyway.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from srup_host import files, net
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.server import accounts
from srup_host.server.c2 import C2
from srup_host.server.roles import Role

_TIMEOUT_S = 30


class Client:
    """Talks to the server of a fleet. Raises Failure for what it refuses, and where it is not there."""

    def __init__(self, fleet_dir: Path | None):
        where = os.environ.get("SRUP_SERVER", "")
        fleet = None if where and "SRUP_TOKEN" in os.environ else Fleet.open(fleet_dir)
        if fleet and not where:
            where = f"https://{fleet.https.host}:{fleet.https.port}"
        token = os.environ.get("SRUP_TOKEN") or (_own_token(fleet) if fleet else "")
        self._http = httpx2.Client(
            base_url=where,
            verify=net.client_context(fleet) if fleet else ssl.create_default_context(),
            headers={"Authorization": f"Bearer {token}"},
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
        try:
            answer = self._http.request(method, f"/api/v1{path}", **what)
        except httpx2.HTTPError as error:
            raise Failure(f"no server at {self._http.base_url}: {error}", "start it: srup serve") from None
        if answer.is_success:
            return answer.json()
        raise _refusal(answer)


def _refusal(answer: httpx2.Response) -> Failure:
    try:
        told = answer.json()
        if "detail" in told:  # the form of the request is wrong, and the framework says where
            detail = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in told["detail"])
            return Failure(f"the server does not take this: {detail}")
        return Failure(told["error"], told["hint"])
    except (ValueError, KeyError, TypeError):
        return Failure(f"the server answers {answer.status_code}, and not in its own words")


def _own_token(fleet: Fleet) -> str:
    path = fleet.directory / "api.token"
    if not path.exists():
        c2 = C2(fleet)
        with c2.write() as session:
            secret, _ = accounts.make_token(session, "command-line", Role.ADMIN, c2.now())
        c2.close()
        files.write_new(path, f"{secret}\n".encode(), 0o600)
    return files.read(path).decode().strip()
