"""`srup send`: commands to devices, and what became of them."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from srup import wire
from srup_host import actions, bundle, console, fleet, group_task, offers, second_keys, signing, values
from srup_host.console import Failure
from srup_host.fleet import FleetOption
from srup_host.group_task import GroupTask
from srup_host.send_task import Task
from srup_host.tables import Sent

_EXIT_CODES = """\
Exit codes: 0 done (ACTIVATE: confirmed, and the inventory agrees) · 2 not sent · 3 the device refused · 4 it tried and failed ·
5 it went back to the previous version · 6 no answer in time, the frame stays queued · 7 its answers contradict each other."""

app = typer.Typer(no_args_is_help=True, help="Send a command to a device and wait for its answer.", epilog=_EXIT_CODES)

DeviceArgument = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Its name in the fleet, or its UUID; or group:NAME.")
]
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
    if group_task.is_group(device):
        if sealed:
            raise Failure("--seal is for one device", "seal it for several: srup bundle seal")
        _initiate_group(GroupTask(device, fleet_dir, wait, timeout, set_aside, as_json), packed, url, activate)
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json)
    if url and sealed:
        raise Failure("--seal makes a file of its own", "leave --url away")
    key = fleet.sealing_key(task.device) if sealed else None
    first, *instead = offers.choose(packed, task.ledger.inventory(task.device) or {})
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
    if group_task.is_group(device):
        of_group = GroupTask(device, fleet_dir, wait, timeout, set_aside, as_json)
        of_group.run(of_group.activate)
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json, confirm)
    task.run(lambda: task.ledger.activate(task.device))


@app.command(epilog=actions.help())
def action(
    device: DeviceArgument,
    name: Annotated[str, typer.Argument(metavar="ACTION", help="Its name, or a number: see below.")],
    parameters: Annotated[
        str, typer.Argument(metavar="[VALUE]", help="What the action takes, if it takes something.")
    ] = "",
    request: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Two keys: write a request for who holds the authority key, and send nothing yet."
        ),
    ] = None,
    second: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Two keys: send what was requested, with this second signature.")
    ] = None,
    authority: Annotated[
        bool, typer.Option("--authority", help="Two keys: the fleet's authority key is here, and signs now.")
    ] = False,
    typed: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="The device's name, which is asked for before what can't be undone."
        ),
    ] = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ACTION: have the device do something now.

    What takes two keys goes in three steps: --request FILE here; srup sign second FILE -o SIGNED where the authority key is; --second SIGNED
    here. A device's next start makes the request worthless, and so does whatever else it is sent.
    """
    try:
        number = actions.number(name)
    except ValueError:
        raise Failure(f"no action {name!r}", "a name as in protocol.md, or a number from 0x00 to 0xff") from None
    two_keys = request or second or authority
    if number in actions.TWO_KEYS and not two_keys:
        raise Failure(f"{actions.name(number)} takes two keys", "begin with --request FILE: srup send action --help")
    if group_task.is_group(device):
        if two_keys:
            raise Failure("a command with two keys is for one device, never for a group")
        of_group = GroupTask(device, fleet_dir, wait, timeout, set_aside, as_json)
        of_group.run(lambda: of_group.action(number, _parameters(number, parameters, b"")))
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json)
    own = _parameters(number, parameters, task.device.key)
    if not two_keys:
        task.run(lambda: task.ledger.action(task.device, number, own))
    if number in actions.TWO_KEYS:
        second_keys.ask_for_name(task.device.name, typed, f"{actions.name(number)} of {task.device.name}")
    if request:
        _requested(task, number, own).write(request)
        console.say(f"{request}: have it signed with the authority key: srup sign second {request} -o FILE")
        return
    if second:
        task.run(lambda: _signed_elsewhere(task, number, own, second))
    task.run(lambda: _signed_here(task, number, own), first=lambda: task.ledger.id_request(task.device))


def _parameters(number: int, text: str, device_key: bytes) -> bytes:
    try:
        return actions.parameters(number, text, device_key)
    except ValueError as error:
        raise Failure(str(error)) from None


def _requested(task: Task, number: int, own: bytes) -> second_keys.Request:
    nonce = task.boot_nonce()
    return second_keys.Request(
        task.fleet.name,
        task.device.name,
        task.device.uuid,
        actions.name(number) if number < actions.APPLICATION else hex(number),
        own.hex(),
        task.ledger.reserve(task.device).hex(),
        nonce.hex(),
    )


def _signed_here(task: Task, number: int, own: bytes) -> Sent:
    request = _requested(task, number, own)
    proof = request.sign(task.fleet.private_key("authority"))
    return task.ledger.action(task.device, number, own + proof, bytes.fromhex(request.token))


def _signed_elsewhere(task: Task, number: int, own: bytes, path: Path) -> Sent:
    request, proof = second_keys.read_signed(path, task.fleet.public_key("authority"))
    ordered = {"target": task.device.target, "action": number, "parameters": own}
    if {key: request.elements()[key] for key in ordered} != ordered:
        raise Failure(f"{path} is the signature of something else: {request.action} of {request.device}")
    if task.boot_nonce().hex() != request.nonce:
        raise Failure(f"{task.device.name} has started again since this was signed", "make a new request")
    return task.ledger.action(task.device, number, own + proof, bytes.fromhex(request.token))


@app.command()
def log(
    device: DeviceArgument,
    timeout: TimeoutOption = _WAIT_S,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DATA log: the last traceback that the device's application has left."""
    task = Task(device, fleet_dir, True, timeout, False, as_json)
    task.run(lambda: task.ledger.data(task.device, "log", b""))


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
        hint = {"keys": "srup keys rotate", "settings": "srup send settings", "clock": "srup send clock"}.get(name)
        own_way = f"sign it offline (srup sign data {name}) and publish it yourself (README, Signing without a network)"
        raise Failure(f"DATA {name} is signed with the authority key", f"{hint}, or {own_way}" if hint else own_way)
    if group_task.is_group(device):
        of_group = GroupTask(device, fleet_dir, wait, timeout, set_aside, as_json)
        of_group.run(lambda: of_group.data(name, values.octets(value)))
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
    if group_task.is_group(device):
        of_group = GroupTask(device, fleet_dir, wait, timeout, False, as_json)
        of_group.run(of_group.id_request)
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


def _initiate_group(task: GroupTask, packed: Path, url: str, activate: bool) -> NoReturn:
    """All get the full bundle: what each of them runs may differ."""
    offer = offers.Offer(packed, bundle.read(packed))

    def initiated() -> list[Sent]:
        hosted = (values.url(url, task.fleet).decode(), offer.bundle.digest) if url else offer.hosted(task.fleet)
        return task.initiate(*hosted, offer.bundle.manifest)

    task.run(initiated, *([task.activate] if activate else []))
