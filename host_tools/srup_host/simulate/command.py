"""`srup simulate N`."""

import asyncio
import contextlib
import signal
from typing import Annotated

import typer

from srup_host import console
from srup_host.fleet import Fleet, FleetOption
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import Ways


def command(
    number: Annotated[int, typer.Argument(min=1, max=100_000, metavar="N", help="How many devices.")],
    bad: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="So many fail the self-test of a new version.")
    ] = 0,
    crash: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="So many never come back with a new version.")
    ] = 0,
    broken: Annotated[float, typer.Option(min=0, max=1, metavar="SHARE", help="So many can't download.")] = 0,
    offline: Annotated[
        float, typer.Option(min=0, max=0.99, metavar="SHARE", help="Share of the time that each is away.")
    ] = 0,
    spell: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How long each is away, on average.")] = 60,
    latency: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Before each answer, on average.")] = 0.05,
    seed: Annotated[str, typer.Option(metavar="TEXT", help="Another one chooses other devices to fail.")] = "",
    fleet_dir: FleetOption = None,
) -> None:
    """Play so many devices, on the fleet's broker, until Ctrl-C. They are enrolled as sim-00000, sim-00001 …

    For trying roll-outs (srup rollout create … --board SIMULATED), and for seeing what a server bears.
    """
    fleet = Fleet.open(fleet_dir)
    how = Ways(bad, crash, broken, latency, offline, spell, seed)
    asyncio.run(_play(fleet, cards.take(fleet, number), how))


async def _play(fleet: Fleet, played: list[cards.Card], how: Ways) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    console.say(f"{len(played)} simulated devices of the fleet {fleet.name}; Ctrl-C ends them", "bold green")
    async with Crowd(fleet, played, how) as crowd:
        told = ""
        while not stopped.is_set():
            told = _tell(crowd, told)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 1)
    cards.save(fleet, played)


def _tell(crowd: Crowd, before: str) -> str:
    """Say how they are, if that is news."""
    versions = ", ".join(f"{number} run {version}" for version, number in sorted(crowd.versions().items()))
    line = f"{crowd.connected} connected; {versions}"
    if line != before:
        console.say(line)
    return line
