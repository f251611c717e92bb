"""Roll-outs on record: made, moved by the tables of rollout_states, counted. Within the caller's database transaction."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.server import audit, registry, rollout_plan, rollout_states
from srup_host.server.errors import Missing
from srup_host.server.models import Happening, Member, Release, Rollout, Target
from srup_host.server.rollout_plan import Policy
from srup_host.server.rollout_states import ABORTED, COUNT, DONE, LEFT_OUT, PENDING, RUNNING, UNDER_WAY, WAITING


def policy(rollout: Rollout) -> Policy:
    return Policy.model_validate(rollout.policy)


def create(
    session: Session, release: Release, name: str, devices: list[str], selector: dict[str, Any], how: Policy, at: int
) -> Rollout:
    """devices: names or UUIDs; all that match `selector` besides. Raises Failure if that is nobody, or would become everybody."""
    if how.dynamic and devices and not selector:
        raise Failure("nobody can join devices that are named", "newcomers come by a group, tag, board or version")
    chosen = _chosen(session, devices, selector)
    if not chosen and not how.dynamic:
        raise Failure("this roll-out has no devices", "name devices, or a group, tag, board or version that some have")
    ends = rollout_plan.ends(how, len(chosen))
    rollout = Rollout(
        name=name or f"{release.name} {release.version}",
        bundle=release.digest,
        selector=selector,
        policy=how.model_dump(),
        state=WAITING if how.approval else RUNNING,
        waves=len(ends),
        wave=0,
        made=at,
        made_by=audit.actor(),
        changed=at,
    )
    session.add(rollout)
    session.flush()
    for position, uuid in enumerate(rollout_plan.order(chosen, f"{rollout.id}")):
        _add(session, rollout, uuid, rollout_plan.wave_of(position, ends), at)
    told = {"rollout": rollout.id, "bundle": release.digest, "devices": len(chosen), "policy": rollout.policy}
    audit.append(session, at, "roll-out made", f"rollout:{rollout.id}", told)
    return rollout


def _chosen(session: Session, devices: Iterable[str], selector: dict[str, Any]) -> list[str]:
    named = {registry.one(session, device).uuid for device in devices}
    if selector or not named:
        named |= set(session.scalars(_matching(selector).with_only_columns(Member.uuid)))
    return sorted(named)


def _matching(selector: dict[str, Any]) -> Select[Member]:
    return registry.members(**selector)


def _add(session: Session, rollout: Rollout, uuid: str, wave: int, at: int) -> None:
    session.add(Target(rollout=rollout.id, device=uuid, wave=wave, state=PENDING, since=at))


def take_in(session: Session, rollout: Rollout, at: int) -> int:
    """Newcomers, into the last wave; how many."""
    there = select(Target.device).where(Target.rollout == rollout.id)
    query = _matching(rollout.selector)
    new = list(session.scalars(query.with_only_columns(Member.uuid).where(Member.uuid.not_in(there))))
    for uuid in new:
        _add(session, rollout, uuid, rollout.waves - 1, at)
    return len(new)


def one(session: Session, number: int) -> Rollout:
    found = session.get(Rollout, number)
    if found is None:
        raise Missing(f"there is no roll-out {number}")
    return found


# Steps


def move(session: Session, rollout: Rollout, event: str, at: int, why: str = "") -> None:
    """Raises Failure where the table has no such step."""
    after = rollout_states.rollout(rollout.state, event)
    if after is None:
        raise Failure(f"roll-out {rollout.id} is {rollout.state}: there is nothing to {event}")
    _tell(session, rollout.id, "", event, rollout.state, after, at, why)
    audit.append(session, at, f"roll-out {event}", f"rollout:{rollout.id}", {"state": after, "why": why})
    rollout.state, rollout.changed, rollout.why = after, at, why


def approve(session: Session, rollout: Rollout, at: int) -> None:
    """Whoever made it can't be the one who approves of it."""
    _other_than_maker(rollout)
    move(session, rollout, rollout_states.APPROVE, at)
    rollout.approved_by = audit.actor()


def let_activate(session: Session, rollout: Rollout, at: int) -> None:
    _other_than_maker(rollout)
    if policy(rollout).activation != "approval" or rollout.state in (DONE, ABORTED) or rollout.activation_by:
        raise Failure(f"roll-out {rollout.id} does not wait for its activation to be approved")
    rollout.activation_by = audit.actor()
    audit.append(session, at, "roll-out activation approved", f"rollout:{rollout.id}")


def _other_than_maker(rollout: Rollout) -> None:
    if audit.actor() == rollout.made_by:
        raise Failure("whoever made a roll-out can't approve of it", "another approver has to")


def resume(session: Session, rollout: Rollout, at: int, why: str) -> None:
    """Also past a gate that has closed: a person has looked. What has to soak still does."""
    move(session, rollout, rollout_states.RESUME, at, why)
    if rollout.wave + 1 < rollout.waves and gate(session, rollout, at) == "closed":
        open_wave(session, rollout, at)


def gate(session: Session, rollout: Rollout, at: int) -> str:
    """As rollout_plan.gate, of the wave that is open."""
    count = counts(session, rollout.id).get(rollout.wave, Counter())
    of_wave = Target.rollout == rollout.id, Target.wave == rollout.wave
    last = session.scalar(select(func.max(Target.since)).where(*of_wave)) or at
    confirmed, failed, left_out = (count[state] for state in rollout_states.OVER)
    return rollout_plan.gate(policy(rollout), confirmed, failed, left_out, count.total() - ended(count), at - last)


def open_wave(session: Session, rollout: Rollout, at: int) -> None:
    _tell(session, rollout.id, "", "wave", str(rollout.wave + 1), str(rollout.wave + 2), at, "")
    rollout.wave, rollout.changed = rollout.wave + 1, at


def step(session: Session, target: Target, event: str, at: int, why: str = "") -> tuple[str, ...] | None:
    """Step a device's table; the effects, of which counting is done here. None where the event means nothing now."""
    found = rollout_states.device(target.state, event)
    if found is None:
        return None
    after, effects = found
    _tell(session, target.rollout, target.device, event, target.state, after, at, why)
    target.state, target.since, target.due, target.why = after, at, at, why
    member = session.get_one(Member, target.device)
    if COUNT in effects:
        member.failures += 1
        if member.failures >= policy(one(session, target.rollout)).quarantine_after:
            registry.quarantine(session, member, f"{member.failures} updates failed, one after the other", at)
    if rollout_states.CLEAR in effects:
        member.failures = 0
    return effects


def is_substitute(session: Session, rollout: Rollout, target: Target) -> bool:
    """Was the device sent a delta in place of the roll-out's own bundle?"""
    return target.bundle not in ("", rollout.bundle) and bool(session.get_one(Release, target.bundle).manifest["base"])


def _tell(session: Session, rollout: int, device: str, event: str, before: str, after: str, at: int, why: str) -> None:
    session.add(
        Happening(
            rollout=rollout, device=device, at=at, event=event, before=before, after=after, actor=audit.actor(), why=why
        )
    )


# Counting


def counts(session: Session, rollout: int) -> dict[int, Counter[str]]:
    """Wave -> state -> number of devices."""
    found: dict[int, Counter[str]] = {}
    query = select(Target.wave, Target.state, func.count()).where(Target.rollout == rollout)
    for wave, state, number in session.execute(query.group_by(Target.wave, Target.state)):
        found.setdefault(wave, Counter())[state] = number
    return found


def facts(session: Session, rollout: Rollout) -> dict[str, Any]:
    """A roll-out as it is shown."""
    release = session.get_one(Release, rollout.bundle)
    names = ("id", "name", "bundle", "selector", "policy", "state", "wave", "waves", "made", "made_by", "approved_by")
    shown = {name: getattr(rollout, name) for name in (*names, "activation_by", "changed", "why")}
    waves = counts(session, rollout.id)
    total: Counter[str] = sum(waves.values(), Counter())
    shown["version"] = release.version
    shown["devices"] = total.total()
    shown["states"] = dict(total)
    shown["by_wave"] = [dict(waves.get(wave, {})) for wave in range(rollout.waves)]
    return shown


def under_way(count: Counter[str]) -> int:
    return sum(count[state] for state in UNDER_WAY)


def ended(count: Counter[str]) -> int:
    return count[rollout_states.CONFIRMED] + count[rollout_states.FAILED] + count[LEFT_OUT]
