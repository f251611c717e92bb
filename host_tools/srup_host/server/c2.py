"""What the parts of the server share: the fleet, its ledger and database, the clock, and word of what has changed."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.ledger import Ledger
from srup_host.receiving import Event
from srup_host.server import accounts, audit, database, registry
from srup_host.server.models import Member
from srup_host.server.nonces import Nonces
from srup_host.server.rates import Rate
from srup_host.tables import Sent

AGAIN_MS = 60_000  # after which a frame without an answer is published again, and then each time after twice as long
AGAIN_BATCH = 50
_STRANGERS = 10_000  # that are remembered, of those with an account at the broker
IN_FLIGHT = 10  # frames handed to the broker that it has not acknowledged yet


class C2:
    """now: the clock, ms since 1970."""

    def __init__(self, fleet: Fleet, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000):
        self.fleet = fleet
        self.now = now
        self.ledger = Ledger(fleet, now)
        self.audit_key = audit.key(fleet)
        self.requests = Rate(burst=300, seconds=0.1)  # of one address
        self.log_ins = Rate(burst=10, seconds=6)  # tried from one address, and tried for one account
        self.news = News()
        self.nonces = Nonces(now)
        self.hear: Callable[[Event], None] = lambda event: self.news.tell(event.device)  # what came by HTTPS
        self.connected = False  # to the broker
        self._strangers: dict[str, bool] = {}  # UUID of who is in no fleet -> online?
        self._sending = threading.Lock()
        self._outgoing: tuple[asyncio.AbstractEventLoop, asyncio.Queue[Sent]] | None = None
        self._reading = database.reading(self.ledger.engine)
        with self.write() as session:
            registry.sync(session, fleet, now())

    def close(self) -> None:
        self.ledger.close()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view, for looking only."""
        with database.looking(self._reading) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One writer at a time, in whichever process; all or nothing."""
        with database.exclusive(self.ledger.engine) as session:
            yield session

    # The broker

    def publish_again(self) -> int:
        """What has had no answer for long, by the worker that claims it: another one, or the broker, may have lost it. How many."""
        now = self.now()
        due = select(Sent).where(Sent.unanswered, Sent.at <= now - AGAIN_MS, Sent.again <= now).order_by(Sent.id)
        with self._sending:
            with self.write() as session:
                claimed = list(session.scalars(due.limit(AGAIN_BATCH).with_for_update(skip_locked=True)))
                for sent in claimed:
                    sent.again = now + max(AGAIN_MS, now - sent.at)
            for sent in claimed:
                self.publish(sent)
        return len(claimed)

    def send(self, make: Callable[..., Sent], *what: object) -> Sent:
        """Have the ledger make a frame of `what`, and have it published; from any thread.

        One at a time: a device takes no frame whose token is older than one that it has had. Raises Failure.
        """
        with self.sending() as send:
            return send(make, *what)

    @contextmanager
    def sending(self) -> Iterator[Callable[..., Sent]]:
        """As `send`, for many frames: they are recorded in one transaction, and published when that is over, in their order."""
        made: list[Sent] = []

        def send(make: Callable[..., Sent], *what: object) -> Sent:
            made.append(make(*what))
            return made[-1]

        with self._sending:
            with self.ledger.together():
                yield send
            for sent in made:
                self.publish(sent)

    def publish(self, sent: Sent) -> None:
        """While there is no broker it waits in the ledger."""
        if self._outgoing:
            loop, queue = self._outgoing
            loop.call_soon_threadsafe(queue.put_nowait, sent)

    @asynccontextmanager
    async def publishing(self, send: Callable[[Sent], Awaitable[None]]) -> AsyncIterator[None]:
        """Within, the frames go to `send`: what is unanswered first, and then what is new; what it fails with ends the context."""
        queue: asyncio.Queue[Sent] = asyncio.Queue()
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def deliver(sent: Sent) -> None:
            try:
                await send(sent)
            finally:
                slots.release()

        async def pump() -> None:
            waiting = await asyncio.to_thread(self.ledger.unanswered)  # before what is new: it is older
            while True:
                await slots.acquire()
                sent = waiting.pop(0) if waiting else await queue.get()
                delivering.create_task(deliver(sent))  # begun in their order, and so sent in it

        try:
            async with asyncio.TaskGroup() as delivering:
                self._outgoing = asyncio.get_running_loop(), queue
                pumping = delivering.create_task(pump())
                self.connected = True
                try:
                    yield
                finally:
                    self._outgoing, self.connected = None, False
                    pumping.cancel()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def note_state(self, uuid: str, online: bool) -> None:
        """Whether a device is connected, as far as the broker knows."""
        with self.write() as session:
            if session.get(Member, uuid) is None:  # just come, and not yet looked for
                try:
                    registry.enrol(session, self.fleet.device(uuid), self.now())
                except Failure:
                    self._remember(uuid, online)
            if registry.state(session, uuid, online):
                self.news.tell(uuid)

    def met(self, uuid: str) -> None:
        """A device has been heard; if it was in no fleet when it connected, it may be in ours now."""
        if uuid in self._strangers:
            self.note_state(uuid, self._strangers.pop(uuid))

    def _remember(self, uuid: str, online: bool) -> None:
        if len(self._strangers) >= _STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        self._strangers[uuid] = online

    # Links

    def first_link(self) -> str | None:
        """Where the first account is made; None where there is an administrator already."""
        with self.write() as session, audit.acting("server"):
            secret = accounts.first_invitation(session, self.now())
        return secret and self.link(secret)

    def link(self, secret: str) -> str:
        return f"https://{self.fleet.https.host}:{self.fleet.https.port}/invitation/{secret}"


class News:
    """Word of what has changed, to whoever listens now: names of subjects, not what became of them."""

    def __init__(self) -> None:
        self._ended = False
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}

    def tell(self, subject: str) -> None:
        """From any thread."""
        for queue, loop in list(self._listeners.items()):
            loop.call_soon_threadsafe(_put, queue, subject)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Queue[str | None]]:
        """A queue of subjects; None in it is the end."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=100)
        if self._ended:
            queue.put_nowait(None)
        self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield queue
        finally:
            del self._listeners[queue]

    def end(self) -> None:
        """The server stops: nobody is kept waiting, from now on."""
        self._ended = True
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)


def _put(queue: asyncio.Queue[str | None], subject: str) -> None:
    if not queue.full():  # who is so far behind looks at everything again anyway
        queue.put_nowait(subject)
