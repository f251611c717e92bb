"""`srup account`: for whoever has the fleet's directory, and so may do everything anyway."""

import time
from typing import Annotated

import typer

from srup_host import console
from srup_host.fleet import Fleet, FleetOption
from srup_host.server import accounts
from srup_host.server.c2 import C2

app = typer.Typer(no_args_is_help=True, help="Accounts and API tokens of the server, made beside it.")

RoleArgument = Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator, approver or admin.")]


@app.command()
def invite(role: RoleArgument, fleet_dir: FleetOption = None) -> None:
    """A link that makes one account of this role: good once, and for a day."""
    c2 = C2(Fleet.open(fleet_dir))
    with c2.write() as session:
        secret = accounts.invite(session, accounts.role_of(role), c2.now())
    console.say(c2.link(secret))
    c2.close()


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    role: RoleArgument,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="How long it is good for.", show_default="for ever")
    ] = None,
    fleet_dir: FleetOption = None,
) -> None:
    """An API token for a program. It is shown this once."""
    c2 = C2(Fleet.open(fleet_dir))
    with c2.write() as session:
        secret, _ = accounts.make_token(session, name, accounts.role_of(role), c2.now(), days)
    console.say(secret)
    c2.close()


@app.command()
def tokens(
    as_json: Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")] = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Show the API tokens that are good: the number, the name and the role of each, who made it and when."""
    c2 = C2(Fleet.open(fleet_dir))
    with c2.read() as session:
        good = [accounts.token_facts(one) for one in accounts.good_tokens(session, c2.now())]
    c2.close()
    if as_json:
        console.print_json(good)
        return
    rows = [
        (
            str(one["id"]),
            one["name"],
            one["role"],
            one["made_by"],
            time.strftime("%Y-%m-%d", time.localtime(one["made"] / 1000)),
        )
        for one in good
    ]
    console.columns(rows, ("dim", "bold"))
    if not rows:
        console.note("there is no API token")


@app.command()
def revoke(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", min=1, max=2**53, help="Of an API token: srup account tokens.")
    ],
    fleet_dir: FleetOption = None,
) -> None:
    """Revoke an API token: it is good no more, at once."""
    c2 = C2(Fleet.open(fleet_dir))
    try:
        with c2.write() as session:
            accounts.revoke_token(session, number, c2.now())
    finally:
        c2.close()
    console.say(f"API token {number} is revoked")
