"""`make demo`: the whole loop on this machine, with real MicroPython, told step by step.

A fleet, its broker and HTTPS server, and a virtual board with version 1.0 of a thermometer. Version 2.0 is sent, staged, tried
and confirmed; version 3.0 fails its self-test and is reverted. Everything is made anew in a temporary directory, on free ports.

The board is MicroPython's unix port; with another `Bench` it is another one: tests/emulator/demo.py has that of the RP2040.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from rich.text import Text

from srup import status
from srup_host import bundle, console, hosting, init, net, sending, signing, sources
from srup_host.console import Failure, size
from srup_host.courier import Courier
from srup_host.fleet import Device, Fleet
from srup_host.hosting import Request
from srup_host.ledger import Ledger
from srup_host.receiving import Event
from srup_host.sending import Outcome, Result, Sender
from srup_host.serve import servers
from srup_host.server.c2 import C2
from srup_host.tables import Sent
from srup_host.virtual import interpreter, making
from srup_host.virtual.lines import Listener
from srup_host.virtual.running import VirtualBoard

BOARD = "kitchen"
APPLICATION = "thermometer"
SOURCES = Path(__file__).parent / "demo_app"
_LAST_WORDS = 15  # lines of the board's console that are told once more where something fails

_began = time.monotonic()
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
    """fleet: whose command key signs, whose server serves · device: the board, on this bench."""

    def __init__(self, fleet: Fleet, device: Device, ledger: Ledger, courier: Courier, bench: Bench):
        self.fleet = fleet
        self.device = device
        self.ledger = ledger
        self.sender = Sender(ledger, courier, _tell_frame)
        self.bench = bench

    async def install(self, version: str, meanwhile: Callable[[], Awaitable[None]] = _nothing) -> Result:
        """INITIATE, wait until it is staged; ACTIVATE, wait until it is confirmed, or not."""
        packed = build(self.fleet, version, self.bench.extras)
        opened = bundle.read(packed)
        tell("server", f"bundle {APPLICATION} {version}, {size(opened.size)}, signed with the release key")
        url = hosting.offer(self.fleet, packed, opened)
        began = time.monotonic()
        initiate = self.ledger.initiate(self.device, url, opened.digest, opened.manifest)
        staged, _ = await asyncio.gather(self._follow(initiate), meanwhile())
        if staged.outcome is not Outcome.DONE:
            raise Failure(f"version {version} was not staged: {_words(staged)}")
        tell("server", f"{version} is staged beside what runs; now it is to run on trial")
        result = await self._follow(self.ledger.activate(self.device))
        tell("server", f"{version}: {_words(result)}, {time.monotonic() - began:.2f} s after INITIATE")
        return result

    async def runs(self) -> str:
        """The version that the board says it runs, in a signed inventory."""
        asked = await self._follow(self.ledger.id_request(self.device))
        if asked.outcome is not Outcome.DONE:
            raise Failure(f"the board does not say what it runs: {_words(asked)}")
        return str((self.ledger.inventory(self.device) or {}).get("version"))

    async def _follow(self, sent: Sent) -> Result:
        return await self.sender.follow(self.device, sent, self.bench.patience)


async def story(folder: Path, bench: Bench) -> list[str]:
    """Returns the lines that it ends with, to be shown when everything has been put away."""
    mqtt, https = net.listen("localhost", 0), net.listen("localhost", 0)
    broker_port, https_port = net.port_of(mqtt), net.port_of(https)
    fleet = init.create(folder / "fleet", "home", ["localhost"], broker_port=broker_port, https_port=https_port)
    tell("server", "a new fleet: command, release and authority keys, a certificate authority")
    c2 = C2(fleet)
    async with servers(fleet, mqtt, https, seen=_tell_request, c2=c2):
        tell("server", f"MQTT broker on localhost:{broker_port}, HTTPS on localhost:{https_port}, both TLS")
        heard: deque[str] = deque(maxlen=_LAST_WORDS)
        try:
            await asyncio.to_thread(bench.make, folder / BOARD, fleet, build(fleet, "1.0", bench.extras))
            device = fleet.device(BOARD)
            tell("server", f"a board named {BOARD}, its key made on the board, {APPLICATION} 1.0 in slot a")
            await _power_on(bench, heard)
            async with Courier(fleet, c2.ledger) as courier:
                ending = await updates(Demo(fleet, device, c2.ledger, courier, bench))
        except Failure as failure:
            _tell_last_words(heard)
            raise Failure(
                str(failure), 'make demo ARGS="--keep DIR" keeps the fleet and the board for a look'
            ) from None
        finally:
            await asyncio.to_thread(bench.power_cut)
            c2.close()
    return ending


async def updates(demo: Demo) -> list[str]:
    """A good one and a bad one."""
    before = await demo.runs()
    chapter("Version 2.0: sent, staged, tried, confirmed")
    good = await demo.install("2.0", demo.bench.meddle)
    if good.outcome is not Outcome.DONE:
        raise Failure(f"version 2.0 was not confirmed: {_words(good)}")
    tell("server", "2.0 has itself heard and verified our confirm, and its signed inventory agrees")

    chapter("Version 3.0: fails its self-test, and is gone again")
    bad = await demo.install("3.0")
    if bad.status != status.ACTIVATE_REVERTED:
        raise Failure(f"version 3.0 was not reverted: {_words(bad)}")
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


def _tell_frame(happened: Sent | Event) -> None:
    if isinstance(happened, Sent):
        tell("server", f"-> {happened.name}, {len(happened.frame)} bytes, signed with the command key")
    else:
        tell("server", f"<- {sending.describe(happened)}, {happened.size} bytes, signed by the board")


def _tell_request(request: Request) -> None:
    resumed = f", resumed: {request.range}" if request.range else ""
    tell("https", f"{request.path}: {request.status}, {size(request.size)}{resumed}")


def _words(result: Result) -> str:
    known = "" if result.status is None else status.name(result.status)
    return " ".join(filter(None, (known, result.why)))


def run(keep: Path | None, bench: Bench) -> list[str]:
    """The story, in a directory of its own, which goes when it is over, or in `keep`."""
    bench.check()
    if keep:
        keep.mkdir(parents=True)
        return asyncio.run(story(keep, bench))
    with tempfile.TemporaryDirectory(prefix="srup-demo-") as folder:
        return asyncio.run(story(Path(folder), bench))


def main(bench: Bench) -> None:
    parser = argparse.ArgumentParser(prog="make demo", description="The whole loop on this machine, told step by step.")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="make fleet and board in DIR, which is new, and keep them"
    )
    keep = parser.parse_args().keep
    logging.disable(logging.WARNING)
    try:
        ending = run(keep, bench)
    except (Failure, OSError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    console.out.print()
    if keep:
        console.say(f"srup serve --fleet {keep / 'fleet'} goes on with this fleet, and prints a link to its dashboard")
    for line in ending:
        console.say(line, "bold green")


if __name__ == "__main__":
    main(VirtualBench())
