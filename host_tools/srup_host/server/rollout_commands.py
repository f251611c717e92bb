"""`srup rollout`: a bundle to many devices, wave by wave."""

import re
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from srup_host import console
from srup_host.console import Failure
from srup_host.fleet import FleetOption
from srup_host.server.client import Client
from srup_host.server.fleet_commands import JsonOption, when
from srup_host.server.rollout_states import (
    ABORTED,
    CONFIRMED,
    DONE,
    OVER,
    PAUSED,
    PENDING,
    RUNNING,
    STAGED,
    STATES,
    WAITING,
)

_EXIT_CODES = (
    "Exit codes of watch: 0 done · 1 done, and no device runs it · 2 no server, no such roll-out · 4 aborted · "
    "5 paused, or it waits for an approver."
)

app = typer.Typer(no_args_is_help=True, help="Roll a bundle out to many devices, wave by wave.", epilog=_EXIT_CODES)

NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", help="The roll-out's.")]
WhyOption = Annotated[str, typer.Option(metavar="TEXT", help="For the audit log.")]
_CODES = {DONE: 0, ABORTED: 4, PAUSED: 5, WAITING: 5}
_NOBODY = 1
_COLOURS = {DONE: "bold green", ABORTED: "bold red", PAUSED: "yellow", WAITING: "yellow", RUNNING: "bold"}
_TICK_S = 1.0
_NAMED = 5  # devices, of those that wait for one reason


@app.command()
def create(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A .srup file, or the SHA-256 of one the server has.")
    ],
    device: Annotated[
        list[str] | None, typer.Option(metavar="DEVICE", help="One device; again for each further one.")
    ] = None,
    board: Annotated[str, typer.Option(metavar="BOARD")] = "",
    version: Annotated[str, typer.Option(metavar="VERSION", help="Devices that run this now.")] = "",
    group: Annotated[str, typer.Option(metavar="GROUP")] = "",
    tag: Annotated[str, typer.Option(metavar="TAG")] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="For people.", show_default="application and version")] = "",
    waves: Annotated[
        str, typer.Option(metavar="ENDS", help="Devices or per cent, each counting from the first device on.")
    ] = "5 10% 50% 100%",
    success: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a wave that must be confirmed before the next.")
    ] = 0.9,
    abort_at: Annotated[
        float, typer.Option("--abort", min=0, max=1, help="Abort when a larger share has failed.")
    ] = 0.1,
    rate: Annotated[int, typer.Option(min=0, help="Devices a minute.", show_default="no limit")] = 0,
    window: Annotated[str, typer.Option(metavar="HH:MM-HH:MM", help="When devices may begin.")] = "",
    zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE", help="Time zone of the window, as in Europe/Paris.", show_default="each device's own"
        ),
    ] = "device",
    approval: Annotated[bool, typer.Option("--approval", help="Begin when an approver says so.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Stage, and activate when an approver says so.")] = False,
    deltas: Annotated[
        bool, typer.Option("--deltas/--whole", help="Send a delta where the server has one to what a device runs.")
    ] = True,
    seal: Annotated[bool, typer.Option("--seal", help="Encrypt it for each device alone to read.")] = False,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Take in devices that come to match later.")] = False,
    watch_it: Annotated[bool, typer.Option("--watch", help="And watch it.")] = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Roll a bundle out: to the devices named and those that have all that is given; with neither, to all."""
    client = Client(fleet_dir)
    digest = client.upload(Path(bundle))["digest"] if _is_file(bundle) else bundle
    policy = {
        "waves": waves.split(),
        "success": success,
        "abort": abort_at,
        "rate": rate,
        "window": window,
        "zone": zone,
    }
    policy |= {"approval": approval, "activation": "approval" if hold else "automatic", "dynamic": dynamic}
    policy |= {"deltas": deltas, "seal": seal}
    selector = {"board": board, "version": version, "group": group, "tag": tag}
    body = {"bundle": digest, "name": name, "devices": device or [], "selector": selector, "policy": policy}
    made = client.post("/rollouts", body)
    if watch_it:
        _watch(client, made["id"], as_json)
    _print(made, as_json)


def _is_file(bundle: str) -> bool:
    """Or else it is a digest. Raises Failure for what can only be meant as a file, and is none."""
    if Path(bundle).is_file():
        return True
    if "/" in bundle or bundle.endswith(".srup"):
        raise Failure(f"no such file: {bundle}", "give a .srup file, or the SHA-256 of a bundle that the server has")
    return False


@app.command("list")
def list_rollouts(as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """The newest first."""
    found = Client(fleet_dir).get("/rollouts")
    if as_json:
        console.print_json(found)
        return
    console.columns(
        [(one["id"], one["state"], one["name"], _summary(one), when(one["made"])) for one in found], ("bold",)
    )


@app.command()
def show(number: NumberArgument, as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """How far it is, and what keeps devices waiting."""
    client = Client(fleet_dir)
    shown = client.get(f"/rollouts/{number}")
    _print(shown, as_json, _kept_waiting(client, shown))


@app.command()
def watch(number: NumberArgument, as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Until it has come to an end, or waits for a person."""
    _watch(Client(fleet_dir), number, as_json)


def _watch(client: Client, number: int, as_json: bool) -> NoReturn:
    shown = client.get(f"/rollouts/{number}")
    why = _kept_waiting(client, shown)
    told: list[str] = []
    with Live(_table(shown, why), console=console.err, transient=True, auto_refresh=False) as live:
        while not _is_over(shown):
            time.sleep(_TICK_S)
            shown = client.get(f"/rollouts/{number}")
            why = _kept_waiting(client, shown)
            if console.err.is_terminal:
                live.update(_table(shown, why), refresh=True)
            elif (news := _news(shown, why)) != told:
                told = news
                console.note(f"{shown['state']}, wave {shown['wave'] + 1} of {shown['waves']}: {_summary(shown)}")
                for line in _reasons(why):
                    console.note(line)
    _print(shown, as_json, why)
    nobody = shown["state"] == DONE and not shown["states"].get(CONFIRMED)
    raise typer.Exit(_NOBODY if nobody else _CODES[shown["state"]])


def _is_over(shown: dict[str, Any]) -> bool:
    """Ended, and no device is under way any more; or it waits for a person."""
    if shown["state"] in (DONE, ABORTED):
        return not set(shown["states"]) - set(OVER)
    return shown["state"] in (PAUSED, WAITING)


def _kept_waiting(client: Client, shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Devices that could be sent something and were not, each with the reason: of each state the first hundred."""
    found: list[dict[str, Any]] = []
    for state in (PENDING, STAGED):
        if shown["states"].get(state):
            of_state = client.get(f"/rollouts/{shown['id']}/devices", state=state)["devices"]
            found += [{name: one[name] for name in ("name", "state", "why")} for one in of_state if one["why"]]
    return found


def _reasons(kept: list[dict[str, Any]]) -> list[str]:
    """A line for each reason, which may be that of many."""
    names: dict[str, list[str]] = {}
    for one in kept:
        names.setdefault(one["why"], []).append(one["name"])
    return [
        f"{', '.join(those[:_NAMED])}{f' and {len(those) - _NAMED} more' if those[_NAMED:] else ''}: {why}"
        for why, those in names.items()
    ]


def _news(shown: dict[str, Any], kept: list[dict[str, Any]]) -> list[str]:
    """What is told again when it changes: not that a reason is some seconds older."""
    return [_summary(shown), *(re.sub("[0-9]+", "", line) for line in _reasons(kept))]


def _table(shown: dict[str, Any], kept: list[dict[str, Any]]) -> Group:
    table = Table(title=f"{shown['id']}: {shown['name']}, {shown['state']}", title_justify="left")
    table.add_column("wave")
    present = [state for state in STATES if shown["states"].get(state)]
    for state in present:
        table.add_column(state, justify="right")
    for wave, counts in enumerate(shown["by_wave"]):
        numbers = [Text(str(counts.get(state, "")), "bold") for state in present]
        table.add_row(f"{wave + 1}{' *' if wave <= shown['wave'] else ''}", *numbers)
    return Group(table, *(Text(console.printable(line)) for line in _reasons(kept)))


def _summary(shown: dict[str, Any]) -> str:
    return ", ".join(f"{shown['states'][state]} {state}" for state in STATES if shown["states"].get(state))


def _print(shown: dict[str, Any], as_json: bool, kept: list[dict[str, Any]] | None = None) -> None:
    """kept: devices that are kept waiting, where somebody has looked."""
    if as_json:
        console.print_json(shown if kept is None else shown | {"kept_waiting": kept})
        return
    why = f": {shown['why']}" if shown["why"] else ""
    console.say(f"roll-out {shown['id']} is {shown['state']}{why}", _COLOURS[shown["state"]])
    console.say(f"{shown['name']} to {shown['devices']} devices: {_summary(shown)}")
    for line in _reasons(kept or []):
        console.say(line, "yellow")


def _order(number: int, what: str, body: dict[str, str], as_json: bool, fleet_dir: Path | None) -> None:
    _print(Client(fleet_dir).post(f"/rollouts/{number}/{what}", body), as_json)


@app.command()
def pause(
    number: NumberArgument, why: WhyOption = "", as_json: JsonOption = False, fleet_dir: FleetOption = None
) -> None:
    """Begin with no more devices, and activate none, until it is resumed."""
    _order(number, "pause", {"why": why}, as_json, fleet_dir)


@app.command()
def resume(
    number: NumberArgument, why: WhyOption = "", as_json: JsonOption = False, fleet_dir: FleetOption = None
) -> None:
    """Go on; past a gate that has closed, too."""
    _order(number, "resume", {"why": why}, as_json, fleet_dir)


@app.command()
def abort(
    number: NumberArgument, why: WhyOption = "", as_json: JsonOption = False, fleet_dir: FleetOption = None
) -> None:
    """For good: what is staged is cancelled, what is not confirmed yet goes back by itself."""
    _order(number, "abort", {"why": why}, as_json, fleet_dir)


@app.command()
def approve(number: NumberArgument, as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Let it begin. Whoever made it can't."""
    _order(number, "approve", {}, as_json, fleet_dir)


@app.command()
def activate(number: NumberArgument, as_json: JsonOption = False, fleet_dir: FleetOption = None) -> None:
    """Let what is staged be activated. Whoever made it can't."""
    _order(number, "activate", {}, as_json, fleet_dir)
