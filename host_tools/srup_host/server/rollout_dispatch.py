"""The second half of a round: what is due is sent: confirms and questions, ACTIVATEs, and INITIATEs to those whose turn it is.

Each batch is one transaction of the database: it claims the devices, signs and records their frames, and steps their table.
What another worker has claimed just now is passed over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import Device
from srup_host.server import choosing, registry, rollout_states, rollouts
from srup_host.server.errors import Unavailable
from srup_host.server.models import Happening, Member, Release, Rollout, Target
from srup_host.server.rollout_half import Half, Send
from srup_host.server.rollout_states import (
    ABORTED,
    ACTIVATING,
    PENDING,
    REPORTED,
    RUNNING,
    STAGED,
    STAGING,
    SUCCEEDED,
    TRIAL,
    UNDER_WAY,
    WITHDRAWN,
)
from srup_host.tables import Sent

AGAIN_MS = 30_000  # after which a confirm or a question that had no effect is sent again
BUSY_MS = 5_000  # after which a device is tried again that had something else to answer
TRIALS = 200  # under way at a time, at most; and to begin with:
TRIALS_FIRST = 10
BATCH = 50  # devices of a transaction

Claimed = tuple[Target, Member]


class Dispatch(Half):
    def send(self, state: str) -> None:
        """state: the roll-out's."""
        while self._remind() == BATCH:
            pass
        if state == RUNNING and (self._policy.has_own_windows or self._policy.in_window(self._now)):
            self._activate()
            self._begin()

    def _in_window(self, session: Session) -> list[Any]:
        """Who may begin and be activated now: with a window of each device's own, those where it is the time for it."""
        if not self._policy.has_own_windows:
            return []
        zones = session.scalars(select(Member.zone).distinct())
        return [Member.zone.in_([zone for zone in zones if self._policy.in_window(self._now, zone)])]

    # What is under way

    def _remind(self) -> int:
        """Confirm trials; ask those that report a success what they run, and of whom no answer has come for long what became
        of it. Again while that has had no effect. How many of them were due."""
        waits = (TRIAL, REPORTED, STAGING, ACTIVATING, WITHDRAWN)
        due = self._due(Target.state.in_(waits)).order_by(Target.state != TRIAL, Target.due)
        with self._batch(due) as (session, send, claimed):
            aborted = rollouts.one(session, self._number).state == ABORTED  # perhaps since the look
            for target, member in claimed:
                if aborted and target.state == TRIAL and not self._is_confirm_sent(session, target):
                    rollouts.step(session, target, rollout_states.STOP, self._now)
                    self.changed = True
                reminded = target.due != target.since  # perhaps it took the confirm, and what it said of that was lost
                target.due = self._now + (AGAIN_MS if target.state in (TRIAL, REPORTED) else self._patience())
                device = registry.as_device(member)
                if target.state == TRIAL:
                    self._try(target, send, self._c2.ledger.confirm, device, target.token)
                if target.state != TRIAL or reminded:
                    self._try(target, send, self._c2.ledger.id_request, device)
        return len(claimed)

    def _patience(self) -> int:
        """How long to wait for an answer before asking, ms: several times before the device counts as silent."""
        return max(AGAIN_MS, self._policy.timeout_s * 1000 // 8)

    def _due(self, *those: Any) -> Select[Target, Member]:
        query = select(Target, Member).join(Member, Member.uuid == Target.device)
        return query.where(Target.rollout == self._number, Target.due <= self._now, *those)

    @contextmanager
    def _batch(
        self, due: Select[Target, Member], most: Callable[[Session], int] = lambda _: BATCH
    ) -> Iterator[tuple[Session, Send, list[Claimed]]]:
        """A transaction; nobody else has these devices while it lasts. most: how many, counted within it: others count, too."""
        with self._c2.sending() as send, self._c2.write() as session:
            limit = max(0, min(BATCH, most(session)))
            rows = session.execute(due.limit(limit).with_for_update(of=Target, skip_locked=True)) if limit else ()
            yield session, send, [(target, member) for target, member in rows]

    def _try(self, target: Target, send: Send, make: Send, *what: object) -> None:
        """Sign and record what `make` makes of `what`; later, if that can't be now."""
        try:
            send(make, *what)
        except Unavailable:
            raise
        except Failure as failure:
            target.due, target.why = self._now + BUSY_MS, failure.message

    # What is staged

    def _activate(self) -> None:
        with self._c2.read() as session:
            rollout = rollouts.one(session, self._number)
            who = self._in_window(session)
        if not self._may_activate(rollout):
            return
        with self._batch(self._due(Target.state == STAGED, *who), self._room) as (session, send, claimed):
            for target, member in claimed:
                if self._is_left_out(session, target, member):
                    self._cancel(member, target, send)
                else:
                    activate, device = self._c2.ledger.activate, registry.as_device(member)
                    self._try(target, send, activate, device, self._step(target))

    def _room(self, session: Session) -> int:
        """How many more trials may begin. Our confirm must come in time however busy the machine is: so no more are under way than
        twice as many as have ended well in the last quarter of a trial's time, and a few to begin with."""
        busy = select(func.count()).where(Target.rollout == self._number, Target.state.in_((ACTIVATING, TRIAL)))
        recent = Happening.at > self._now - self._c2.fleet.trial_s * 250
        ended = select(func.count()).where(Happening.rollout == self._number, Happening.event == SUCCEEDED, recent)
        most = min(TRIALS, TRIALS_FIRST + 2 * (session.scalar(ended) or 0))
        return most - (session.scalar(busy) or 0)

    def _may_activate(self, rollout: Rollout) -> bool:
        approved = rollout.activation_by is not None
        when = {"automatic": True, "approval": approved, "time": self._now >= self._policy.activate_at}
        return when[self._policy.activation]

    def _step(self, target: Target) -> Callable[[Session, Sent], None]:
        """The step that goes with a frame, in its transaction. Raises Failure, and nothing is sent, where the roll-out has ended."""

        def step(session: Session, sent: Sent) -> None:
            event = rollout_states.GO if target.state == STAGED else rollout_states.BEGIN
            state = session.scalar(select(Rollout.state).where(Rollout.id == self._number))
            if state != RUNNING or rollouts.step(session, target, event, self._now) is None:
                raise Failure("it has changed meanwhile")
            target.due = self._now + self._patience()
            if event == rollout_states.BEGIN:
                target.token, target.status = sent.token, None
                target.attempts += 1
            self.changed = True

        return step

    # Those whose turn it is

    def _begin(self) -> None:
        elsewhere = select(Target.device).where(Target.rollout != self._number, Target.state.in_(UNDER_WAY))
        with self._c2.read() as session:
            rollout = rollouts.one(session, self._number)
            release = session.get_one(Release, rollout.bundle)
            among = choosing.equals(session, release) if self._policy.deltas else [release]
            who = self._in_window(session)
        due = self._due(Target.state == PENDING, Target.wave <= rollout.wave, Target.device.not_in(elsewhere), *who)
        with self._batch(due.order_by(Target.wave, Target.due), self._allowance) as (session, send, claimed):
            for target, member in claimed:
                if not self._is_left_out(session, target, member):
                    self._initiate(target, member, choosing.bundle_for(session, among, member, target), send)

    def _allowance(self, session: Session) -> int:
        """How many devices may begin now."""
        if not self._policy.rate:
            return BATCH
        begun = select(func.count()).select_from(Happening).where(Happening.rollout == self._number)
        begun = begun.where(Happening.at > self._now - 60_000, Happening.event == rollout_states.BEGIN)
        return self._policy.rate - (session.scalar(begun) or 0)

    def _is_left_out(self, session: Session, target: Target, member: Member) -> bool:
        """Step it out of the roll-out, if there is a reason."""
        why = self._unfit(member)
        if why:
            rollouts.step(session, target, rollout_states.LEAVE, self._now, why)
            choosing.forget(self._c2.fleet, target)
            self.changed = True
        return bool(why)

    def _unfit(self, member: Member) -> str:
        """Why this device is left out; "" if it is not."""
        if member.quarantined is not None:
            return "in quarantine"
        if member.left is not None:
            return "gone from the fleet"
        try:
            no_key = self._policy.seal and not self._c2.fleet.device(member.uuid).sealing_key
        except Failure as failure:  # its file
            return failure.message
        return "it has made no key for sealed bundles" if no_key else ""

    def _initiate(self, target: Target, member: Member, release: Release, send: Send) -> None:
        def initiate(device: Device) -> Sent:
            where = release.url, bytes.fromhex(release.digest)
            if self._policy.seal:
                where = choosing.seal(self._c2.fleet, release, member, target)
            return self._c2.ledger.initiate(device, *where, release.manifest, self._step(target))

        target.bundle = release.digest
        self._try(target, send, initiate, registry.as_device(member))
