"""What the two halves of a round share: the roll-out it is about."""

from typing import Any

from sqlalchemy import Select, select

from srup_host.server import rollouts
from srup_host.server.c2 import C2
from srup_host.server.models import Target
from srup_host.server.rollout_plan import Policy


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
