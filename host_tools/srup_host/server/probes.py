"""For those who watch the server: does it live, can it work, how is the fleet."""

from collections.abc import Callable
from typing import NamedTuple

from fastapi import Response
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from srup_host.server import registry
from srup_host.server.asking import Here
from srup_host.server.c2 import C2
from srup_host.server.models import AuditLine, Rollout, Target
from srup_host.server.rollout_states import PAUSED, RUNNING, WAITING
from srup_host.tables import Alarm, Sent


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
    """Prometheus' text format: the fleet, its open roll-outs, and what the server waits for, as they are now."""
    with c2.read() as session:
        found = [*_fleet(session), *_rollouts(session), *_server(session, c2)]
    told = (
        f"# HELP {one.name} {one.what}\n# TYPE {one.name} {one.kind}\n" + "".join(map(one.line, one.values))
        for one in found
    )
    return Response("".join(told), media_type="text/plain; version=0.0.4")


class Figure(NamedTuple):
    """values: (its labels, the number)."""

    name: str
    kind: str
    what: str
    values: list[tuple[dict[str, str], int]]

    def line(self, value: tuple[dict[str, str], int]) -> str:
        labels = ",".join(f'{name}="{_quoted(text)}"' for name, text in value[0].items())
        return f"{self.name}{{{labels}}} {value[1]}\n" if labels else f"{self.name} {value[1]}\n"


def _fleet(session: Session) -> list[Figure]:
    versions = registry.versions(session)

    def total(name: str, what: str, of: Callable[[registry.Version], int]) -> Figure:
        return Figure(name, "gauge", what, [({}, sum(map(of, versions)))])

    running = [({"app": one.app or "", "version": one.version or ""}, one.devices) for one in versions]
    return [
        total("srup_devices", "Devices of the fleet.", lambda one: one.devices),
        total("srup_devices_online", "As far as the broker knows.", lambda one: one.online),
        total("srup_devices_failing", "Devices whose last update failed.", lambda one: one.failing),
        total("srup_devices_quarantined", "Devices that roll-outs leave out.", lambda one: one.quarantined),
        Figure("srup_devices_running", "gauge", "Devices by what they say they run.", running),
    ]


def _rollouts(session: Session) -> list[Figure]:
    """Of those that have not ended: what has ended does not change."""
    going_on = select(Rollout.id, Rollout.state).where(Rollout.state.in_((WAITING, RUNNING, PAUSED)))
    states = {number: state for number, state in session.execute(going_on)}
    query = select(Target.rollout, Target.state, func.count()).where(Target.rollout.in_(states))
    counted = session.execute(query.group_by(Target.rollout, Target.state))
    devices = [({"rollout": f"{number}", "state": state}, many) for number, state, many in counted]
    open_ones = [({"state": state}, list(states.values()).count(state)) for state in (WAITING, RUNNING, PAUSED)]
    return [
        Figure("srup_rollouts", "gauge", "Roll-outs that have not ended.", open_ones),
        Figure("srup_rollout_devices", "gauge", "Their devices.", devices),
    ]


def _server(session: Session, c2: C2) -> list[Figure]:
    figures = (
        ("srup_broker_connected", "gauge", "1 while there is a broker.", int(c2.connected)),
        (
            "srup_frames_unanswered",
            "gauge",
            "Frames to devices that nothing shows to have arrived.",
            _unanswered(session),
        ),
        ("srup_alarms_total", "counter", "What should not be.", session.scalar(select(func.sum(Alarm.count))) or 0),
        ("srup_audit_lines_total", "counter", "Of the log.", session.scalar(select(func.max(AuditLine.number))) or 0),
    )
    return [Figure(name, kind, what, [({}, int(value))]) for name, kind, what, value in figures]


def _unanswered(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Sent).where(Sent.unanswered)) or 0


def _quoted(text: str | None) -> str:
    return (text or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
