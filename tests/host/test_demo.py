"""make demo: the story, its last lines, and that it leaves nothing behind however it ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from srup_host.console import Failure
from srup_host.virtual import interpreter


@pytest.fixture
def demo(tmp_path):
    """demo(...) starts it with an empty temporary directory; afterwards that is empty again, and no process works in it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    started = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "srup_host.demo", *arguments],
            env=os.environ | {"TMPDIR": str(scratch)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate(timeout=60)
    assert list(scratch.iterdir()) == []
    assert not [link for link in Path("/proc").glob("[0-9]*/cwd") if str(scratch) in _target(link)]


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""


@pytest.fixture(autouse=True)
def micropython():
    try:
        return interpreter.find()
    except Failure as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"MICROPYTHON IS MISSING: {missing}; this was NOT tested")


def test_the_whole_loop(demo, tmp_path):
    process = demo()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "CONFIRMED thermometer 1.0 -> 2.0"
    assert [line for line in lines if line.startswith("REVERTED")] == lines[-2:-1]
    assert "\x1b" not in out  # piped: plain
    told = "\n".join(lines)
    story = [
        "-> INITIATE",
        "200, ",
        "<- UPDATE_SUCCESS",
        "-> ACTIVATE",
        "on trial",
        "<- ACTIVATE_TRIAL",
        "-> DATA confirm",
        "<- ACTIVATE_SUCCESS",
        "<- inventory",
        "-> INITIATE",
        "-> ACTIVATE",
        "on trial",
        "<- ACTIVATE_REVERTED",
    ]
    assert re.search(".*?".join(map(re.escape, story)), told, re.DOTALL)


def test_what_is_kept_is_a_fleet_and_a_board(demo, tmp_path):
    process = demo("--keep", str(tmp_path / "kept"))
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert (tmp_path / "kept" / "fleet" / "srup.toml").is_file()
    assert (tmp_path / "kept" / "kitchen" / "board.json").is_file()
    again = demo("--keep", str(tmp_path / "kept"))
    _, err = again.communicate(timeout=60)
    assert again.returncode == 1 and len(err.splitlines()) == 1


def test_it_stays_for_a_look_at_the_dashboard_until_ctrl_c(demo):
    process = demo("--stay")
    link = next(line.strip() for line in process.stdout if "/invitation/" in line)
    assert "Make an account" in httpx2.get(link, verify=False).text
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "CONFIRMED thermometer 1.0 -> 2.0"


@pytest.mark.parametrize("program", ["/nowhere/micropython", shutil.which("false")])
def test_without_micropython_one_line_says_so(demo, program):
    process = demo(SRUP_MICROPYTHON=program)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"demo: {program}") and len(err.splitlines()) == 1


@pytest.mark.parametrize("moment", ["a new fleet", "connected", "on trial"])
def test_ctrl_c_at_any_time(demo, moment):
    process = demo()
    next(line for line in process.stdout if moment in line)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
