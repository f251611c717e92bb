"""`srup backup`, `srup restore`, `srup restored` and `srup device replace`."""

import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

from srup_host import console, credentials, files
from srup_host.console import Failure
from srup_host.fleet import Fleet, FleetOption
from srup_host.server import accounts, database, disaster, registry
from srup_host.server.c2 import C2

device_app = typer.Typer(no_args_is_help=True, help="A device of the fleet.")


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A .tar.gz that is not there yet.")],
    fleet_dir: FleetOption = None,
) -> None:
    """Copy the fleet, with its database and its PRIVATE KEYS, into one file. Also while it is served."""
    written = disaster.backup(Fleet.open(fleet_dir), target)
    console.say(f"{target}: {console.size(written)}, with private keys: keep it as you keep those")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What srup backup has written.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory that is not there yet.")],
) -> None:
    """Make a fleet's directory from a backup. Nothing is sent again; devices with something open are asked what became of it.

    Roll-outs are paused, and sessions, invitations and vouchers end: what was done since the backup is not known.
    """
    with (
        disaster.unpacked(files.read(source), directory) as (where, made),
        contextlib.closing(C2(Fleet.open(where))) as c2,
    ):
        asked, good = _go_on(c2, made)
    _tell(directory, time.strftime("%Y-%m-%d %H:%M", time.localtime(made / 1000)), asked, good)


def restored(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the database that SRUP_DATABASE names.")],
    fleet_dir: FleetOption = None,
) -> None:
    """After pg_restore, and before any worker is started on it: what srup restore does, to the database of SRUP_DATABASE.

    Roll-outs are paused, and sessions, invitations and vouchers end: what was done since the copy was made is not known.
    """
    if not database.elsewhere():
        raise Failure("SRUP_DATABASE names no database", "srup restore is for a backup by srup backup")
    if name != database.name():
        raise Failure(f"SRUP_DATABASE names another database than {name}", "give the name of the one to be changed")
    fleet = Fleet.open(fleet_dir)
    with contextlib.closing(C2(fleet)) as c2:
        asked, good = _go_on(c2)
    _tell(fleet.directory, "the copy was made", asked, good)


def _go_on(c2: C2, made: int | None = None) -> tuple[int, int]:
    """How many devices are asked, and how many API tokens are good. made: as of disaster.go_on."""
    asked = disaster.go_on(c2, made)
    with c2.read() as session:
        return asked, len(accounts.good_tokens(session, c2.now()))


def _tell(directory: Path, since: str, asked: int, good: int) -> None:
    """What has been done, and what a person has to look at."""
    console.say(f"{directory}: no token before now; {asked} devices are asked what became of what was open")
    console.say("Roll-outs that went on are paused: look at each, then resume it. Everybody has to log in again.")
    console.warn(f"accounts closed since {since} are open again: look at the page Accounts")
    if good:
        console.warn(
            f"API tokens revoked since {since} are good again, {good} are in all: check "
            f"srup account tokens --fleet {directory}, and revoke them"
        )
    console.say(f"srup serve --fleet {directory} goes on; make sure that the old server does not")


@device_app.command()
def replace(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The device that is gone.")],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="The one that takes its place, provisioned under a name of its own.")
    ],
    fleet_dir: FleetOption = None,
) -> None:
    """NEW takes the name, the groups and the tags of OLD, which leaves the fleet. No key is ever replaced by another."""
    fleet = Fleet.open(fleet_dir)
    c2 = C2(fleet)
    gone, came = fleet.device(old), fleet.device(new)
    with c2.write() as session:
        registry.replace(session, gone, came, c2.now())
        fleet.replace_device(gone, came)
        registry.sync(session, fleet, c2.now())
    credentials.revoke(fleet, gone.uuid)
    c2.close()
    console.say(f"{gone.name} is {came.uuid} now; {gone.uuid} has left the fleet, and the broker")
