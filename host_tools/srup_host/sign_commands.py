"""`srup sign`: signed frames made offline, with no network and no server: to a file, or to whatever comes next in a pipe."""

import hashlib
import re
import sys
import uuid
from pathlib import Path
from typing import Annotated

import typer

from srup import limits, wire
from srup.errors import Malformed
from srup_host import actions, console, files, fleet, keyfiles, second_keys, signing, values
from srup_host.console import Failure
from srup_host.fleet import Fleet, FleetOption

app = typer.Typer(no_args_is_help=True, help="Sign a frame offline, and write it to a file or to stdout.")

TargetOption = Annotated[
    str,
    typer.Option(
        metavar="DEVICE", help="A device: its name in the fleet or its UUID; or group:NAME for one of its groups."
    ),
]
TokenOption = Annotated[
    str, typer.Option(metavar="HEX", help="Token of the transaction, 16 bytes.", show_default="a new one, of now")
]
KeyOption = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Private key to sign with.", show_default="the fleet's for this frame"),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the frame here.", show_default="stdout")
]
HexOption = Annotated[bool, typer.Option("--hex", help="Write hex, as is always done on a terminal.")]
NonceOption = Annotated[
    str, typer.Option(metavar="HEX", help="Boot nonce of the device's latest inventory: adds the second signature.")
]
SecondKeyOption = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Key of the second signature.", show_default="the fleet's authority key"),
]
VALUE_HELP = "As text; hex:… gives bytes, @FILE the contents of a file."


@app.command()
def initiate(
    target: TargetOption,
    url: Annotated[str, typer.Option(metavar="URL", help="Where the device gets the bundle: https://…")],
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="The bundle, to take the digest of.")] = None,
    digest: Annotated[str, typer.Option(metavar="HEX", help="SHA-256 of the bundle, instead of --file.")] = "",
    token: TokenOption = "",
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """INITIATE: have a device download a bundle, check it and put it beside what runs."""
    if bool(file) == bool(digest):
        raise Failure("give either --file or --digest")
    elements = {
        "target": values.target(target, fleet_dir),
        "token": values.token(token),
        "url": values.url(url, fleet.find(fleet_dir)),
        "digest": hashlib.sha256(files.read(file)).digest()
        if file
        else values.hexadecimal("digest", digest, limits.DIGEST),
    }
    _sign(wire.INITIATE, elements, key, output, hex, fleet_dir)


@app.command()
def activate(
    token: Annotated[str, typer.Option(metavar="HEX", help="Token of the INITIATE that is to be activated.")],
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ACTIVATE: start what an INITIATE has brought."""
    _sign(wire.ACTIVATE, {"token": values.token(token)}, key, output, hex, fleet_dir)


@app.command()
def action(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="As in protocol.md: REBOOT, SET_MODE, 0x80 …")],
    target: TargetOption,
    parameters: Annotated[
        str,
        typer.Option(
            metavar="VALUE", help="What the action takes, as of srup send action; hex:… goes to the device as it is."
        ),
    ] = "",
    nonce: NonceOption = "",
    second_key: SecondKeyOption = None,
    token: TokenOption = "",
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ACTION: have a device do something now. TURN_OFF and SELF_DESTRUCT take two keys, and so --nonce."""
    number = _action(action)
    if number in actions.TWO_KEYS and not nonce:
        raise Failure(
            f"{actions.name(number)} takes two keys", "give --nonce, the boot nonce of the device's inventory"
        )
    whom = values.target(target, fleet_dir)
    elements = {
        "target": whom,
        "token": values.token(token),
        "action": number,
        "parameters": _parameters(number, parameters, whom, fleet_dir),
    }
    if nonce:
        elements["parameters"] += _second(wire.ACTION, elements, nonce, second_key, fleet_dir)
    _sign(wire.ACTION, elements, key, output, hex, fleet_dir)


@app.command()
def data(
    name: Annotated[str, typer.Argument(help="Name of the value; an application's own begins with app.")],
    value: Annotated[str, typer.Argument(help=VALUE_HELP)],
    target: TargetOption,
    token: TokenOption = "",
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DATA: give a device a value. `keys` and `clock` are signed with the authority key."""
    if not re.fullmatch(r"[a-z0-9.-]{1,32}", name):
        raise Failure(f"{name!r} is no name of DATA", "1 to 32 of a-z 0-9 . -")
    elements = {
        "target": values.target(target, fleet_dir),
        "token": values.token(token),
        "name": name.encode(),
        "value": values.octets(value),
    }
    _sign(wire.DATA, elements, key, output, hex, fleet_dir)


@app.command()
def id_request(
    target: TargetOption,
    token: TokenOption = "",
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """ID_REQUEST: ask a device what it runs."""
    _sign(
        wire.ID_REQUEST,
        {"target": values.target(target, fleet_dir), "token": values.token(token)},
        key,
        output,
        hex,
        fleet_dir,
    )


@app.command()
def join_command(
    target: TargetOption,
    settings: Annotated[str, typer.Option(metavar="VALUE", help="Settings for the device. " + VALUE_HELP)] = "",
    token: TokenOption = "",
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """JOIN_COMMAND: have a device join the fleet."""
    elements = {
        "target": values.target(target, fleet_dir),
        "token": values.token(token),
        "settings": values.octets(settings),
    }
    _sign(wire.JOIN_COMMAND, elements, key, output, hex, fleet_dir)


@app.command()
def deregister(
    target: TargetOption,
    nonce: NonceOption,
    second_key: SecondKeyOption = None,
    token: TokenOption = "",
    key: KeyOption = None,
    output: OutputOption = None,
    hex: HexOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DEREGISTER_COMMAND: have a device leave the fleet. Takes two keys."""
    elements = {"target": values.target(target, fleet_dir), "token": values.token(token)}
    elements["second_signature"] = _second(wire.DEREGISTER_COMMAND, elements, nonce, second_key, fleet_dir)
    _sign(wire.DEREGISTER_COMMAND, elements, key, output, hex, fleet_dir)


@app.command()
def second(
    requested: Annotated[Path, typer.Argument(metavar="REQUEST", help="What srup send action --request has written.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Write the signature here.")],
    key: SecondKeyOption = None,
    typed: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The device's name, which is asked for before it is signed.")
    ] = "",
    fleet_dir: FleetOption = None,
) -> None:
    """The second signature of a command that takes two keys, on the machine that has the authority key.

    Shows what is ordered and of whom, asks for the device's name, and signs just that. Needs no fleet where --key names the key.
    """
    request = second_keys.Request.read(requested)
    request.show()
    second_keys.ask_for_name(request.device, typed, f"{request.action} of {request.device}")
    authority = keyfiles.load_private(key) if key else Fleet.open(fleet_dir).private_key("authority")
    second_keys.write_signed(output, request, request.sign(authority))
    console.note(
        f"signed; back where the request came from: srup send action {request.device} {request.action} --second {output}"
    )


def _sign(
    kind: int, elements: signing.Elements, key: Path | None, output: Path | None, hex: bool, fleet_dir: Path | None
) -> None:
    """Sign with the key that the protocol names for this frame, and write the frame."""
    role = signing.role(kind, elements)
    private_key = keyfiles.load_private(key) if key else Fleet.open(fleet_dir).private_key(role)
    try:
        frame = signing.sign_frame(private_key, kind, elements)
    except Malformed as error:
        raise Failure(f"a device would take this for malformed: {error}") from None
    _write(frame, output, hex)
    made = f"{wire.TYPES[kind][0]}, {len(frame)} bytes{f' to {output}' if output else ''}"
    by = f"the key in {key}" if key else f"the {role} key"
    console.note(f"{made}, signed with {by}; token {elements['token'].hex()}", "dim")


def _write(frame: bytes, output: Path | None, hex: bool) -> None:
    if not output and sys.stdout.isatty():
        hex = True
    content = frame.hex().encode() + b"\n" if hex else frame
    if output:
        files.replace(output, content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def _second(kind: int, elements: signing.Elements, nonce: str, key: Path | None, fleet_dir: Path | None) -> bytes:
    """The boot nonce and the authority's signature over the command: what two keys ask for."""
    octets = values.hexadecimal("nonce", nonce, 16)
    _refuse_group(elements["target"])
    authority = keyfiles.load_private(key) if key else Fleet.open(fleet_dir).private_key("authority")
    return signing.second_signature(authority, kind, elements, octets)


def _refuse_group(target: bytes) -> None:
    if target[6] >> 4 == 5:
        raise Failure("a command with two keys is for one device, never for a group")


def _parameters(number: int, text: str, target: bytes, fleet_dir: Path | None) -> bytes:
    """The action's own, as a device takes them. What is given as hex:… is not looked at, but for CANCEL's token, which is hex anyway."""
    if text.startswith("hex:") and number != actions.CANCEL:
        return values.octets(text)
    try:
        return actions.parameters(number, text, _key(target, fleet_dir) if number == actions.SELF_DESTRUCT else b"")
    except ValueError as error:
        raise Failure(str(error)) from None


def _key(target: bytes, fleet_dir: Path | None) -> bytes:
    """The public key of a device, which the fleet knows."""
    _refuse_group(target)
    home = fleet.find(fleet_dir)
    if not home:
        raise Failure(
            "SELF_DESTRUCT names the device by its key, and there is no fleet here that knows it",
            "name one with --fleet, or give --parameters hex:… with the SHA-256 of the key",
        )
    return home.device(str(uuid.UUID(bytes=target))).key


def _action(text: str) -> int:
    try:
        return actions.number(text)
    except ValueError:
        raise Failure(f"no action {text!r}", "a name as in protocol.md, or a number from 0x00 to 0xff") from None
