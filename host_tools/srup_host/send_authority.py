"""`srup send settings` and `clock`: what the authority key signs, for one device. Its keys: `srup keys rotate`."""

import base64
import datetime
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from srup import limits, port
from srup import settings as device_settings
from srup.errors import Refused
from srup.keys import key_id
from srup_host import ca, files, keyfiles
from srup_host.console import Failure
from srup_host.fleet import FleetOption
from srup_host.rotate_command import AuthorityOption
from srup_host.send import AsideOption, DeviceArgument, JsonOption, TimeoutOption, WaitOption
from srup_host.send_task import Task
from srup_host.tables import Sent

_WAIT_S = 600.0
_SEPARATORS = (",", ":")


def settings(
    device: DeviceArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Settings as JSON, to which the options are added.")
    ] = None,
    wifi: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SSID",
            help="The Wi-Fi networks, in order of preference, instead of those it has; the passwords are asked for, or come "
            "from SRUP_WIFI_PASSPHRASE.",
        ),
    ] = None,
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the MQTT broker is.")] = "",
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Where bundles may come from, instead of all it has; again for each."),
    ] = None,
    ntp: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Time servers, instead of those it has.")
    ] = None,
    trial: Annotated[int | None, typer.Option(metavar="SECONDS", help="How long a trial lasts.")] = None,
    ca_certificate: Annotated[
        list[str] | None,
        typer.Option(
            "--ca",
            metavar="N=FILE",
            help="CA certificate in place N, 0 to 3, as PEM or DER; N= for none. Two are trusted while one replaces the other.",
        ),
    ] = None,
    authority: AuthorityOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DATA settings: have the device try new settings. Those that cut it off are undone by itself.

    It restarts with them; once it is back on the network and has heard the confirm, they are permanent (exit code 0). If it
    can't come back, it returns to those that it had (exit code 5).
    """
    changes = _read(file) if file else {}
    if wifi:
        changes["wifi"] = [_network(ssid) for ssid in wifi]
    if broker:
        changes["broker"] = {**changes.get("broker", {}), **_address(broker)}
    for name, given in (("allow", allow), ("ntp", ntp), ("trial_s", trial)):
        if given:
            changes[name] = given
    if ca_certificate:
        changes["ca"] = {**changes.get("ca", {}), **dict(map(_certificate, ca_certificate))}
    value = checked(changes)
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json, authority=authority)
    task.run(lambda: task.ledger.data(task.device, "settings", value))


def clock(
    device: DeviceArgument,
    floor: Annotated[
        datetime.datetime | None,
        typer.Option(help="The device's clock can't be before this (UTC).", show_default="now"),
    ] = None,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset-command-key",
            help="And take this moment's tokens again, after the command key's have run ahead. What it has signed for later is then "
            "good again, too: where that may be in foreign hands, change the key (srup keys rotate command).",
        ),
    ] = False,
    authority: AuthorityOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DATA clock: set the floor of the device's clock, forwards or back."""
    at = floor.replace(tzinfo=datetime.UTC) if floor else datetime.datetime.now(datetime.UTC)
    ms = int(at.timestamp() * 1000)
    if not 0 < ms <= port.LATEST:
        last = datetime.datetime.fromtimestamp(port.LATEST / 1000, datetime.UTC)
        raise Failure(f"{at} is no time for a clock", f"a board's ends at {last}")
    task = Task(device, fleet_dir, wait, timeout, set_aside, as_json, authority=authority)
    value = ms.to_bytes(6, "big") + (bytes(key_id(task.fleet.public_key("command"))) if reset else b"")
    task.run(lambda: task.ledger.data(task.device, "clock", value))


def deregister(
    device: DeviceArgument,
    authority: AuthorityOption = None,
    timeout: TimeoutOption = _WAIT_S,
    set_aside: AsideOption = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """DEREGISTER_COMMAND: have the device leave the fleet. It obeys nobody then, and comes back by a person's hand alone.

    It takes two keys, and the nonce of the start that the device is in, for which it is asked first.
    """
    task = Task(device, fleet_dir, True, timeout, set_aside, as_json, authority=authority)

    def deregistered() -> Sent:
        return task.ledger.deregister(task.device, task.boot_nonce())

    task.run(deregistered, first=lambda: task.ledger.id_request(task.device))


def checked(changes: dict[str, Any]) -> bytes:
    """Settings as DATA has them. Raises Failure for what a device would not take."""
    value = json.dumps(changes, separators=_SEPARATORS).encode()
    try:
        device_settings.checked(value)
    except Refused as refused:
        raise Failure(
            f"a device would refuse these {refused.why}", "firmware/srup/settings.py has their form"
        ) from None
    if len(value) > limits.VALUE:
        raise Failure(
            f"these settings take {len(value)} bytes, and a frame has {limits.VALUE}", "send them in several steps"
        )
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(files.read(path)))
    except (ValueError, TypeError):
        raise Failure(f"{path} holds no JSON object") from None


def _network(ssid: str) -> dict[str, str]:
    password = keyfiles.ask_passphrase(f"Password of the network {ssid}", prefix="SRUP_WIFI_")
    return {"ssid": ssid, "password": password.decode()}


def _address(text: str) -> dict[str, object]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise Failure(f"{text!r} is not HOST:PORT")
    return {"host": ca.check_host(host), "port": int(port)}


def _certificate(text: str) -> tuple[str, str | None]:
    number, separator, path = text.partition("=")
    if not separator or number not in ("0", "1", "2", "3"):
        raise Failure(f"{text!r} is not N=FILE", "N is 0 to 3")
    if not path:
        return number, None
    data = files.read(Path(path))
    try:
        found = x509.load_pem_x509_certificate(data) if b"-----BEGIN" in data else x509.load_der_x509_certificate(data)
    except ValueError:
        raise Failure(f"{path} holds no certificate") from None
    return number, base64.b64encode(found.public_bytes(Encoding.DER)).decode()
