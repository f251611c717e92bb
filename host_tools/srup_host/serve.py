"""`srup serve`: broker and HTTPS server in one process, and an ear for what devices answer."""

import asyncio
import logging
import re
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket
from typing import Annotated

import typer
from starlette.applications import Starlette

from srup_host import ca, console, hosting, net
from srup_host.broker import Broker
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.fleet import Fleet, FleetOption
from srup_host.hosting import Hosting, Request
from srup_host.ledger import Ledger
from srup_host.receiving import Event, Kind
from srup_host.sending import describe
from srup_host.server.c2 import C2
from srup_host.server.runner import Runner
from srup_host.tables import Sent
from srup_host.tasks import end

RETRY_S = 5  # before a broker that has gone is tried again
TLS_NEWEST = ssl.TLSVersion.MAXIMUM_SUPPORTED


@asynccontextmanager
async def servers(
    fleet: Fleet,
    mqtt: list[socket] | None,
    https: list[socket],
    *,
    unencrypted: list[socket] | None = None,
    seen: Callable[[Request], None] = lambda request: None,
    newest: ssl.TLSVersion = TLS_NEWEST,
    c2: C2 | None = None,
) -> AsyncIterator[None]:
    """The fleet's broker and its HTTPS server on these sockets, until the context ends.

    mqtt: None where the broker is another program · unencrypted: sockets for MQTT over plain TCP · seen: told of every download ·
    newest: TLS version; boards speak 1.2 · c2: whose API and pages are served, besides what devices download.
    """
    context = net.server_context(fleet, newest)
    async with AsyncExitStack() as running:
        if mqtt:
            await running.enter_async_context(Broker(fleet, mqtt, context if fleet.broker.tls else None, unencrypted))
        pages = _pages(c2) if c2 else None
        await running.enter_async_context(Hosting(hosting.public(fleet), context, https, seen, pages))
        if c2:
            running.callback(c2.news.end)
        yield


@asynccontextmanager
async def _again(ledger: Ledger, courier: Courier) -> AsyncIterator[None]:
    for sent in ledger.unanswered():
        await courier.send(sent)
    yield


def _pages(c2: C2) -> Starlette:
    from srup_host.server import app  # takes a while to import, and only who serves needs it

    return app.create(c2)


async def listen(
    fleet: Fleet,
    ledger: Ledger,
    told: Callable[[Event], None],
    host: str = "",
    c2: C2 | None = None,
    sent: Callable[[Sent], None] = lambda sent: None,
    worker: str = "",
) -> None:
    """Publish again what is unanswered, then hand what devices send to the ledger; for ever, also when the broker goes.

    host: as in Courier · c2: has what it wants published published, and is told who is online · sent: told of each frame of c2's · worker: as in Courier.
    """
    while True:
        try:
            async with (
                Courier(
                    fleet, ledger, lasting=True, host=host, state=c2.note_state if c2 else None, worker=worker
                ) as courier,
                c2.publishing(_telling(courier, sent)) if c2 else _again(ledger, courier),
            ):
                while event := await courier.next_event():
                    told(event)
        except Failure as failure:
            console.warn(f"{failure.message}; trying again")
            await asyncio.sleep(RETRY_S)


def _telling(courier: Courier, sent: Callable[[Sent], None]) -> Callable[[Sent], Awaitable[None]]:
    async def send(frame: Sent) -> None:
        sent(frame)
        await courier.send(frame)

    return send


@asynccontextmanager
async def working(
    c2: C2,
    told: Callable[[Event, str], None],
    host: str = "",
    sent: Callable[[Sent], None] = lambda sent: None,
    worker: str = "",
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """What the server does by itself while the context lasts: it listens to devices, and carries roll-outs out. Its tasks, which do not end.

    told: of each event, and by what it came · host, sent, worker: as in `listen`.
    """
    runner = Runner(c2)

    def hear(event: Event, by: str = "mqtt") -> None:
        c2.met(event.device)
        c2.news.tell(event.device)
        runner.hear(event)
        told(event, by)

    c2.hear = lambda event: hear(event, "https")
    tasks = [
        asyncio.create_task(listen(c2.fleet, c2.ledger, hear, host, c2, sent, worker)),
        asyncio.create_task(runner.run()),
    ]
    try:
        yield tasks
    finally:
        await end(*tasks)


def command(
    listen_on: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Address to listen on.", show_default="all of them")
    ] = "",
    broker: Annotated[
        bool, typer.Option(help="Run the broker, or use one that runs already: srup mosquitto configures one.")
    ] = True,
    unencrypted_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Also take MQTT in the clear on this port.", show_default="not"),
    ] = 0,
    newest_tls: Annotated[
        str, typer.Option("--newest-tls", metavar="1.2|1.3", help="Newest TLS version to speak.")
    ] = "1.3",
    worker: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="One of several on the same PostgreSQL (SRUP_DATABASE) and a broker that speaks MQTT 5: docs/deploy.md.",
        ),
    ] = "",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also say whom the broker refused, and why.")
    ] = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Run the fleet's MQTT broker and its HTTPS server, until Ctrl-C."""
    _set_up_logging(verbose)
    fleet = Fleet.open(fleet_dir)
    newest = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}.get(newest_tls)
    if newest is None:
        raise Failure(f"TLS {newest_tls} is not spoken here", "give 1.2 or 1.3")
    if unencrypted_port and not broker:
        raise Failure("--unencrypted-port is the broker's, and there is none here", "leave --no-broker away")
    if worker and (broker or not re.fullmatch("[A-Za-z0-9-]{1,32}", worker)):
        raise Failure(
            "a worker has a name of letters and digits, and a broker beside it", "srup serve --no-broker --worker one"
        )
    c2 = C2(fleet)
    try:
        # Now, and not when something is first signed: that is in a thread, where nobody looks for a question and no signal ends it
        c2.ledger.unlock()
        asyncio.run(_serve(c2, listen_on, broker, unencrypted_port, newest, worker))
    finally:
        c2.close()
    console.note("stopped")


async def _serve(
    c2: C2, address: str, broker: bool, unencrypted_port: int, newest: ssl.TLSVersion, worker: str
) -> None:
    fleet = c2.fleet
    mqtt = net.listen(address, fleet.broker.port) if broker else None
    https = net.listen(address, fleet.https.port)
    unencrypted = net.listen(address, unencrypted_port) if unencrypted_port else None
    async with servers(fleet, mqtt, https, unencrypted=unencrypted, seen=_show_request, newest=newest, c2=c2):
        link = c2.first_link()  # the last that has to have the database: from now on it may come and go
        _announce(fleet, broker, unencrypted_port)
        _invite(link)
        nearest = "localhost" if broker and not address else ""  # our own broker, wherever devices see it
        async with working(c2, lambda event, by: _show(fleet, event, by), nearest, worker=worker) as tasks:
            stop = asyncio.create_task(asked_to_stop())
            await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()


async def asked_to_stop() -> None:
    """Until SIGINT or SIGTERM."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()


def _announce(fleet: Fleet, broker: bool, unencrypted_port: int) -> None:
    kind = "mqtts" if fleet.broker.tls else "mqtt, in the clear"
    console.say(f"The fleet {fleet.name} is served; Ctrl-C ends it", "bold green")
    rows = [
        (kind, f"{fleet.broker.host}:{fleet.broker.port}", "broker" if broker else "a broker of your own"),
        ("https", f"{fleet.https.host}:{fleet.https.port}", f"files of {hosting.public(fleet)}"),
    ]
    if unencrypted_port:
        rows.append(("mqtt, in the clear", f"{fleet.broker.host}:{unencrypted_port}", "broker"))
    console.columns(rows, ("cyan",))
    for line in ca.expiring([fleet.ca, fleet.server]):
        console.warn(line)


def _invite(link: str | None) -> None:
    if link:
        console.say(
            "Nobody has an account yet. This link, good once and for a day, makes the first, an administrator's:"
        )
        console.say(f"  {link}", "bold")


def _show_request(request: Request) -> None:
    """What devices download; not what people look at."""
    if not request.path.endswith(".srup"):
        return
    part = f" ({request.range})" if request.range else ""
    console.say(f"https  {request.path}  {request.status}, {console.size(request.size)}{part}", "dim")


def _show(fleet: Fleet, event: Event, by: str) -> None:
    try:
        name = fleet.device(event.device).name
    except Failure:
        name = event.device
    alarming = event.kind in (Kind.ALARM, Kind.REFUSED)
    token = f"  {event.token.hex()[:12]}…" if event.token else ""
    again = " (again)" if event.kind is Kind.DUPLICATE else ""
    console.say(f"{by:5}  {name}  {describe(event)}{again}{token}", "bold red" if alarming else "")


def _set_up_logging(verbose: bool) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("srup_host").setLevel(logging.INFO if verbose else logging.WARNING)
    for chatty in ("amqtt", "transitions"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
