"""What carries roll-outs out: round after round it looks at what the ledger knows, steps the tables, and sends what is due.

It remembers nothing. Whatever a worker that is killed has left half done the next one finds in the database: a device whose
INITIATE was recorded has its step recorded with it; a confirm or a question that is due is sent, and is due again until it
has had its effect. Devices to begin with are claimed, so that of two workers one begins.
"""

import asyncio

from sqlalchemy import select, update

from srup_host import console
from srup_host.console import Failure
from srup_host.receiving import Event
from srup_host.server import audit, choosing, heartbeat, registry
from srup_host.server.c2 import C2
from srup_host.server.errors import Unavailable
from srup_host.server.models import Rollout, Target
from srup_host.server.rollout_dispatch import Dispatch
from srup_host.server.rollout_states import ABORTED, PAUSED, PENDING, RUNNING, UNDER_WAY
from srup_host.server.rollout_watch import Watch

SYNC_MS = 10_000
SWEEP_MS = 3_600_000
_PAUSE_S = 0.1  # between rounds, at least; and at most:
_TICK_S = 1.0
_RETRY_S = 2.0  # where the database has gone


class Runner:
    """One of a process. `hear` is to be called with every event of a device."""

    def __init__(self, c2: C2):
        self._c2 = c2
        self._heard = asyncio.Event()
        self._synced = self._swept = 0
        self._warned: dict[int, str] = {}  # of a roll-out, the latest

    def hear(self, event: Event) -> None:
        self._heard.set()

    async def run(self) -> None:
        """For ever. First of all those under way are asked: answers may have come while nobody listened."""
        asked = False
        while True:
            try:
                if not asked:
                    await asyncio.to_thread(self._ask_all)
                    asked = True
                await asyncio.to_thread(self.round)
            except Failure as failure:
                console.warn(f"{failure.message}; roll-outs wait")
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_PAUSE_S)
            try:
                await asyncio.wait_for(self._heard.wait(), _TICK_S)
            except TimeoutError:
                continue
            finally:
                self._heard.clear()

    def _ask_all(self) -> None:
        with self._c2.write() as session:
            session.execute(update(Target).where(Target.state.in_(UNDER_WAY)).values(due=0))

    def round(self) -> None:
        """Take everything as far as it goes now."""
        now = self._c2.now()
        if abs(now - self._synced) >= SYNC_MS:
            self._synced = now
            with self._c2.write() as session, audit.acting("server"):
                registry.sync(session, self._c2.fleet, now)
                audit.sign_hourly(session, self._c2.audit_key, now)
            heartbeat.ask(self._c2)
            self._c2.publish_again()
        if abs(now - self._swept) >= SWEEP_MS:
            self._swept = now
            with self._c2.read() as session:
                choosing.sweep(session, self._c2.fleet)
        for number in self._open():
            try:
                self._advance(number)
            except Unavailable:
                raise
            except Failure as failure:  # the others can go on
                if self._warned.get(number) != failure.message:
                    console.warn(f"roll-out {number} can't go on: {failure.message}")
                self._warned[number] = failure.message

    def _advance(self, number: int) -> None:
        with audit.acting(f"rollout:{number}"):
            watch, dispatch = Watch(self._c2, number), Dispatch(self._c2, number)
            dispatch.send(watch.look())
        if watch.changed or dispatch.changed:
            self._c2.news.tell(f"rollout {number}")

    def _open(self) -> list[int]:
        """Roll-outs that go on, and those that were aborted and have devices under way."""
        left = select(Target.rollout).where(Target.state.in_((*UNDER_WAY, PENDING)))
        query = select(Rollout.id).where(
            Rollout.state.in_((RUNNING, PAUSED)) | ((Rollout.state == ABORTED) & Rollout.id.in_(left))
        )
        with self._c2.read() as session:
            return list(session.scalars(query.order_by(Rollout.id)))
