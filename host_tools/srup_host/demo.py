"""`make demo`: the whole loop on this machine, with real MicroPython, told step by step.

A fleet, its broker and HTTPS server, and a virtual board with version 1.0 of a thermometer. Version 2.0 is sent, staged, tried
and confirmed; version 3.0 fails its self-test and is reverted. Everything is made anew in a temporary directory, on free ports.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

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
from srup_host.tables import Sent
from srup_host.virtual import interpreter, making
from srup_host.virtual.running import VirtualBoard

BOARD = "kitchen"
APPLICATION = "thermometer"
SOURCES = Path(__file__).parent / "demo_app"
ANSWER_S = 60

_began = time.monotonic()
_STYLES = {"server": "cyan", "board": "dim", "https": "magenta"}


def tell(who: str, what: str) -> None:
    """A line of the story: when, who, what."""
    line = Text(f"{time.monotonic() - _began:6.2f} s  ", "dim")
    line.append(f"{who:<7} ", _STYLES.get(who, "bold")).append(console.printable(what), "dim" if who == "board" else "")
    console.out.print(line, soft_wrap=True)


def chapter(title: str) -> None:
    console.out.print()
    console.out.print(Text(title, "bold underline"))


class Demo:
    """fleet: whose command key signs, whose server serves · device: the board."""

    def __init__(self, fleet: Fleet, device: Device, ledger: Ledger, courier: Courier):
        self.fleet = fleet
        self.device = device
        self.ledger = ledger
        self.sender = Sender(ledger, courier, _tell_frame)

    async def install(self, version: str) -> Result:
        """INITIATE, wait until it is staged; ACTIVATE, wait until it is confirmed, or not."""
        packed = build(self.fleet, version)
        opened = bundle.read(packed)
        tell("server", f"bundle {APPLICATION} {version}, {size(opened.size)}, signed with the release key")
        url = hosting.offer(self.fleet, packed, opened)
        began = time.monotonic()
        staged = await self._follow(self.ledger.initiate(self.device, url, opened.digest, opened.manifest))
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
        return await self.sender.follow(self.device, sent, ANSWER_S)


async def story(folder: Path) -> list[str]:
    """Returns the lines that it ends with, to be shown when everything has been put away."""
    mqtt, https = net.listen("localhost", 0), net.listen("localhost", 0)
    broker_port, https_port = net.port_of(mqtt), net.port_of(https)
    fleet = init.create(folder / "fleet", "home", ["localhost"], broker_port=broker_port, https_port=https_port)
    tell("server", "a new fleet: command, release and authority keys, a certificate authority")
    async with servers(fleet, mqtt, https, seen=_tell_request):
        tell("server", f"MQTT broker on localhost:{broker_port}, HTTPS on localhost:{https_port}, both TLS")
        making.make(folder / BOARD, fleet, application=build(fleet, "1.0"))
        device = fleet.device(BOARD)
        tell("server", f"a board named {BOARD}, its key made on the board, {APPLICATION} 1.0 in slot a")
        with VirtualBoard(folder / BOARD) as board:
            await _power_on(board)
            ledger = Ledger(fleet)
            async with Courier(fleet, ledger) as courier:
                ending = await updates(Demo(fleet, device, ledger, courier))
            ledger.close()
    return ending


async def updates(demo: Demo) -> list[str]:
    """A good one and a bad one."""
    before = await demo.runs()
    chapter("Version 2.0: sent, staged, tried, confirmed")
    good = await demo.install("2.0")
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


def build(fleet: Fleet, version: str) -> Path:
    """A bundle of the thermometer, as `srup bundle build` makes it."""
    contents = sources.compile_all(sources.collect(SOURCES / version).files)
    key = fleet.private_key("release")
    packed = bundle.pack(contents, key, name=APPLICATION, version=version, counter=0)
    path = fleet.directory / f"{APPLICATION}-{version}.srup"
    bundle.write(path, packed, signing.public_bytes(key))
    return path


async def _power_on(board: VirtualBoard) -> None:
    """Tell what its console says, and wait until it is connected."""
    loop, connected = asyncio.get_running_loop(), asyncio.Event()

    def listen(line: str) -> None:
        tell("board", line)
        if "connected" in line and not connected.is_set():
            loop.call_soon_threadsafe(connected.set)

    board.start(listen)
    try:
        async with asyncio.timeout(ANSWER_S):
            await connected.wait()
    except TimeoutError:
        raise Failure(f"the board did not connect within {ANSWER_S} s; its console is above") from None


def _tell_frame(happened: Sent | Event) -> None:
    if isinstance(happened, Sent):
        tell("server", f"-> {happened.name}, {len(happened.frame)} bytes, signed with the command key")
    else:
        tell("server", f"<- {sending.describe(happened)}, {happened.size} bytes, signed by the board")


def _tell_request(request: Request) -> None:
    tell("https", f"{request.path}: {request.status}, {size(request.size)}")


def _words(result: Result) -> str:
    known = "" if result.status is None else status.name(result.status)
    return " ".join(filter(None, (known, result.why)))


def run(keep: Path | None) -> list[str]:
    """The story, in a directory of its own, which goes when it is over, or in `keep`."""
    interpreter.find()
    if keep:
        keep.mkdir(parents=True)
        return asyncio.run(story(keep))
    with tempfile.TemporaryDirectory(prefix="srup-demo-") as folder:
        return asyncio.run(story(Path(folder)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description="The whole loop on this machine, told step by step.")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="make fleet and board in DIR, which is new, and keep them"
    )
    keep = parser.parse_args().keep
    logging.disable(logging.WARNING)
    try:
        ending = run(keep)
    except (Failure, OSError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    console.out.print()
    for line in ending:
        console.say(line, "bold green")


if __name__ == "__main__":
    main()
