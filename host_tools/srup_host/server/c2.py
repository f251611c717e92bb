"""What the parts of the server share: the fleet, its ledger and database, the clock, and word of what has changed."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.ledger import Ledger
from srup_host.server import accounts, audit, database, registry
from srup_host.server.rates import Rate
from srup_host.tables import Sent


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
        self.connected = False  # to the broker
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
        with Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One writer at a time, in whichever process; all or nothing."""
        with Session(self.ledger.engine, expire_on_commit=False) as session, session.begin():
            yield session

    # The broker

    def send(self, make: Callable[..., Sent], *what: object) -> Sent:
        """Have the ledger make a frame of `what`, and have it published; from any thread.

        One at a time: a device takes no frame whose token is older than one that it has had. Raises Failure.
        """
        with self._sending:
            sent = make(*what)
            self.publish(sent)
        return sent

    def publish(self, sent: Sent) -> None:
        """While there is no broker it waits in the ledger."""
        if self._outgoing:
            loop, queue = self._outgoing
            loop.call_soon_threadsafe(queue.put_nowait, sent)

    @asynccontextmanager
    async def publishing(self, send: Callable[[Sent], Awaitable[None]]) -> AsyncIterator[None]:
        """Within, the frames go to `send`: what is unanswered first, and then what is new."""
        queue: asyncio.Queue[Sent] = asyncio.Queue()

        async def pump() -> None:
            for sent in await asyncio.to_thread(self.ledger.unanswered):
                await send(sent)
            while True:
                await send(await queue.get())

        self._outgoing = asyncio.get_running_loop(), queue
        task = asyncio.create_task(pump())
        self.connected = True
        try:
            yield
        finally:
            self._outgoing, self.connected = None, False
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Failure):
                await task

    def note_state(self, uuid: str, online: bool) -> None:
        """Whether a device is connected, as far as the broker knows."""
        with self.write() as session:
            registry.state(session, uuid, online)
        self.news.tell(uuid)

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
