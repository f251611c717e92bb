"""The command `srup`."""

import io
import os
import sys

import typer

from srup import __version__
from srup_host import (
    bundle_commands,
    console,
    flash_command,
    group_commands,
    init,
    inspector,
    join_commands,
    key_commands,
    mosquitto,
    provision_command,
    rotate_command,
    send,
    send_authority,
    serve,
    sign_commands,
)
from srup_host.console import Failure
from srup_host.server import (
    account_commands,
    audit_commands,
    disaster_commands,
    fleet_commands,
    order_commands,
    rollout_commands,
)
from srup_host.simulate import command as simulate
from srup_host.virtual import command as virtual

app = typer.Typer(
    name="srup",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.say(f"srup {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Secure remote update for MicroPython boards: keys, bundles, signed commands, and a board to try them on."""


app.command("init")(init.command)
app.add_typer(bundle_commands.app, name="bundle")
key_commands.app.command("rotate")(rotate_command.command)
app.add_typer(key_commands.app, name="keys")
app.add_typer(sign_commands.app, name="sign")
app.command("inspect")(inspector.command)
app.command("serve")(serve.command)
app.command("mosquitto")(mosquitto.command)
send.app.command("settings")(send_authority.settings)
send.app.command("clock")(send_authority.clock)
send.app.command("deregister")(send_authority.deregister)
app.add_typer(send.app, name="send")
app.command("virtual")(virtual.command)
app.command("flash")(flash_command.command)
app.command("provision", epilog=provision_command.EXIT_CODES)(provision_command.command)
app.add_typer(fleet_commands.app, name="fleet")
app.add_typer(group_commands.app, name="group")
app.add_typer(join_commands.app, name="join")
app.add_typer(join_commands.voucher_app, name="voucher")
app.add_typer(rollout_commands.app, name="rollout")
app.command("simulate")(simulate.command)
app.add_typer(account_commands.app, name="account")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(order_commands.app, name="order")
app.add_typer(disaster_commands.device_app, name="device")
app.command("backup")(disaster_commands.backup)
app.command("restore")(disaster_commands.restore)
app.command("restored")(disaster_commands.restored)


def main(arguments: list[str] | None = None) -> None:
    """Run a command line. Exit codes: 0 done, 1 what was looked at is not good, 2 it can't be done, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to stop
    try:
        _run(arguments)
    except Failure as failure:
        console.report(failure)
        sys.exit(failure.code)
    except BrokenPipeError:  # whoever read what we say has gone: nothing to tell
        _let_go_of_stdout()
        sys.exit(1)
    except OSError as error:  # a disk is full, most likely, and be it the one that stdout is on
        _let_go_of_stdout()
        where = f"{error.filename}: " if error.filename else ""
        console.report(Failure(f"can't go on: {where}{error.strerror or error or type(error).__name__}"))
        sys.exit(console.WRONG)


def _run(arguments: list[str] | None) -> None:
    """Raises SystemExit, once all is written that the command has said: at the end of the process nobody would hear that it can't be."""
    try:
        app(args=arguments, prog_name="srup")
    except SystemExit:
        sys.stdout.flush()
        raise


def _let_go_of_stdout() -> None:
    """What can't be written is not tried again at the end of the process, which would end it with a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
