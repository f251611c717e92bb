"""`make demo`: the whole loop on this machine, with real MicroPython, told step by step.

A fleet, all that `srup serve` runs, and a virtual board with version 1.0 of a thermometer. Version 2.0 is rolled out: sent, staged,
tried and confirmed; version 3.0 fails its self-test, is reverted, and its roll-out stops itself. Everything is made anew in a temporary directory, on free ports.

The board is MicroPython's unix port; with another `Bench` it is another one: tests/emulator/demo.py has that of the RP2040.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rich.text import Text

from srup import status
from srup_host import bundle, console, init, net, sending, signing, sources
from srup_host.console import Failure, size
from srup_host.fleet import Fleet
from srup_host.hosting import Request
from srup_host.receiving import Event
from srup_host.serve import asked_to_stop, servers, working
from srup_host.server.c2 import C2
from srup_host.server.client import Client
from srup_host.server.rollout_states import CONFIRMED, OVER
from srup_host.tables import Sent
from srup_host.virtual import interpreter, making
from srup_host.virtual.lines import Listener
from srup_host.virtual.running import VirtualBoard

BOARD = "kitchen"
APPLICATION = "thermometer"
SOURCES = Path(__file__).parent / "demo_app"
_LOOK_S = 0.2  # between two looks at how far it has come
_LAST_WORDS = 15  # lines of the board's console that are told once more where something fails

_began = time.monotonic()
_Found = TypeVar("_Found")
_STYLES = {"server": "cyan", "board": "dim", "https": "magenta", "power": "yellow"}


def tell(who: str, what: str) -> None:
    """A line of the story: when, who, what."""
    line = Text(f"{time.monotonic() - _began:6.2f} s  ", "dim")
    line.append(f"{who:<7} ", _STYLES.get(who, "bold")).append(console.printable(what), "dim" if who == "board" else "")
    console.out.print(line, soft_wrap=True)


def chapter(title: str) -> None:
    console.out.print()
    console.out.print(Text(title, "bold underline"))


class Bench(Protocol):
    """Where the board lies. patience: seconds that it may take to answer · extras: files of the application's beside its source."""

    patience: float
    extras: Mapping[str, bytes]

    def check(self) -> None:
        """Raise Failure where something is not installed."""
        ...

    def make(self, directory: Path, fleet: Fleet, application: Path) -> None:
        """A new board in `directory`, enrolled in the fleet, switched off."""
        ...

    def start(self, listener: Listener) -> None:
        """Power on; the listener is called with each line of its console, in another thread."""
        ...

    def power_cut(self) -> None: ...

    async def meddle(self) -> None:
        """What happens to the board while it downloads version 2.0."""
        ...


class VirtualBench:
    """MicroPython's unix port as a process, which nobody disturbs."""

    patience = 60.0
    extras: Mapping[str, bytes] = {}
    _board: VirtualBoard | None = None

    def check(self) -> None:
        interpreter.find()

    def make(self, directory: Path, fleet: Fleet, application: Path) -> None:
        making.make(directory, fleet, application=application)
        self._board = VirtualBoard(directory)

    def start(self, listener: Listener) -> None:
        if self._board:
            self._board.start(listener)

    def power_cut(self) -> None:
        if self._board:
            self._board.power_cut()

    async def meddle(self) -> None:
        return


async def _nothing() -> None:
    return


class Demo:
    """fleet: whose server this is · name: of the board, on this bench · client: the server's REST API."""

    def __init__(self, fleet: Fleet, name: str, client: Client, bench: Bench):
        self.fleet = fleet
        self.name = name
        self.client = client
        self.bench = bench

    async def install(self, version: str, meanwhile: Callable[[], Awaitable[None]] = _nothing) -> dict[str, Any]:
        """A roll-out to the board, to its end; how the board fared in it: `state` (confirmed, failed …), `status`, `why`."""
        packed = build(self.fleet, version, self.bench.extras)
        added = await self._call(self.client.upload, packed)
        tell(
            "server", f"bundle {APPLICATION} {version}, {size(added['size'])}, signed with the release key, is offered"
        )
        policy = {"waves": ["100%"], "backoff_s": 1, "timeout_s": int(3 * self.bench.patience)}
        body = {"bundle": added["digest"], "devices": [self.name], "policy": policy}
        began = time.monotonic()
        made = await self._call(self.client.post, "/rollouts", body)
        tell("server", f"roll-out {made['id']}: {made['name']} to {self.name}")
        fared, _ = await asyncio.gather(self._end_of(made["id"]), meanwhile())
        tell("server", f"{version}: {_words(fared)}, {time.monotonic() - began:.2f} s after the roll-out was made")
        return fared

    async def _end_of(self, rollout: int) -> dict[str, Any]:
        async def ended() -> dict[str, Any] | None:
            [found] = (await self._call(self.client.get, f"/rollouts/{rollout}/devices"))["devices"]
            return found if found["state"] in OVER else None

        return await self._until(ended, "the roll-out does not end")

    async def runs(self) -> str:
        """The version that the board says it runs, in a signed inventory."""

        async def known() -> str | None:
            runs = (await self._call(self.client.get, f"/devices/{self.name}"))["runs"]
            return str(runs["version"]) if runs["word"] == "confirmed" else None

        return await self._until(known, "the board does not say what it runs")

    async def _until(self, found: Callable[[], Awaitable[_Found | None]], why: str) -> _Found:
        """What `found` finds, once it does."""
        ends = time.monotonic() + 3 * self.bench.patience
        while (value := await found()) is None:
            if time.monotonic() > ends:
                raise Failure(why)
            await asyncio.sleep(_LOOK_S)
        return value

    async def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.to_thread(function, *arguments)


async def story(folder: Path, bench: Bench, stay: bool = False) -> list[str]:
    """Returns the lines that it ends with, to be shown when everything has been put away. stay: go on until Ctrl-C."""
    mqtt, https = net.listen("localhost", 0), net.listen("localhost", 0)
    broker_port, https_port = net.port_of(mqtt), net.port_of(https)
    fleet = init.create(folder / "fleet", "home", ["localhost"], broker_port=broker_port, https_port=https_port)
    tell("server", "a new fleet: command, release and authority keys, a certificate authority")
    c2 = C2(fleet)
    async with servers(fleet, mqtt, https, seen=_tell_request, c2=c2):
        tell(
            "server",
            f"what `srup serve` runs: broker on localhost:{broker_port}, HTTPS on localhost:{https_port}, both TLS",
        )
        heard: deque[str] = deque(maxlen=_LAST_WORDS)
        try:
            await asyncio.to_thread(bench.make, folder / BOARD, fleet, build(fleet, "1.0", bench.extras))
            tell("server", f"a board named {BOARD}, its key made on the board, {APPLICATION} 1.0 in slot a")
            async with working(c2, _tell_event, "localhost", _tell_sent):
                await _power_on(bench, heard)
                client = await asyncio.to_thread(Client, fleet.directory)
                with contextlib.closing(client):
                    ending = await updates(Demo(fleet, BOARD, client, bench))
                if stay:
                    await _stay(c2, ending)
        except Failure as failure:
            _tell_last_words(heard)
            raise Failure(
                str(failure), 'make demo ARGS="--keep DIR" keeps the fleet and the board for a look'
            ) from None
        finally:
            await asyncio.to_thread(bench.power_cut)
            c2.close()
    return ending


async def _stay(c2: C2, ending: list[str]) -> None:
    """Leave the server and the board running, for a look at the dashboard."""
    chapter("The dashboard")
    for line in ending:
        console.say(line, "bold green")
    console.say("Server and board go on until Ctrl-C. This link, good once, makes your account:")
    console.say(f"  {c2.first_link()}", "bold")
    await asked_to_stop()


async def updates(demo: Demo) -> list[str]:
    """A good one and a bad one."""
    before = await demo.runs()
    chapter("Version 2.0: sent, staged, tried, confirmed")
    good = await demo.install("2.0", demo.bench.meddle)
    if good["state"] != CONFIRMED:
        raise Failure(f"version 2.0 was not confirmed: {_words(good)}")
    tell("server", "2.0 has itself heard and verified our confirm, and its signed inventory agrees")

    chapter("Version 3.0: fails its self-test, and is gone again")
    bad = await demo.install("3.0")
    if bad["status"] != status.ACTIVATE_REVERTED:
        raise Failure(f"version 3.0 was not reverted: {_words(bad)}")
    tell("server", "and so the roll-out has stopped itself")
    now = await demo.runs()
    if now != "2.0":
        raise Failure(f"the board runs {now}, not 2.0")
    return [f"REVERTED {APPLICATION} 3.0 -> {now}: its self-test failed", f"CONFIRMED {APPLICATION} {before} -> {now}"]


def build(fleet: Fleet, version: str, extras: Mapping[str, bytes]) -> Path:
    """A bundle of the thermometer, as `srup bundle build` makes it. extras: more files of it."""
    contents = sources.compile_all(sources.collect(SOURCES / version).files) | dict(extras)
    key = fleet.private_key("release")
    packed = bundle.pack(contents, key, name=APPLICATION, version=version, counter=0)
    path = fleet.directory / f"{APPLICATION}-{version}.srup"
    bundle.write(path, packed, signing.public_bytes(key))
    return path


async def _power_on(bench: Bench, heard: deque[str]) -> None:
    """Tell what its console says, and wait until it is connected. heard: what it says is appended to it."""
    loop, connected = asyncio.get_running_loop(), asyncio.Event()

    def listen(line: str) -> None:
        tell("board", line)
        heard.append(line)
        if "connected" in line and not connected.is_set():
            loop.call_soon_threadsafe(connected.set)

    await asyncio.to_thread(bench.start, listen)
    try:
        async with asyncio.timeout(bench.patience):
            await connected.wait()
    except TimeoutError:
        raise Failure(f"the board did not connect within {bench.patience:g} s") from None


def _tell_last_words(heard: deque[str]) -> None:
    chapter("What the board said last")
    for line in heard:
        console.say(line, "dim")


def _tell_sent(sent: Sent) -> None:
    tell("server", f"-> {sent.name}, {len(sent.frame)} bytes, signed with the command key")


def _tell_event(event: Event, by: str) -> None:
    tell("server", f"<- {sending.describe(event)}, {event.size} bytes, signed by the board")


def _tell_request(request: Request) -> None:
    """What the board downloads; not what we ask of the server ourselves."""
    if not request.path.endswith(".srup"):
        return
    resumed = f", resumed: {request.range}" if request.range else ""
    tell("https", f"{request.path}: {request.status}, {size(request.size)}{resumed}")


def _words(fared: dict[str, Any]) -> str:
    return f"{fared['state']}, {fared['why']}" if fared["why"] else str(fared["state"])


def run(keep: Path | None, stay: bool, bench: Bench) -> list[str]:
    """The story, in a directory of its own, which goes when it is over, or in `keep`."""
    bench.check()
    if keep:
        keep.mkdir(parents=True)
        return asyncio.run(story(keep, bench, stay))
    with tempfile.TemporaryDirectory(prefix="srup-demo-") as folder:
        return asyncio.run(story(Path(folder), bench, stay))


def main(bench: Bench) -> None:
    parser = argparse.ArgumentParser(prog="make demo", description="The whole loop on this machine, told step by step.")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="make fleet and board in DIR, which is new, and keep them"
    )
    parser.add_argument(
        "--stay", action="store_true", help="leave server and board running, with a link to the dashboard"
    )
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    try:
        ending = run(asked.keep, asked.stay, bench)
    except (Failure, OSError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    console.out.print()
    if asked.keep:
        console.say(
            f"srup serve --fleet {asked.keep / 'fleet'} goes on with this fleet, and prints a link to its dashboard"
        )
    for line in ending:
        console.say(line, "bold green")


if __name__ == "__main__":
    main(VirtualBench())
