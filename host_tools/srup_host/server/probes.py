"""For those who watch the server: does it live, can it work, how is the fleet."""

from fastapi import Response
from sqlalchemy import func, select, text

from srup_host.server import registry
from srup_host.server.asking import Here
from srup_host.server.models import AuditLine, Member


def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


def ready(c2: Here, response: Response) -> dict[str, bool]:
    """Database and broker can be reached; 503 if not."""
    with c2.read() as session:
        database = session.scalar(text("SELECT 1")) == 1
    response.status_code = 200 if database and c2.connected else 503
    return {"database": database, "broker": c2.connected}


def metrics(c2: Here) -> Response:
    """Prometheus' text format."""
    with c2.read() as session:
        count = select(func.count()).select_from(Member).where(Member.left.is_(None))
        figures = {
            "srup_devices": session.scalar(count),
            "srup_devices_online": session.scalar(count.where(Member.online)),
            "srup_devices_quarantined": session.scalar(count.where(Member.quarantined.is_not(None))),
            "srup_audit_lines_total": session.scalar(select(func.max(AuditLine.number))) or 0,
        }
        versions = registry.versions(session)
    lines = [f"{name} {value}" for name, value in figures.items()]
    lines += [
        f'srup_devices_running{{app="{_quoted(app)}",version="{_quoted(version)}"}} {number}'
        for app, version, number in versions
    ]
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _quoted(text: str | None) -> str:
    return (text or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
