"""`srup fleet`: the devices, as the server knows them."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from srup_host import console
from srup_host.fleet import FleetOption
from srup_host.server.client import Client

app = typer.Typer(no_args_is_help=True, help="The devices of the fleet, as its server knows them.")

JsonOption = Annotated[bool, typer.Option("--json", help="As one line of JSON.")]
_STYLES = {"confirmed": "green", "believed": "yellow", "overdue": "red"}


def when(ms: int | None) -> str:
    return "never" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@app.command("list")
def list_devices(
    search: Annotated[str, typer.Option(metavar="TEXT", help="How its name or UUID begins.")] = "",
    board: Annotated[str, typer.Option(metavar="BOARD")] = "",
    version: Annotated[str, typer.Option(metavar="VERSION", help="What it runs.")] = "",
    group: Annotated[str, typer.Option(metavar="GROUP")] = "",
    tag: Annotated[str, typer.Option(metavar="TAG")] = "",
    page: Annotated[int, typer.Option(min=1, help="Which hundred.")] = 1,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """All devices, or those of which all that is given is true: what each runs, and how well that is known."""
    asked = {"search": search, "board": board, "version": version, "group": group, "tag": tag, "page": page}
    found = Client(fleet_dir).get("/devices", **asked)
    if as_json:
        console.print_json(found)
        return
    console.columns([_row(device) for device in found["devices"]], ("bold",))
    console.note(f"{len(found['devices'])} of {found['total']} devices")


def _row(device: dict[str, Any]) -> tuple[str, ...]:
    runs = device["runs"]
    what = f"{runs['app']} {runs['version']}" if runs["app"] else "-"
    notes = "quarantine" if device["quarantined"] else f"{device['failures']} failed" if device["failures"] else ""
    return device["name"], runs["word"], what, "online" if device["online"] else "offline", when(device["seen"]), notes


@app.command()
def show(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Its name or its UUID.")],
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """All that is known of a device, and its latest frames."""
    client = Client(fleet_dir)
    found, frames = client.get(f"/devices/{device}"), client.get(f"/devices/{device}/frames", size=20)
    if as_json:
        console.print_json(found | {"frames": frames})
        return
    runs = found["runs"]
    what = f" {runs['app']} {runs['version']}" if runs["app"] else ""
    console.say(f"{found['name']}: {runs['word']}{what}; {runs['why']}", _STYLES.get(runs["word"], ""))
    keys = ("uuid", "board", "fingerprint", "groups", "tags", "zone", "online", "quarantined_why")
    rows = [(key, json.dumps(found[key])) for key in keys if found[key] not in (None, [], "")]
    console.columns([*rows, ("seen", when(found["seen"]))], ("cyan",))
    arrows = {"to": "->", "from": "<-"}
    console.columns([(when(one["at"]), arrows[one["direction"]], one["what"], one["note"]) for one in frames], ("dim",))


@app.command()
def zone(
    device: Annotated[list[str], typer.Argument(metavar="DEVICE ...", help="Names or UUIDs.")],
    name: Annotated[str, typer.Option("--zone", metavar="ZONE", help='As in Europe/Paris; "" for none.')],
    fleet_dir: FleetOption = None,
) -> None:
    """Say in which time zone devices are: the windows of roll-outs are theirs."""
    done = Client(fleet_dir).patch("/devices", {"devices": device, "zone": name})
    console.say(f"{done['devices']} device{'s' * (done['devices'] != 1)}: {name or 'no time zone'}")
