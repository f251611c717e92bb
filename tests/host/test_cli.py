"""The command srup as a program: help, exit codes, terminals and pipes."""

import os
import pty
import re
import subprocess
import sys

import pytest
import typer

from srup import __version__
from srup_host import init, signing
from srup_host.cli import app
from tests.host.shell import run, srup

SRUP = [sys.executable, "-m", "srup_host.cli"]
TOKEN = "01a204e528fc7000a01639615e4cb057"


def commands(command, path=()):
    """The path of every command and group."""
    yield path
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, (*path, name))


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    monkeypatch.setenv("SRUP_FLEET", str(tmp_path / "fleet"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return init.create(tmp_path / "fleet", "garden")


def on_terminal(*arguments):
    """What a terminal gets to see."""
    master, slave = pty.openpty()
    done = subprocess.Popen([*SRUP, *arguments], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    try:
        while piece := os.read(master, 4096):
            seen += piece
    except OSError:  # Linux says so when the other end has closed
        pass
    os.close(master)
    assert done.wait() == 0, seen
    return seen.decode()


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_explains_itself(command):
    text = srup(*command, "--help").text
    assert "Usage: srup" in text
    assert srup(*command, "-h").text == text
    described = [line for line in text.splitlines() if re.match(r"│ [* ]*(--[a-z-]+|[A-Z]+) ", line)]
    assert all(re.search(r"[a-z]{3,}.*│$", line) for line in described), text


def test_version():
    assert srup("--version").text == f"srup {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [("bundel",), ("init",), ("init", "x", "--nmae"), ("sign", "activate"), ("inspect", "a", "b")]
)
def test_a_slip_of_the_pen_is_exit_code_2(arguments):
    result = run(*arguments)
    assert result.code == 2 and result.out == b"" and "Usage: " in result.err


@pytest.mark.parametrize(
    "command", ["account revoke", "audit heads --most", "virtual board --flash-size", "simulate", "rollout show"]
)
def test_a_number_beyond_all_bounds_is_a_slip_of_the_pen(fleet, command):
    assert run(*command.split(), 10**20).code == 2


def test_a_misspelt_command_is_guessed():
    assert "bundle" in run("bundel").err


def test_exit_codes_as_a_program(fleet, tmp_path):
    def code(*arguments):
        return subprocess.run([*SRUP, *arguments], check=False, capture_output=True, cwd=tmp_path).returncode

    assert code("sign", "activate", "--token", TOKEN) == 0
    assert code("inspect", "00") == 1
    assert code("inspect", "none") == 2


def test_colour_on_a_terminal_and_none_elsewhere(fleet, monkeypatch):
    frame = subprocess.run([*SRUP, "sign", "activate", "--token", TOKEN], capture_output=True, check=True)
    assert frame.stdout[:2] == b"\x01\x03" and b"\x1b" not in frame.stderr
    assert "\x1b[" in on_terminal("inspect", frame.stdout.hex())
    piped = subprocess.run([*SRUP, "inspect", frame.stdout.hex()], capture_output=True, check=True)
    assert b"\x1b" not in piped.stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", on_terminal("inspect", frame.stdout.hex()))


def test_a_frame_is_hex_on_a_terminal(fleet):
    seen = on_terminal("sign", "activate", "--token", TOKEN)
    assert re.search(r"^01030040[0-9a-f]{128}0010" + TOKEN, seen)


def test_a_pipe(fleet):
    """srup sign … | srup inspect"""
    frame = subprocess.run([*SRUP, "sign", "activate", "--token", TOKEN], capture_output=True, check=True).stdout
    key = str(fleet.directory / "keys" / "command.pub.pem")
    seen = subprocess.run(
        [*SRUP, "inspect", "--key", key], input=frame, capture_output=True, check=True
    ).stdout.decode()
    assert "ACTIVATE" in seen and "signature holds" in seen


def test_it_works_where_the_terminal_has_ascii_only(fleet):
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    frame = "0105" + "0000" * 2 + "0000" + "0002c3bc" + "0000"
    for arguments in (("inspect", frame), ("inspect", frame, "--json"), ("--help",)):
        done = subprocess.run([*SRUP, *arguments], check=False, capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr


def broken(code, *arguments, **streams):
    """What stderr says where a command ends with this exit code: one line, and no traceback."""
    done = subprocess.run([*SRUP, *arguments], check=False, stderr=subprocess.PIPE, **streams)
    assert done.returncode == code, done.stderr
    return done.stderr.decode()


def test_what_can_not_be_written_to_stdout_is_said_in_one_line(fleet):
    """Also of what is still in the buffer when the command is over."""
    frame = subprocess.run(
        [*SRUP, "sign", "activate", "--token", TOKEN, "--hex"], capture_output=True, check=True
    ).stdout
    for arguments in (("inspect", frame.strip()), ("inspect", frame.strip(), "--json"), ("--version",)):
        with open("/dev/full", "wb") as full:
            said = broken(2, *arguments, stdout=full)
        assert said.splitlines() == ["error: can't go on: No space left on device"], arguments


def test_a_reader_that_has_gone_is_told_nothing(fleet):
    frame = subprocess.run(
        [*SRUP, "sign", "activate", "--token", TOKEN, "--hex"], capture_output=True, check=True
    ).stdout
    for more in ((), ("--json",)):
        reading, writing = os.pipe()
        os.close(reading)
        assert broken(1, "inspect", frame.strip(), *more, stdout=writing) == ""
        os.close(writing)


def test_an_error_of_the_machine_is_one_line(fleet, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error", "/mnt/keys")

    monkeypatch.setattr(signing, "sign_frame", fail)
    result = run("sign", "activate", "--token", TOKEN)
    assert (result.code, result.err) == (2, "error: can't go on: /mnt/keys: Input/output error\n")
