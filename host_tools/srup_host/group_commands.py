"""`srup group`: which devices are in which group; they are told, and who has not heard it yet is shown."""

import asyncio
from typing import Annotated

import typer

from srup_host import console, everywhere
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.everywhere import Left
from srup_host.fleet import Device, Fleet, FleetOption
from srup_host.groups import Groups
from srup_host.ledger import Ledger
from srup_host.sending import Outcome

app = typer.Typer(
    no_args_is_help=True,
    help="Groups of devices: `srup send ... group:NAME` is one signed frame for all that are in it.",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the group.")]
DevicesArgument = Annotated[list[str], typer.Argument(metavar="DEVICE...", help="Names in the fleet, or UUIDs.")]
TimeoutOption = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the devices.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")]
_WAIT_S = 60.0


@app.command()
def create(
    name: NameArgument,
    devices: DevicesArgument,
    timeout: TimeoutOption = _WAIT_S,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Make a group of these devices. A group is its members: it is gone when the last of them has left."""
    fleet = Fleet.open(fleet_dir)
    ledger = Ledger(fleet)
    existing = [group.name for group in Groups(fleet, ledger).all()]
    ledger.close()
    if name in existing:
        raise Failure(f"there is a group {name} already", f"srup group add {name} DEVICE ...")
    _change(fleet, name, devices, timeout, as_json, joins=True, done="made")


@app.command()
def add(
    name: NameArgument,
    devices: DevicesArgument,
    timeout: TimeoutOption = _WAIT_S,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Have devices join a group. What was sent to it before is not for them."""
    _change(Fleet.open(fleet_dir), name, devices, timeout, as_json, joins=True)


@app.command()
def remove(
    name: NameArgument,
    devices: DevicesArgument,
    timeout: TimeoutOption = _WAIT_S,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Have devices leave a group. One that is off obeys the group until it has heard of it: it is shown until then."""
    _change(Fleet.open(fleet_dir), name, devices, timeout, as_json, joins=False)


@app.command("list")
def show(as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Show all groups, their members, and which devices have not heard of a change yet."""
    fleet = Fleet.open(fleet_dir)
    ledger = Ledger(fleet)
    groups = Groups(fleet, ledger)
    found = groups.all()
    behind = [device.name for device in groups.behind(fleet.devices())]
    ledger.close()
    if as_json:
        told = [{"name": one.name, "uuid": one.uuid, "members": [m.name for m in one.members]} for one in found]
        console.print_json({"groups": told, "behind": behind})
        return
    rows = [(one.name, one.uuid, " ".join(m.name for m in one.members)) for one in found]
    console.columns(rows, ("bold", "dim"))
    if not rows:
        console.note("there is no group: srup group create NAME DEVICE ...")
    if behind:
        console.warn(f"not heard of it yet: {', '.join(behind)}; again: srup group sync")


@app.command()
def sync(timeout: TimeoutOption = _WAIT_S, as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Tell the devices that have not heard of a change, or of one made on the server's pages."""
    fleet = Fleet.open(fleet_dir)
    _tell(fleet, fleet.devices(), timeout, as_json)


def _change(
    fleet: Fleet, name: str, devices: list[str], timeout: float, as_json: bool, joins: bool, done: str = "changed"
) -> None:
    chosen = [fleet.device(one) for one in devices]
    ledger = Ledger(fleet)
    groups = Groups(fleet, ledger)
    if not joins:
        groups.one(name)
    (groups.add if joins else groups.remove)(name, chosen)
    ledger.close()
    try:
        _tell(fleet, chosen, timeout, as_json)
    except Failure as failure:  # what was asked for is on record all the same: the same line again would say so
        raise Failure(
            f"the group {name} is {done}, but the devices were not told: {failure}",
            "srup group sync tells them",
            failure.code,
        ) from None


def _tell(fleet: Fleet, devices: list[Device], timeout: float, as_json: bool) -> None:
    ledger = Ledger(fleet)
    try:
        behind = Groups(fleet, ledger).behind(devices)
        left = asyncio.run(_order(fleet, ledger, behind, timeout)) if behind else []
    finally:
        ledger.close()
    if as_json:
        told = [{"device": one.device.name, "uuid": one.device.uuid, "why": one.why} for one in left]
        console.print_json({"told": len(devices) - len(left), "left": told})
    else:
        console.say(f"{len(devices) - len(left)} of {len(devices)} devices know", "bold red" if left else "bold green")
        console.columns([(one.device.name, one.why) for one in left], ("cyan",))
        if any(one.outcome is Outcome.UNANSWERED for one in left):
            console.note("it stays queued; again when they are back: srup group sync")
    if left:
        raise typer.Exit(min(one.outcome for one in left))


async def _order(fleet: Fleet, ledger: Ledger, devices: list[Device], timeout: float) -> list[Left]:
    groups = Groups(fleet, ledger)
    with console.err.status("") as shown:
        async with Courier(fleet, ledger) as courier:
            return await everywhere.order(
                ledger,
                courier,
                [(device, groups.order(device)) for device in devices],
                timeout,
                lambda done, total: shown.update(f"{done} of {total} devices know"),
            )
