"""`srup join` and `srup voucher`: devices that ask to be let in."""

import asyncio
import time
from typing import Annotated

import typer

from srup import status
from srup_host import console, words
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.fleet import Fleet, FleetOption
from srup_host.joins import Joins
from srup_host.ledger import Ledger
from srup_host.sending import Outcome, Sender

app = typer.Typer(
    no_args_is_help=True,
    help="Devices that ask to join, in front of which somebody stands who reads six words off their console.",
)
voucher_app = typer.Typer(
    no_args_is_help=True, help="Let a device in without comparing words: a secret, good once, for a day."
)

DeviceArgument = Annotated[str, typer.Argument(metavar="UUID", help="Of the device that asks, or how it begins.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")]


@app.command("list")
def show(as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Show who asks, and the words that the device's console must show, too."""
    fleet = Fleet.open(fleet_dir)
    ledger = Ledger(fleet)
    waiting = Joins(fleet, ledger).waiting()
    ledger.close()
    if as_json:
        told = [{"uuid": one.uuid, "description": one.description, "at": one.at, "words": one.words} for one in waiting]
        console.print_json(told)
        return
    rows = [
        (one.uuid, time.strftime("%Y-%m-%d %H:%M", time.localtime(one.at / 1000)), one.description, one.words)
        for one in waiting
    ]
    console.columns(rows, ("bold", "dim", "", "cyan"))
    if not rows:
        console.note("nobody asks to join")


@app.command()
def accept(
    device: DeviceArgument,
    compared: Annotated[
        list[str], typer.Argument(metavar="WORDS...", help="The six words, as the device's console shows them.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="In the fleet.", show_default="how its UUID begins")] = "",
    again: Annotated[
        str,
        typer.Option(metavar="NAME", help="It is this device of the fleet, which has left, unheard, and comes back."),
    ] = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the device.")] = 60,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Let a device in. Whoever says the words has read them off the device: that is what shows whose key it is."""
    fleet = Fleet.open(fleet_dir)
    ledger = Ledger(fleet)
    joins = Joins(fleet, ledger)
    try:
        waiting = joins.one(device)
        if not words.same(" ".join(compared), waiting.words):
            raise Failure(
                "these are not the words of that device's key", "somebody else may be asking: srup join refuse", 1
            )
        result = asyncio.run(_let_in(fleet, ledger, joins, waiting.uuid, name or waiting.uuid[:8], again, timeout))
    finally:
        ledger.close()
    ended, said = result
    told = {"uuid": waiting.uuid, "name": name or waiting.uuid[:8], "status": said and status.name(said)}
    if as_json:
        console.print_json(told | {"outcome": ended.name})
    else:
        console.say(f"{told['name']}: {told['status'] or 'is in the fleet; it has not answered yet'}", "bold")
    raise typer.Exit(ended)


async def _let_in(
    fleet: Fleet, ledger: Ledger, joins: Joins, device: str, name: str, again: str, timeout: float
) -> tuple[Outcome, int | None]:
    async with Courier(fleet, ledger) as courier:
        member, sent = joins.accept(device, name, again=again)
        result = await Sender(ledger, courier).follow(member, sent, timeout)
        return result.outcome, result.status


@app.command()
def refuse(device: DeviceArgument, as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Forget a request. The device may ask again, if a person at it wants that."""
    fleet = Fleet.open(fleet_dir)
    ledger = Ledger(fleet)
    gone = Joins(fleet, ledger).refuse(device)
    ledger.close()
    if as_json:
        console.print_json({"uuid": gone.uuid, "refused": True})
    else:
        console.say(f"{gone.uuid} is refused")


@voucher_app.command()
def make(
    name: Annotated[str, typer.Option(metavar="NAME", help="Of the device that uses it, in the fleet.")] = "",
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Make a voucher. It is shown once: give it to the device, agent.join(bytes.fromhex("..."))."""
    fleet = Fleet.open(fleet_dir)
    ledger = Ledger(fleet)
    secret, until = Joins(fleet, ledger).make_voucher(name)
    ledger.close()
    if as_json:
        console.print_json({"voucher": secret, "until": until, "name": name or None})
    else:
        console.say(secret, "bold")
        console.note(f"good once, until {time.strftime('%Y-%m-%d %H:%M', time.localtime(until / 1000))}")
