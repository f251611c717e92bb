"""/api/v1: roll-outs."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from srup_host import console
from srup_host.server import bundles, registry, rollout_states, rollouts
from srup_host.server.asking import Body, Here, Id, Page, Size
from srup_host.server.c2 import C2
from srup_host.server.models import Happening, Member, Release, Rollout, Target
from srup_host.server.rollout_plan import Policy


class Selector(Body):
    search: str = Field(default="", max_length=64, description="how its name or UUID begins")
    board: str = Field(default="", max_length=64)
    version: str = Field(default="", max_length=64, description="what it runs")
    group: str = Field(default="", max_length=64)
    tag: str = Field(default="", max_length=64)


class RolloutBody(Body):
    bundle: str = Field(description="its SHA-256, or the first 8 digits or more")
    name: str = Field(default="", max_length=100)
    devices: list[str] = Field(
        default=[], max_length=10_000, description="by name or UUID; with no selector and none of these: all"
    )
    selector: Selector = Selector()
    policy: Policy = Policy()


class WhyBody(Body):
    why: str = Field(default="", max_length=200)


def list_rollouts(c2: Here, page: Page = 1, size: Size = 50) -> list[dict[str, Any]]:
    """The newest first."""
    query = select(Rollout).order_by(Rollout.id.desc()).offset((page - 1) * size).limit(size)
    with c2.read() as session:
        return [rollouts.facts(session, rollout) for rollout in session.scalars(query)]


def create(c2: Here, body: RolloutBody) -> dict[str, Any]:
    """Begins at once, unless the policy asks for an approval."""
    selector = {key: value for key, value in body.selector.model_dump().items() if value}
    with c2.write() as session:
        registry.sync(session, c2.fleet, c2.now())  # whoever has come since the last look is meant too
        release = bundles.one(session, body.bundle)
        made = rollouts.create(session, release, body.name, body.devices, selector, body.policy, c2.now())
        session.flush()
        return rollouts.facts(session, made)


def show(c2: Here, rollout: Id) -> dict[str, Any]:
    with c2.read() as session:
        return rollouts.facts(session, rollouts.one(session, rollout))


def devices(
    c2: Here,
    rollout: Id,
    state: Annotated[str, Query(max_length=32)] = "",
    page: Page = 1,
    size: Size = 100,
) -> dict[str, Any]:
    """Its devices: how far each has come, and its last word."""
    with c2.read() as session:
        rollouts.one(session, rollout)
        return targets(session, rollout, state, page, size)


def targets(session: Session, rollout: int, state: str, page: int, size: int) -> dict[str, Any]:
    wanted = (Target.rollout == rollout, Target.state == state) if state else (Target.rollout == rollout,)
    total = session.scalar(select(func.count()).where(*wanted))
    query = select(Target, Member.name).join(Member, Member.uuid == Target.device).where(*wanted)
    rows = session.execute(query.order_by(Target.wave, Target.device).offset((page - 1) * size).limit(size))
    names = ("device", "wave", "state", "status", "attempts", "since", "due", "why", "bundle", "sealed")
    found = [{name: getattr(target, name) for name in names} | {"name": name} for target, name in rows]
    sent = _what(session, {one["bundle"] for one in found})
    return {"total": total, "page": page, "devices": [one | {"sent": sent.get(one["bundle"], "")} for one in found]}


def _what(session: Session, digests: set[str]) -> dict[str, str]:
    """Of each bundle: all of it, or a delta, and how large."""
    found = session.scalars(select(Release).where(Release.digest.in_(digests)))
    return {one.digest: f"{bundles.what(one)}, {console.size(one.size)}" for one in found}


def events(
    c2: Here, rollout: Id, device: Annotated[str, Query(max_length=64)] = "", size: Size = 100
) -> list[dict[str, Any]]:
    """Its transitions, the newest first."""
    query = select(Happening).where(Happening.rollout == rollout).order_by(Happening.id.desc()).limit(size)
    query = query.where(Happening.device == device) if device else query
    names = ("id", "device", "at", "event", "before", "after", "actor", "why")
    with c2.read() as session:
        rollouts.one(session, rollout)
        return [{name: getattr(one, name) for name in names} for one in session.scalars(query)]


def _change(c2: C2, number: int, change: Callable[[Session, Rollout], None]) -> dict[str, Any]:
    with c2.write() as session:
        rollout = rollouts.one(session, number)
        change(session, rollout)
        session.flush()
        shown = rollouts.facts(session, rollout)
    c2.news.tell(f"rollout {number}")
    return shown


def approve(c2: Here, rollout: Id) -> dict[str, Any]:
    """Let it begin. Whoever made it can't."""
    return _change(c2, rollout, lambda session, found: rollouts.approve(session, found, c2.now()))


def activate(c2: Here, rollout: Id) -> dict[str, Any]:
    """Let what is staged be activated. Whoever made it can't."""
    return _change(c2, rollout, lambda session, found: rollouts.let_activate(session, found, c2.now()))


def pause(c2: Here, rollout: Id, body: WhyBody) -> dict[str, Any]:
    """Begin with no more devices, and activate none, until it is resumed."""
    return _move(c2, rollout, rollout_states.PAUSE, body.why)


def resume(c2: Here, rollout: Id, body: WhyBody) -> dict[str, Any]:
    """Go on; past a closed gate, too."""
    return _change(c2, rollout, lambda session, found: rollouts.resume(session, found, c2.now(), body.why))


def abort(c2: Here, rollout: Id, body: WhyBody) -> dict[str, Any]:
    """For good. What is staged is cancelled, what is not confirmed yet goes back by itself."""
    return _move(c2, rollout, rollout_states.ABORT, body.why)


def _move(c2: C2, number: int, event: str, why: str) -> dict[str, Any]:
    return _change(c2, number, lambda session, found: rollouts.move(session, found, event, c2.now(), why))
