"""`srup provision`: a board from its box to the fleet, over USB."""

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from srup_host import checking, console, deploy, hello, policies, ports, provisioning, wifi, words
from srup_host.console import Failure, size
from srup_host.deploy import Connection
from srup_host.fleet import Fleet, FleetOption
from srup_host.provisioning import Plan, Provisioned

UNHEARD = 6  # exit code, as of srup send
_LAST_WORDS = 8  # lines of the board's console, shown where its hello does not come
EXIT_CODES = """\
Exit codes: 0 done, and the device has said hello · 1 --check: not all is as it should be · 2 it can't be done · 6 provisioned, and no
hello in time."""


def command(
    port: Annotated[
        str, typer.Argument(metavar="[PORT]", help="Serial port of the board; without one: which there are.")
    ] = "",
    name: Annotated[str, typer.Option(help="Name in the fleet.", show_default="board and serial number")] = "",
    app: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|BUNDLE", help="First application of a new board.", show_default="none: it starts in recovery"
        ),
    ] = None,
    app_version: Annotated[str, typer.Option(help="Version of --app where that is a folder.")] = "1.0",
    ssids: Annotated[
        list[str] | None,
        typer.Option(
            "--wifi", metavar="NAME", help="Wi-Fi network; again for a second choice. Its password is asked for."
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--wifi-password-file",
            metavar="FILE",
            envvar="SRUP_WIFI_PASSWORD_FILE",
            help="Passwords, a line for each --wifi.",
        ),
    ] = None,
    policy: policies.PolicyOption = None,
    no_wifi: Annotated[bool, typer.Option("--no-wifi", help="Give it no Wi-Fi network.")] = False,
    profile: Annotated[
        str, typer.Option(metavar="BOARD", help="A profile of boards/.", show_default="by what the board says it is")
    ] = "",
    slots: Annotated[
        str, typer.Option(metavar="folders|regions|firmware", help="Kind of slots.", show_default="the profile's")
    ] = "",
    join: Annotated[
        bool, typer.Option("--join", help="Do not enter it: it asks to join, and a person compares six words.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take it from another fleet: its keys and applications are erased.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at the board, say what would be done, do nothing.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare what is on the board with what should be.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has said hello by way of the broker.")] = True,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for that.")] = 180,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one line of JSON.")] = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Make a board that runs MicroPython a member of the fleet, over USB.

    It is given its software, makes its keys, is told the fleet's, and starts. Broken off, it goes on where it was; a member keeps its
    keys, name, memory and applications, and gets software and settings anew. With --join the fleet learns its key from the board itself,
    by way of the broker, and from the person who compares six words.
    """
    if not port:
        _show_ports(as_json)
        return
    fleet, chosen = Fleet.open(fleet_dir), policies.chosen(policy)
    if check:
        _check(port, fleet, profile, as_json)
        return
    if dry_run:
        with deploy.connected(port) as board:
            plan = _planned(board, fleet, name, profile=profile, slots=slots, adopt=adopt, joins=join)
            board.reset()
        _show_plan(plan, fleet, app, as_json)
        return
    if wait:
        hello.check_broker(fleet)
    began = time.monotonic()
    with deploy.connected(port) as board:
        plan = _planned(board, fleet, name, profile=profile, slots=slots, adopt=adopt, joins=join)
        console.note(f"{port}: {plan.facts.describe()}, profile {plan.profile.board}")
        if plan.member and app:
            console.warn(f"{plan.member.name} keeps its application; send it another: srup send initiate")
        settings = _networks(plan, ssids or [], password_file, no_wifi)
        with _bar() as progress:
            done = provisioning.carry_out(
                board,
                plan,
                fleet,
                application=app,
                version=app_version,
                settings=settings,
                policy=chosen,
                progress=progress,
            )
        console.note(f"{done.device.name}: {len(done.copied)} files copied, kept: {', '.join(done.kept) or 'nothing'}")
        board.reset()
    said = None
    if wait:
        said = _words(port, fleet, done, timeout) if join else _hello(port, fleet, done, timeout)
    _show(done, said, wait, round(time.monotonic() - began, 1), as_json)
    if wait and said is None:
        raise typer.Exit(UNHEARD)


def _planned(board: Connection, *how: Any, **options: Any) -> Plan:
    """As `provisioning.plan`; a board that is refused goes on with what it was doing."""
    try:
        return provisioning.plan(board, *how, **options)
    except Failure:
        with contextlib.suppress(Failure):  # it may be none of ours at all
            board.reset()
        raise


def _networks(plan: Plan, ssids: list[str], password_file: Path | None, no_wifi: bool) -> dict[str, Any]:
    """The setting `wifi`, where there is one to be made."""
    if no_wifi:
        return {"wifi": []}
    if not ssids and plan.wants_wifi:
        ssids = [wifi.ask_name()]
    return {"wifi": wifi.networks(ssids, password_file)} if ssids else {}


def _hello(port: str, fleet: Fleet, done: Provisioned, timeout: float) -> dict[str, Any] | None:
    """The device's inventory; None, and what its console said, if none comes."""
    lines: deque[str] = deque(maxlen=_LAST_WORDS)
    with (
        hello.console(port, lines.append),
        console.err.status(f"it has started; waiting for the hello of {done.device.name} …"),
    ):
        said = hello.wait(fleet, done.device, timeout)
    if said is None:
        _last_words(f"no hello of {done.device.name} in {timeout:g} s", lines)
    return said


def _words(port: str, fleet: Fleet, done: Provisioned, timeout: float) -> dict[str, Any] | None:
    """Those on its console when it asks to join, {"words": ...}; None, and what it said, if it does not. Raises Failure for others
    than those of the key that it has made."""
    lines: deque[str] = deque(maxlen=_LAST_WORDS)
    with console.err.status(f"it has started; waiting until {done.device.name} asks to join …"):
        said = hello.asks(port, lines.append, timeout)
    if not said:
        _last_words(f"{done.device.name} has not asked to join in {timeout:g} s", lines)
        return None
    if not words.same(said, words.of(done.device.target, done.device.key)):
        raise Failure(f"the board on {port} shows words that are not those of its key: {said}", "--adopt makes it anew")
    return {"words": said}


def _last_words(why: str, lines: Iterable[str]) -> None:
    console.warn(f"{why}; what its console said last:")
    for line in lines:
        console.note(f"  {line}", "dim")


@contextlib.contextmanager
def _bar() -> Iterator[deploy.Progress]:
    columns = (TextColumn("copying"), BarColumn(), DownloadColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console.err, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda path, done, total: bar.update(task, description=path, completed=done, total=total)


# What a person sees


def _show_ports(as_json: bool) -> None:
    found = ports.candidates()
    if as_json:
        console.print_json([port._asdict() for port in found])
        return
    if not found:
        raise Failure("no USB serial port is there", "plug the board in; on Linux it is /dev/ttyACM0 or /dev/ttyUSB0")
    console.columns(found, ("cyan",))
    console.note("srup provision PORT makes the board there one of the fleet")


def _facts(plan: Plan) -> dict[str, Any]:
    facts = plan.facts
    return {
        "board": facts.build,
        "profile": plan.profile.board,
        "micropython": ".".join(map(str, facts.version)),
        "mpy": facts.mpy_version,
        "native": facts.processor,
        "unique_id": facts.unique_id,
        "free": facts.room,
        "name": plan.name,
        "member": plan.member is not None,
    }


def _show_plan(plan: Plan, fleet: Fleet, app: Path | None, as_json: bool) -> None:
    would = _facts(plan) | {
        "copy": list(plan.different),
        "bytes": plan.size(),
        "remove": plan.extra,
        "erase": plan.taken,
    }
    if as_json:
        console.print_json(would)
        return
    console.say(f"{plan.facts.describe()}, profile {plan.profile.board}, {size(plan.facts.room)} free", "bold")
    for line in _steps(plan, fleet, app):
        console.say(f"  {line}")
    console.note("nothing was changed; the board was started again")


def _steps(plan: Plan, fleet: Fleet, app: Path | None) -> Iterator[str]:
    if plan.taken:
        yield "erase the keys, applications and memory that it has from another fleet"
    for path in plan.extra:
        yield f"remove {path}, which would be in the way"
    packages = len(plan.software)
    if plan.different:
        replaced = [path for path in provisioning.STARTERS if plan.different.get(path) == "differs"]
        yield f"copy {len(plan.different)} of {packages} files, {size(plan.size())}, and check each by its hash"
        yield from (f"replace {path}" for path in replaced)
    else:
        yield f"copy none of {packages} files: all are there"
    if plan.member:
        yield f"keep the keys, memory and applications of {plan.member.name} ({plan.member.uuid})"
    else:
        yield "let it make its key pairs, unless it was broken off right after that"
        yield (
            f"have it ask to join the fleet {fleet.name}"
            if plan.joins
            else f"enter it as {plan.name} in the fleet {fleet.name}"
        )
        yield f"give it the application {app}" if app else "give it no application: it starts in recovery"
    if plan.slots is not None:
        yield f"describe its slots: {plan.slots.decode()}"
    yield "write its settings" + (", Wi-Fi among them" if plan.profile.has_wifi else "")
    yield "start it, and wait until it asks" if plan.joins else "start it, and wait for its hello"


def _show(done: Provisioned, said: dict[str, Any] | None, waited: bool, seconds: float, as_json: bool) -> None:
    device = done.device
    if as_json:
        result = {"uuid": device.uuid, "public_key": device.public_key, "copied": done.copied, "kept": done.kept}
        heard = said if done.plan.joins and said else {"hello": said}
        told = {"name": device.name, "joins": done.plan.joins, "waited": waited, "seconds": seconds} | heard
        console.print_json(_facts(done.plan) | result | told)
    elif done.plan.joins:
        shown = said["words"] if said else "WORDS"
        console.say(f"{device.name} asks to join: {device.uuid}, {seconds:g} s", "bold green")
        console.note(
            f"where the server shows the same words: srup join accept {device.uuid} {shown} --name {device.name}"
        )
    elif said is not None:
        runs = f"runs {said.get('name')} {said.get('version')}" if said.get("version") else "waits for its application"
        console.say(
            f"{device.name} is in the fleet, says hello, and {runs}: {device.uuid}, {seconds:g} s", "bold green"
        )
    elif not waited:
        console.say(f"{device.name} is in the fleet: {device.uuid}, {seconds:g} s", "bold green")


def _check(port: str, fleet: Fleet, profile: str, as_json: bool) -> None:
    with deploy.connected(port) as board:
        facts, device, found = checking.check(board, fleet, profile)
        board.reset()
    if as_json:
        known = {"uuid": device.uuid, "name": device.name} if device else {"uuid": None, "name": None}
        console.print_json({"board": facts.build, **known, "findings": [finding._asdict() for finding in found]})
    else:
        console.columns(found, ("cyan",))
        name = device.name if device else "the board"
        verdict = f"{len(found)} things are not as they should be" if found else "all is as it should be"
        console.say(f"{name}: {verdict}", "bold red" if found else "bold green")
    if found:
        raise typer.Exit(console.REFUSED)
