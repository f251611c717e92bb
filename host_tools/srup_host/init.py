"""`srup init`: a new fleet's keys, certificates and settings."""

import json
import uuid
from pathlib import Path
from typing import Annotated

import typer

from srup_host import ca, console, files, keyfiles
from srup_host.console import Failure
from srup_host.fleet import NAME, ROLES, Fleet
from srup_host.signing import PrivateKey

_SETTINGS = """\
# The fleet {name}. Read by every srup command; edit it by hand.

[fleet]
name = {name}
namespace = "{namespace}" # the UUIDs of groups are made from it: never change it

[broker] # MQTT, as devices reach it
host = {host}
port = {broker_port}
tls = {broker_tls}

[https] # bundles, as devices reach them
host = {host}
port = {https_port}

[devices] # what a newly provisioned device is given
allow = {allow} # host:port that it may download from
board = "UNIX"
trial_s = 300 # seconds that new software has to be confirmed
poll_ms = 20 # pause between looks at the network

[policy] # whether boards obey an action: "allow", "two-keys" or "refuse"; provision a board anew, and it holds there, too
# REBOOT = "two-keys"
# APPLICATION = "refuse" # the application's own that are not named

[keys] # keep release.pem and authority.pem off the server; the .pub.pem files beside them stay
command = "keys/command.pem" # signs frames
release = "keys/release.pem" # signs bundles
authority = "keys/authority.pem" # owns the other keys

[tls]
ca = "tls/ca.pem"
ca_key = "tls/ca.key"
server = "tls/server.pem"
server_key = "tls/server.key"
"""


def create(
    directory: Path,
    name: str,
    hosts: list[str] | None = None,
    passphrase: bytes | None = None,
    *,
    broker_port: int | None = None,
    broker_tls: bool = True,
    https_port: int = 8443,
) -> Fleet:
    """Make a fleet in `directory`, which may exist but may not hold one. The first host is where devices find the server.

    passphrase: protects the role keys and the CA's key; the server's key must open without one.
    """
    if not NAME.fullmatch(name):
        raise Failure(f"{name!r} is no fleet name", "1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")
    if (directory / "srup.toml").exists():
        raise Failure(f"{directory} holds a fleet already", "its keys can't be made again: choose another directory")
    broker_port = broker_port or (8883 if broker_tls else 1883)
    for port in (broker_port, https_port):
        if not 0 < port < 65536:
            raise Failure(f"there is no port {port}", "1 to 65535")
    hosts = [ca.check_host(host) for host in hosts or []] or ["localhost"]
    _make_directories(directory)
    for role in ROLES:
        _write_pair(directory / "keys" / role, keyfiles.generate(), passphrase)
    _write_certificates(directory / "tls", name, hosts, passphrase)
    settings = _SETTINGS.format(
        name=json.dumps(name),
        namespace=uuid.uuid4(),
        host=json.dumps(hosts[0]),
        broker_port=broker_port,
        broker_tls=str(broker_tls).lower(),
        https_port=https_port,
        allow=json.dumps([f"{hosts[0]}:{https_port}"]),
    )
    files.write_new(directory / "srup.toml", settings.encode())  # last: with it the fleet is whole
    return Fleet.open(directory)


def _make_directories(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in ("keys", "tls", "devices"):
            (directory / part).mkdir(mode=0o700)
    except FileExistsError as error:
        raise Failure(f"{error.filename} exists already", "choose an empty directory") from None
    except OSError as error:
        raise Failure(f"can't make {error.filename}: {error.strerror}") from None


def _write_pair(stem: Path, key: PrivateKey, passphrase: bytes | None) -> None:
    files.write_new(stem.with_suffix(".pem"), keyfiles.private_pem(key, passphrase), 0o600)
    files.write_new(stem.with_suffix(".pub.pem"), keyfiles.public_pem(key))


def _write_certificates(directory: Path, name: str, hosts: list[str], passphrase: bytes | None) -> None:
    ca_key, authority = ca.create(name)
    server_key = keyfiles.generate()
    server = ca.issue(ca_key, authority, server_key, [*hosts, "localhost", "127.0.0.1"])
    files.write_new(directory / "ca.key", keyfiles.private_pem(ca_key, passphrase), 0o600)
    files.write_new(directory / "ca.pem", ca.pem(authority))
    files.write_new(directory / "server.key", keyfiles.private_pem(server_key), 0o600)
    files.write_new(directory / "server.pem", ca.pem(server))


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the fleet is to live: new or empty.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the fleet.", show_default="the directory's name")
    ] = "",
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Host name or IP address of the server, as devices reach it; again for each further one. "
            "localhost and 127.0.0.1 are always in the certificate.",
            show_default="localhost",
        ),
    ] = None,
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help="Protect the private keys with a passphrase. It is asked for, unless the environment has SRUP_PASSPHRASE, or "
            "SRUP_PASSPHRASE_FILE with a file's name.",
        ),
    ] = False,
    broker_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port of the MQTT broker.", show_default="8883, plain 1883")
    ] = None,
    plain_mqtt: Annotated[bool, typer.Option("--plain-mqtt", help="MQTT over plain TCP instead of TLS.")] = False,
    https_port: Annotated[int, typer.Option(metavar="PORT", help="Port of the HTTPS server.")] = 8443,
) -> None:
    """Make a new fleet: its signing keys, a small certificate authority, and its settings."""
    secret = keyfiles.ask_passphrase("New passphrase of the fleet's keys", twice=True) if passphrase else None
    fleet = create(
        directory,
        name or directory.resolve().name,
        host,
        secret,
        broker_port=broker_port,
        broker_tls=not plain_mqtt,
        https_port=https_port,
    )
    _report(fleet, directory)


def _report(fleet: Fleet, directory: Path) -> None:
    console.say(f"The fleet {fleet.name} is in {fleet.directory}", "bold green")
    rows = [
        ("srup.toml", "settings: where devices find the broker and the HTTPS server, and more"),
        ("keys/command.pem", "signs what is sent to devices"),
        ("keys/release.pem", "signs bundles; keep it offline"),
        ("keys/authority.pem", "owns the other keys; keep it offline, and keep a copy"),
        ("tls/", "the fleet's own certificate authority, and the server's certificate"),
    ]
    console.columns(rows, ("cyan",))
    console.say("Next", "bold")
    steps = [
        (f"export SRUP_FLEET={directory}", "so that every command finds it"),
        ("srup serve", "broker and HTTPS server"),
        ("srup virtual kitchen", "a board to try it on"),
        ("srup bundle build APP -o app.srup --version 1.0", "what boards install"),
        ("srup send initiate kitchen app.srup --activate", "to install and run it"),
    ]
    console.columns(steps, ("cyan",))
