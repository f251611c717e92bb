"""/api/v1: bundles."""

import tempfile
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from srup_host.console import Failure
from srup_host.server import bundles
from srup_host.server.asking import Here
from srup_host.server.c2 import C2
from srup_host.server.models import Release


def facts(release: Release) -> dict[str, Any]:
    names = ("digest", "name", "version", "url", "size", "manifest", "added", "added_by")
    return {name: getattr(release, name) for name in names} | {"what": bundles.what(release)}


def list_bundles(c2: Here) -> list[dict[str, Any]]:
    """The newest first."""
    with c2.read() as session:
        return [facts(release) for release in bundles.newest_first(session)]


def show_bundle(c2: Here, digest: str) -> dict[str, Any]:
    with c2.read() as session:
        return facts(bundles.one(session, digest))


async def upload(c2: Here, request: Request) -> dict[str, Any]:
    """Take a .srup file, the body of the request, if the fleet's release key signed it."""
    with tempfile.NamedTemporaryFile(prefix="srup-", suffix=".srup") as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > bundles.MOST:
                raise Failure(f"a bundle has at most {bundles.MOST} bytes")
            file.write(chunk)
        file.flush()
        try:
            return facts(await run_in_threadpool(take, c2, Path(file.name)))
        except Failure as failure:  # whoever sent it has never heard of our copy
            raise Failure(failure.message.replace(file.name, "this"), failure.hint, failure.code) from None


def take(c2: C2, path: Path) -> Release:
    opened = bundles.check(c2.fleet, path)
    with c2.write() as session:
        release = bundles.add(session, c2.fleet, path, opened, c2.now())
    c2.news.tell("bundles")
    return release
