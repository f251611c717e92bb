"""`srup virtual DIR`: a board for somebody who has none."""

import signal
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from srup_host import console, policies
from srup_host.console import Failure
from srup_host.fleet import Fleet, FleetOption
from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the board's flash is kept: new, or a board.")],
    name: Annotated[str, typer.Option(help="Name in the fleet.", show_default="the directory's name")] = "",
    app: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|BUNDLE", help="First application of a new board.", show_default="none: it starts in recovery"
        ),
    ] = None,
    app_version: Annotated[str, typer.Option(help="Version of --app where that is a folder.")] = "1.0",
    fresh: Annotated[bool, typer.Option("--fresh", help="Erase what is there, and enrol it as a new board.")] = False,
    flash_size: Annotated[
        int, typer.Option(min=256, max=262_144, metavar="KIB", help="Flash of a new board, in KiB.")
    ] = making.FLASH_SIZE // 1024,
    heap: Annotated[
        str, typer.Option(help="Heap of a new board. Objects are twice as large as on a chip: this is like 190 KB.")
    ] = making.HEAP,
    policy: policies.PolicyOption = None,
    join: Annotated[
        bool, typer.Option("--join", help="Do not enrol a new board: it asks to join, and shows six words.")
    ] = False,
    clock: Annotated[bool, typer.Option(help="A new board knows the time when it starts, or does not.")] = True,
    once: Annotated[bool, typer.Option("--once", help="A reset ends it, instead of starting it again.")] = False,
    run: Annotated[bool, typer.Option(help="Power it on, or only make it.")] = True,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Seconds since power on before each line.")] = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Run a board on this machine: real MicroPython, its flash in a file. Ctrl-C cuts its power; the next run goes on.

    A new board makes its key pair, and is enrolled in the fleet with it; or asks to join: srup join list.
    """
    chosen = policies.chosen(policy)
    if fresh or not making.exists(directory):
        fleet = Fleet.open(fleet_dir)
        if fresh:
            making.check(directory, fleet, name, heap=heap, application=app, joins=join)  # before the old one is gone
            making.remove(directory, fleet)
        making.make(
            directory,
            fleet,
            name,
            flash_size=flash_size * 1024,
            heap=heap,
            application=app,
            version=app_version,
            clock=clock,
            settings=policies.setting(fleet.policy, options=chosen),
            joins=join,
        )
        how = "which is to ask to join" if join else "enrolled in"
        console.note(f"new board in {directory}, {how} the fleet {fleet.name}")
    elif name or app or policy or join:
        raise Failure(
            f"there is a board in {directory} already, and --name, --app, --policy and --join are for a new one",
            "leave them away and send it the application; or --fresh erases it",
        )
    if run:
        _watch(VirtualBoard(directory), once, timestamps)


def _watch(board: VirtualBoard, once: bool, timestamps: bool) -> None:
    """Show its console until it ends. Exit code: its process's, or 130 after Ctrl-C."""
    began = time.monotonic()

    def show(line: str) -> None:
        stamp = f"{time.monotonic() - began:9.3f}  " if timestamps else ""
        console.say(stamp + line, "dim" if line.startswith("--- ") else "")

    signal.signal(signal.SIGTERM, _terminate)
    with board.start(show, once=once):
        try:
            code = board.wait_stopped()
        except KeyboardInterrupt:
            code = 130
    sys.exit(code)


def _terminate(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)
