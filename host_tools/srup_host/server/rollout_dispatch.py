"""The second half of a round: what is due is sent: confirms and questions, ACTIVATEs, and INITIATEs to those whose turn it is."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import Device
from srup_host.server import choosing, registry, rollout_states, rollouts
from srup_host.server.models import Happening, Member, Release, Target
from srup_host.server.rollout_half import Half
from srup_host.server.rollout_states import (
    ACTIVATING,
    PENDING,
    REPORTED,
    RUNNING,
    STAGED,
    STAGING,
    TRIAL,
    UNDER_WAY,
    WITHDRAWN,
)
from srup_host.tables import Sent

CLAIM_MS = 60_000  # a device that a worker has claimed is left to it so long
AGAIN_MS = 30_000  # after which a confirm or a question that had no effect is sent again
BUSY_MS = 5_000  # after which a device is tried again that had something else to answer
TRIALS = 200  # under way at a time: a trial's time is short, and our confirm must come within it
BATCH = 50  # devices begun, and activated, in a round


class Dispatch(Half):
    def send(self, state: str) -> None:
        """state: the roll-out's."""
        self._remind()
        if state == RUNNING and self._policy.in_window(self._now):
            self._activate()
            self._begin()

    def _remind(self) -> None:
        """Confirm trials; ask those that report a success what they run, and of whom no answer has come for long what became
        of it. Again while that has had no effect."""
        with self._c2.write() as session:
            waits = (STAGING, ACTIVATING, TRIAL, REPORTED, WITHDRAWN)
            found = list(session.scalars(self._targets().where(Target.state.in_(waits), Target.due <= self._now)))
            for target in found:
                target.due = self._now + (AGAIN_MS if target.state in (TRIAL, REPORTED) else self._patience())
        for target in found:
            device = self._device(target)
            if target.state == TRIAL:
                why = self._publish(self._c2.ledger.confirm, device, target.token)
            else:
                why = self._publish(self._c2.ledger.id_request, device)
            if why:
                self._later(target, why)

    def _patience(self) -> int:
        """How long to wait for an answer before asking, ms: several times before the device counts as silent."""
        return max(AGAIN_MS, self._policy.timeout_s * 1000 // 8)

    def _device(self, target: Target) -> Device:
        with self._c2.read() as session:
            return registry.as_device(session.get_one(Member, target.device))

    def _later(self, target: Target, why: str) -> None:
        with self._c2.write() as session:
            again = session.get_one(Target, (target.rollout, target.device))
            again.due, again.claimed, again.why = self._now + BUSY_MS, 0, why

    def _activate(self) -> None:
        if not self._may_activate():
            return
        with self._c2.read() as session:
            busy = self._targets().where(Target.state.in_((ACTIVATING, TRIAL))).with_only_columns(func.count())
            free = max(0, TRIALS - (session.scalar(busy) or 0))
            query = self._targets().where(Target.state == STAGED, Target.due <= self._now)
            found = list(session.scalars(query.limit(min(BATCH, free))))
        for target in found:
            device = self._device(target)

            def stepped(session: Session, sent: Sent, target: Target = target) -> None:
                self._stepped(session, target, rollout_states.GO)

            why = self._publish(self._c2.ledger.activate, device, stepped)
            if why:
                self._later(target, why)

    def _may_activate(self) -> bool:
        with self._c2.read() as session:
            approved = rollouts.one(session, self._number).activation_by is not None
        when = {"automatic": True, "approval": approved, "time": self._now >= self._policy.activate_at}
        return when[self._policy.activation]

    def _stepped(self, session: Session, target: Target, event: str) -> Target:
        """The step that goes with a frame, in its transaction. Raises Failure, and nothing is sent, where it is not due any more."""
        current = session.get_one(Target, (target.rollout, target.device))
        rollout = rollouts.one(session, self._number)
        if rollout.state != RUNNING or rollouts.step(session, current, event, self._now) is None:
            raise Failure("it has changed meanwhile")
        current.due = self._now + self._patience()
        self.changed = True
        return current

    def _begin(self) -> None:
        for target in self._claim():
            with self._c2.read() as session:
                member = session.get_one(Member, target.device)
                release = session.get_one(Release, rollouts.one(session, self._number).bundle)
                release = choosing.bundle_for(session, release, member)
            if member.quarantined is not None or member.left is not None:
                self._leave(target, "in quarantine" if member.quarantined else "gone from the fleet")
            else:
                self._initiate(target, registry.as_device(member), release)

    def _claim(self) -> list[Target]:
        """Devices whose turn it is, each for one worker."""
        with self._c2.write() as session:
            rollout = rollouts.one(session, self._number)
            elsewhere = select(Target.device).where(Target.rollout != self._number, Target.state.in_(UNDER_WAY))
            due = (Target.due <= self._now) & (Target.claimed <= self._now - CLAIM_MS)
            query = self._targets().where(Target.state == PENDING, Target.wave <= rollout.wave, due)
            query = query.where(Target.device.not_in(elsewhere)).order_by(Target.wave, Target.due)
            found = list(session.scalars(query.limit(self._allowance(session))))
            for target in found:
                target.claimed = self._now
            return found

    def _allowance(self, session: Session) -> int:
        """How many devices may begin now."""
        if not self._policy.rate:
            return BATCH
        begun = select(func.count()).select_from(Happening).where(Happening.rollout == self._number)
        begun = begun.where(Happening.at > self._now - 60_000, Happening.event == rollout_states.BEGIN)
        return max(0, min(BATCH, self._policy.rate - (session.scalar(begun) or 0)))

    def _leave(self, target: Target, why: str) -> None:
        with self._c2.write() as session:
            current = session.get_one(Target, (target.rollout, target.device))
            rollouts.step(session, current, rollout_states.LEAVE, self._now, why)
        self.changed = True

    def _initiate(self, target: Target, device: Device, release: Release) -> None:
        def stepped(session: Session, sent: Sent) -> None:
            current = self._stepped(session, target, rollout_states.BEGIN)
            current.token, current.status, current.claimed = sent.token, None, 0
            current.attempts += 1

        digest = bytes.fromhex(release.digest)
        why = self._publish(self._c2.ledger.initiate, device, release.url, digest, release.manifest, stepped)
        if why:
            self._later(target, why)
