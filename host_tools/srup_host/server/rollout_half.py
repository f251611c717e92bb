"""What the two halves of a round share: the roll-out it is about."""

import contextlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from srup import wire
from srup_host import actions
from srup_host.console import Failure
from srup_host.server import registry, rollouts
from srup_host.server.c2 import C2
from srup_host.server.models import Member, Target
from srup_host.server.rollout_plan import Policy
from srup_host.tables import Sent

Send = Callable[..., Sent]


class Half:
    """changed: something did."""

    def __init__(self, c2: C2, number: int):
        self._c2 = c2
        self._number = number
        self._now = c2.now()
        with c2.read() as session:
            self._policy: Policy = rollouts.policy(rollouts.one(session, number))
        self.changed = False

    def _targets(self) -> Select[Any]:
        return select(Target).where(Target.rollout == self._number)

    def _cancel(self, member: Member, target: Target, send: Send) -> None:
        """Have it drop what it has staged, unless it has left. Where it has something else to answer, that goes when it is a week old."""
        if member.left is None:
            with contextlib.suppress(Failure):
                send(self._c2.ledger.action, registry.as_device(member), actions.CANCEL, target.token)

    def _is_confirm_sent(self, session: Session, target: Target) -> bool:
        """Was its trial ever confirmed by us? Then it may be for good, whatever becomes of the roll-out."""
        later = select(Sent).where(Sent.device == target.device, Sent.type == wire.DATA, Sent.token > target.token)
        named = (wire.decode(sent.frame).elements for sent in session.scalars(later))
        return any(each["name"] == b"confirm" and each["value"] == target.token for each in named)
