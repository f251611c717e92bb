"""The first half of a round: what has become of a roll-out's devices, and whether it goes on."""

import contextlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from srup import status
from srup_host import actions
from srup_host.console import Failure
from srup_host.fleet import Device
from srup_host.server import choosing, registry, rollout_plan, rollout_states, rollouts
from srup_host.server.models import Member, Rollout, Target
from srup_host.server.rollout_half import Half
from srup_host.server.rollout_states import ABORTED, PAUSED, PENDING, RUNNING, UNDER_WAY
from srup_host.tables import Transaction

Effect = tuple[str, Device, bytes]  # what is to be done, to whom, the token of the update


class Watch(Half):
    def look(self) -> str:
        """Step what there is to step; the roll-out's state then."""
        if effects := self._observe():
            self._carry_out(effects)
        return self._judge()

    def _observe(self) -> list[Effect]:
        """Step every device of which there is something new; (effect, device, token) to be carried out."""
        effects: list[Effect] = []
        with self._c2.write() as session:
            rollout = rollouts.one(session, self._number)
            if rollout.state == RUNNING and self._policy.dynamic:
                rollouts.take_in(session, rollout, self._now)
            for target, transaction in self._under_way(session):
                self._step(session, target, self._news(session, rollout, target, transaction), effects)
            if rollout.state == ABORTED:
                for target in session.scalars(self._targets().where(Target.state == PENDING)):
                    self._step(session, target, rollout_states.STOP, effects)
        return effects

    def _under_way(self, session: Session) -> list[tuple[Target, Transaction]]:
        of_target = (Transaction.device == Target.device) & (Transaction.token == Target.token)
        query = select(Target, Transaction).join(Transaction, of_target)
        query = query.where(Target.rollout == self._number, Target.state.in_(UNDER_WAY))
        return [(target, transaction) for target, transaction in session.execute(query)]

    def _news(self, session: Session, rollout: Rollout, target: Target, transaction: Transaction) -> str | None:
        if transaction.status is not None:
            target.status = transaction.status
        was_delta = rollouts.is_substitute(session, rollout, target)
        event = rollout_states.event_of(target.state, transaction, target.attempts < self._policy.attempts, was_delta)
        stops = (target.state, rollout_states.STOP) in rollout_states.DEVICE
        if rollout.state == ABORTED and stops and event in (None, rollout_states.TRIED):
            return rollout_states.STOP
        silent = self._now - target.since > self._policy.timeout_s * 1000
        return event or (rollout_states.SILENT if silent else None)

    def _step(self, session: Session, target: Target, event: str | None, effects: list[Effect]) -> None:
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
        device = registry.as_device(session.get_one(Member, target.device))
        effects += [(effect, device, target.token or b"") for effect in made]

    def _said(self, target: Target) -> str:
        return "" if target.status is None else status.name(target.status)

    def _carry_out(self, effects: list[Effect]) -> None:
        with self._c2.sending() as send:
            for effect, device, token in effects:
                if effect == rollout_states.ASIDE:
                    self._c2.ledger.set_aside(device)
                elif effect == rollout_states.CANCEL:
                    with contextlib.suppress(
                        Failure
                    ):  # it has something else to answer, and its download ends by itself
                        send(self._c2.ledger.action, device, actions.CANCEL, token)

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
        count = rollouts.counts(session, self._number).get(rollout.wave)
        over = self._targets().where(Target.wave == rollout.wave).with_only_columns(func.max(Target.since))
        last = session.scalar(over) or self._now
        confirmed, failed = (
            count[state] if count else 0 for state in (rollout_states.CONFIRMED, rollout_states.FAILED)
        )
        open_ones = count.total() - rollouts.ended(count) if count else 0
        gate = rollout_plan.gate(self._policy, confirmed, failed, open_ones, self._now - last)
        if rollout.wave + 1 >= rollout.waves:
            if not open_ones and not self._policy.dynamic:
                self._move(session, rollout, rollout_states.FINISH)
        elif gate == "closed":
            why = f"wave {rollout.wave + 1}: {confirmed} of {confirmed + failed} confirmed, {self._policy.success:.0%} needed"
            self._move(session, rollout, rollout_states.PAUSE, why)
        elif gate == "open":
            rollouts.open_wave(session, rollout, self._now)
            self.changed = True
