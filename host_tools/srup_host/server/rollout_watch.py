"""The first half of a round: what has become of a roll-out's devices, and whether it goes on."""

from collections import Counter

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from srup import status, wire
from srup_host.server import choosing, registry, rollout_plan, rollout_states, rollouts
from srup_host.server.models import Member, Rollout, Target
from srup_host.server.rollout_half import Half, Send
from srup_host.server.rollout_states import (
    ABORTED,
    PAUSED,
    PENDING,
    REPORTED,
    RUNNING,
    STAGED,
    UNDER_WAY,
    WITHDRAWN,
)
from srup_host.tables import Sent, Transaction

SKEW_MS = 600_000  # what was said so lately is looked at again: the clocks of two workers may differ


class Watch(Half):
    def look(self) -> str:
        """Step what there is to step; the roll-out's state then."""
        self._observe()
        return self._judge()

    def _observe(self) -> None:
        """Step every device of which there is something new, with what follows from it: all of it is on record, or nothing is."""
        with self._c2.sending() as send, self._c2.write() as session:
            rollout = rollouts.one(session, self._number)
            if rollout.state == RUNNING and self._policy.dynamic:
                rollouts.take_in(session, rollout, self._now)
            for target, transaction in self._under_way(session, rollout):
                self._step(session, target, self._news(session, rollout, target, transaction), send)
            if rollout.state == ABORTED:
                for target in session.scalars(self._targets().where(Target.state == PENDING)):
                    self._step(session, target, rollout_states.STOP, send)

    def _under_way(self, session: Session, rollout: Rollout) -> list[tuple[Target, Transaction]]:
        """Those of which there may be something new: the many that wait, for a device or a person, are left in the database."""
        of_target = (Transaction.device == Target.device) & (Transaction.token == Target.token)
        query = select(Target, Transaction).join(Transaction, of_target)
        query = query.where(Target.rollout == self._number, Target.state.in_(UNDER_WAY))
        if rollout.state != ABORTED:
            said = or_(Transaction.changed > Target.since, Transaction.changed > self._now - SKEW_MS)
            silent = and_(Target.state != STAGED, Target.since < self._now - self._policy.timeout_s * 1000)
            query = query.where(or_(said, silent, Target.state == REPORTED))
        return [(target, transaction) for target, transaction in session.execute(query)]

    def _news(self, session: Session, rollout: Rollout, target: Target, transaction: Transaction) -> str | None:
        if transaction.status is not None:
            target.status = transaction.status
        was_delta = rollouts.is_substitute(session, rollout, target)
        event = rollout_states.event_of(target.state, transaction, target.attempts < self._policy.attempts, was_delta)
        if rollout.state == ABORTED and event in (None, rollout_states.TRIED) and self._can_stop(session, target):
            return rollout_states.STOP
        if event == rollout_states.FETCHED and target.state == WITHDRAWN and _is_activated(session, target):
            event = None  # that is from before; what becomes of it is still to come
        silent = self._now - target.since > self._policy.timeout_s * 1000
        return event or (rollout_states.SILENT if silent else None)

    def _can_stop(self, session: Session, target: Target) -> bool:
        if (target.state, rollout_states.STOP) not in rollout_states.DEVICE:
            return False
        return target.state != rollout_states.TRIAL or not self._is_confirm_sent(session, target)

    def _step(self, session: Session, target: Target, event: str | None, send: Send) -> None:
        if event is None:
            return
        why = {rollout_states.SILENT: "no answer in time"}.get(event, "")
        made = rollouts.step(session, target, event, self._now, why or self._said(target))
        if made is None:
            return
        self.changed = True
        if event == rollout_states.FAULT:
            target.due = self._now + self._policy.backoff_ms(target.attempts)
        if target.state in rollout_states.OVER:
            choosing.forget(self._c2.fleet, target)
        self._carry_out(session, target, made, send)

    def _said(self, target: Target) -> str:
        return "" if target.status is None else status.name(target.status)

    def _carry_out(self, session: Session, target: Target, effects: tuple[str, ...], send: Send) -> None:
        member = session.get_one(Member, target.device)
        ledger, device = self._c2.ledger, registry.as_device(member)
        for effect in effects:
            if effect == rollout_states.ASIDE:
                ledger.set_aside(device)
            elif effect == rollout_states.CANCEL:
                self._cancel(member, target, send)
            elif effect == rollout_states.ASK and target.state in rollout_states.OVER:
                send(ledger.id_request, device)

    # Whether it goes on

    def _judge(self) -> str:
        """The roll-out's state, after what its numbers say of it."""
        with self._c2.write() as session:
            rollout = rollouts.one(session, self._number)
            if rollout.state not in (RUNNING, PAUSED):
                return rollout.state
            waves = rollouts.counts(session, self._number)
            let_go = sum(waves[wave].total() for wave in waves if wave <= rollout.wave)
            failed = sum(count[rollout_states.FAILED] for count in waves.values())
            if rollout_plan.breached(self._policy, let_go, failed):
                why = f"{failed} of {let_go} devices have failed; more than {self._policy.abort:.0%} may not"
                self._move(session, rollout, rollout_states.BREACH, why)
            elif rollout.state == RUNNING:
                self._go_on(session, rollout)
            return rollout.state

    def _move(self, session: Session, rollout: Rollout, event: str, why: str = "") -> None:
        rollouts.move(session, rollout, event, self._now, why)
        self.changed = True

    def _go_on(self, session: Session, rollout: Rollout) -> None:
        waves = rollouts.counts(session, self._number)
        count = waves.get(rollout.wave, Counter())
        confirmed, failed = count[rollout_states.CONFIRMED], count[rollout_states.FAILED]
        gate = rollouts.gate(session, rollout, self._now)
        if rollout.wave + 1 >= rollout.waves:
            if rollouts.ended(count) == count.total() and not self._policy.dynamic:
                tried = any(one[rollout_states.CONFIRMED] + one[rollout_states.FAILED] for one in waves.values())
                why = "" if tried else "all of it was left out, so nobody has tried this release"
                self._move(session, rollout, rollout_states.FINISH, why)
        elif gate == "closed":
            why = f"wave {rollout.wave + 1}: {confirmed} of {confirmed + failed} confirmed, {self._policy.success:.0%} needed"
            if not confirmed + failed:
                why = f"wave {rollout.wave + 1}: all of it was left out, so nobody has tried this release"
            self._move(session, rollout, rollout_states.PAUSE, why)
        elif gate == "open":
            rollouts.open_wave(session, rollout, self._now)
            self.changed = True


def _is_activated(session: Session, target: Target) -> bool:
    """Was it sent the ACTIVATE of what it has staged?"""
    sent = select(Sent.id).where(Sent.token == target.token, Sent.device == target.device, Sent.type == wire.ACTIVATE)
    return session.scalar(sent.limit(1)) is not None
