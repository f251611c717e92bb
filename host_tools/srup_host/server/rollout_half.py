"""What the two halves of a round share: the roll-out it is about, and the way to the broker."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, select

from srup_host.console import Failure
from srup_host.server import rollouts
from srup_host.server.c2 import C2
from srup_host.server.models import Target
from srup_host.server.rollout_plan import Policy
from srup_host.tables import Sent


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

    def _publish(self, make: Callable[..., Sent], *what: object) -> str:
        """Sign, record and publish what `make` makes of `what`; "" or why not."""
        try:
            self._c2.send(make, *what)
            return ""
        except Failure as failure:
            return failure.message
