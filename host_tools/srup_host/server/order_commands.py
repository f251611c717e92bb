"""`srup order`: what takes two keys, and so two persons, by the server's API; the second one's key stays where it is."""

from typing import Annotated

import typer

from srup_host import console, keyfiles, signing
from srup_host.fleet import Fleet, FleetOption
from srup_host.rotate_command import AuthorityOption
from srup_host.server.client import Client
from srup_host.server.fleet_commands import JsonOption, when

app = typer.Typer(no_args_is_help=True, help="Orders that wait for a second person: TURN_OFF, SELF_DESTRUCT.")

OrderArgument = Annotated[int, typer.Argument(metavar="ORDER", min=1, help="Its number.")]


@app.command("list")
def show(as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """The orders, the newest first."""
    found = Client(fleet_dir).get("/orders")
    if as_json:
        console.print_json(found)
        return
    console.columns(
        [(f"{one['id']}", one["state"], one["action"], one["name"], one["made_by"], when(one["made"])) for one in found]
    )


@app.command()
def approve(order: OrderArgument, authority: AuthorityOption = None, fleet_dir: FleetOption = None) -> None:
    """Sign an order with the authority key, here, and have it sent. SRUP_SERVER and SRUP_TOKEN say to which server, and who you are."""
    client = Client(fleet_dir)
    key = keyfiles.load_private(authority) if authority else Fleet.open(fleet_dir).private_key("authority")
    asked = client.post(f"/orders/{order}/prepare", {})
    elements = {name: bytes.fromhex(asked[name]) for name in ("target", "token", "parameters")}
    proof = signing.second_signature(
        key, asked["kind"], elements | {"action": asked["action"]}, bytes.fromhex(asked["nonce"])
    )
    client.post(f"/orders/{order}/approve", {"proof": proof.hex()})
    console.say(f"order {order} is sent")


@app.command()
def withdraw(order: OrderArgument, fleet_dir: FleetOption = None) -> None:
    """Take an order back that has not been sent."""
    Client(fleet_dir).post(f"/orders/{order}/withdraw", {})
    console.say(f"order {order} is withdrawn")
