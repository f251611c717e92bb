"""The same users and topics for Mosquitto 2: mosquitto.conf, password_file and acl_file, from the fleet's directory.

Written anew after each device that comes or goes; SIGHUP has Mosquitto read users and topics again.
"""

from pathlib import Path
from typing import Annotated

import typer

from srup_host import console, credentials, files, groups
from srup_host.acl import Grant, Rules
from srup_host.console import Failure
from srup_host.fleet import Fleet, FleetOption

_CONFIGURATION = """\
# Made by srup for the fleet {name}: it is written anew, edit it elsewhere.
listener {port} {address}
{tls}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
persistence true
persistence_location {folder}/
max_packet_size 65536
max_queued_messages 1000
{more}"""

_TLS = """\
certfile {certificate}
keyfile {key}
tls_version tlsv1.2"""


def write(fleet: Fleet, folder: Path, *, address: str = "", more: str = "") -> Path:
    """Write all three into `folder`; returns the path of mosquitto.conf.

    address: to listen on, all by default · more: further lines of the configuration. Raises Failure.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"can't make the directory {folder}: {error.strerror}") from None
    credentials.server(fleet)
    tls = _TLS.format(certificate=fleet.server, key=fleet.server_key) if fleet.broker.tls else ""
    configuration = _CONFIGURATION.format(
        name=fleet.name, port=fleet.broker.port, address=address, tls=tls, folder=folder.resolve(), more=more
    )
    files.replace(folder / "passwords", credentials.mosquitto_lines(fleet).encode(), 0o600)
    files.replace(folder / "acl", acl(Rules(fleet, groups.Readers(fleet)), credentials.users(fleet)).encode(), 0o600)
    files.replace(folder / "mosquitto.conf", configuration.encode())
    return folder / "mosquitto.conf"


def acl(rules: Rules, users: list[str]) -> str:
    """acl_file: what acl.py grants, user by user."""
    return "".join(f"user {user}\n" + "".join(map(_line, rules.grants(user))) for user in users)


def _line(grant: Grant) -> str:
    access = "readwrite" if grant.read and grant.write else "read" if grant.read else "write"
    return f"topic {access} {grant.filter}\n"


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write them; Mosquitto keeps its state there.")
    ],
    address: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.", show_default="all")] = "",
    fleet_dir: FleetOption = None,
) -> None:
    """Configure Mosquitto as the fleet's broker: mosquitto.conf, users and topics. Again after each new device."""
    written = write(Fleet.open(fleet_dir), folder, address=address)
    console.say(f"mosquitto -c {written}", "bold green")
    console.note("is the broker; beside it: srup serve --no-broker. SIGHUP has it read users and topics again.")
