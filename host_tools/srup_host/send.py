"""`srup send`: commands to devices, and what became of them."""

from pathlib import Path
from typing import Annotated

import typer

from srup import wire
from srup_host import actions, bundle, fleet, offers, signing, values
from srup_host.console import Failure
from srup_host.fleet import FleetOption
from srup_host.send_task import Task
from srup_host.tables import Sent

_EXIT_CODES = """\
Exit codes: 0 done (ACTIVATE: confirmed, and the inventory agrees) · 2 not sent · 3 the device refused · 4 it tried and failed ·
5 it went back to the previous version · 6 no answer in time, the frame stays queued · 7 its answers contradict each other."""

app = typer.Typer(no_args_is_help=True, help="Send a command to a device and wait for its answer.", epilog=_EXIT_CODES)

DeviceArgument = Annotated[str, typer.Argument(metavar="DEVICE", help="Its name in the fleet, or its UUID.")]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait for the answer, or leave the frame with the broker.")
]
TimeoutOption = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait.")]
AsideOption = Annotated[
    bool,
    typer.Option("--set-aside", help="Send even though an earlier command is unanswered, and wait no more for that."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")]
_WAIT_S = 600.0


@app.command()
def initiate(
    device: DeviceArgument,
    packed: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The .srup file.")],
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where the device finds it.", show_default="a copy on this server")
    ] = "",
    activate: Annotated[bool, typer.Option("--activate", help="And have the device run it once it is staged.")] = False,
    sealed: Annotated[bool, typer.Option("--seal", help="Encrypt it first, for this device alone to read.")] = False,
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """INITIATE: have the device download a bundle, check it, and stage it beside what runs.

    Where a delta to what the device runs lies beside the bundle (`srup bundle build --from`), it gets that; and the full one if
    it can't use it.
    """
    if activate and not wait:
        raise Failure("--activate needs the answer to INITIATE", "leave --no-wait away")
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json)
    if url and sealed:
        raise Failure("--seal makes a file of its own", "leave --url away")
    key = fleet.sealing_key(task.device) if sealed else None
    first, *instead = offers.choose(packed, (task.ledger.inventory(task.device) or {}).get("tree"))
    if url:
        first, instead = offers.Offer(packed, bundle.read(packed)), []

    def initiated(offer: offers.Offer) -> Sent:
        where, digest = (
            (values.url(url, task.fleet).decode(), offer.bundle.digest) if url else offer.hosted(task.fleet, key)
        )
        return task.ledger.initiate(task.device, where, digest, offer.bundle.manifest)

    steps = [lambda: initiated(first)]
    if activate:
        steps.append(lambda: task.ledger.activate(task.device))
    task.run(*steps, instead=(lambda: initiated(instead[0])) if instead else None)


@app.command()
def activate(
    device: DeviceArgument,
    confirm: Annotated[
        bool, typer.Option(help="Confirm the new version when it asks for it, or let its trial end.")
    ] = True,
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ACTIVATE: have the device run what it has staged, on trial; confirm it when it works."""
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json, confirm)
    task.run(lambda: task.ledger.activate(task.device))


@app.command()
def action(
    device: DeviceArgument,
    name: Annotated[str, typer.Argument(metavar="ACTION", help="As in protocol.md: REBOOT, SET_MODE, CANCEL, 0x80 …")],
    parameters: Annotated[str, typer.Argument(metavar="[VALUE]", help=values.octets.__doc__ or "")] = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ACTION: have the device do something now."""
    try:
        number = actions.number(name)
    except ValueError:
        raise Failure(f"no action {name!r}", "a name as in protocol.md, or a number from 0x00 to 0xff") from None
    if number in actions.TWO_KEYS:
        raise Failure(f"{actions.name(number)} takes two keys", "sign it offline: srup sign action")
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json)
    task.run(lambda: task.ledger.action(task.device, number, values.octets(parameters)))


@app.command()
def data(
    device: DeviceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An application's own begins with app.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help=values.octets.__doc__ or "")],
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DATA: give the device a value."""
    if signing.role(wire.DATA, {"name": name.encode()}) != "command":
        raise Failure(f"DATA {name} is signed with the authority key", "sign it offline: srup sign data")
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json)
    task.run(lambda: task.ledger.data(task.device, name, values.octets(value)))


@app.command()
def id_request(
    device: DeviceArgument,
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ID_REQUEST: ask the device what it runs."""
    task = Task(device, fleet_dir, wait, timeout, False, as_json)
    task.run(lambda: task.ledger.id_request(task.device))


@app.command()
def wait(
    device: DeviceArgument,
    timeout: TimeoutOption = _WAIT_S,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Wait for the answer to what was sent before; the frame is published again, which does no harm."""
    task = Task(device, fleet_dir, True, timeout, False, as_json)
    task.run(task.last_sent)
