"""What pages have in common: templates, what they say of times and sizes, and the files that go with them."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from srup import status
from srup_host import console
from srup_host.server import rollout_states
from srup_host.server.errors import Missing
from srup_host.server.roles import Role

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_YEAR_S = 31_536_000

_templates = Environment(
    loader=PackageLoader("srup_host.server"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(request: Request, template: str, status_code: int = 200, /, **values: Any) -> HTMLResponse:
    """The page `template`.html; `actor` in it is who is asking, None for nobody."""
    actor = getattr(request.state, "actor", None)
    page = _templates.get_template(f"{template}.html").render(
        actor=actor, Role=Role, fleet=request.app.state.c2.fleet.name, path=request.url.path, asset=asset, **values
    )
    return HTMLResponse(page, status_code)


@cache
def _file(name: str) -> bytes | None:
    """A file of static/, by a name without any path in it."""
    found = files("srup_host.server") / "static" / name
    return found.read_bytes() if "/" not in name and not name.startswith(".") and found.is_file() else None


def asset(name: str) -> str:
    """Where a page finds a file of static/: under a name that changes with it, and so may be kept for ever."""
    return f"/static/{name}?{hashlib.sha256(_file(name) or b'').hexdigest()[:12]}"


def static(name: str) -> Response:
    data = _file(name)
    if data is None:
        raise Missing(f"there is no file {name!r}")
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return Response(data, media_type=kind, headers={"Cache-Control": f"max-age={_YEAR_S}, immutable"})


# Filters


def when(ms: int | None) -> Markup:
    """A time, for people and for machines."""
    if ms is None:
        return Markup("never")
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def summary(counts: dict[str, int]) -> str:
    """Numbers of devices by their state, in words."""
    return ", ".join(f"{counts[state]} {state}" for state in rollout_states.STATES if counts.get(state))


_templates.filters |= {
    "when": when,
    "summary": summary,
    "size": console.size,
    "status": lambda value: "" if value is None else status.name(value),
    "role": lambda value: Role(value).word,
    "short": lambda text: f"{text[:12]}…",
}
