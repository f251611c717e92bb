"""make demo BOARD=rp2040: the story, its last lines, and that it leaves nothing behind when it is broken off."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(700)]

STORY = [
    "its key made on the board",
    "-> INITIATE",
    "cut in the middle of a flash write",
    "--- power cut ---",
    "206, ",
    "<- UPDATE_SUCCESS",
    "-> ACTIVATE",
    "slot b, on trial",
    "<- ACTIVATE_TRIAL",
    "-> DATA confirm",
    "<- ACTIVATE_SUCCESS",
    "-> INITIATE",
    "the sensor does not answer",
    "<- ACTIVATE_REVERTED",
]


@pytest.fixture(params=["frozen", "littlefs"])
def demo(request, firmware, frozen_firmware, tmp_path):
    """The demo, started, with the agent there; afterwards its temporary directory is empty, and no process has a file of it open."""
    chosen = frozen_firmware if request.param == "frozen" else firmware
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.emulator.demo"],
        env=os.environ | {"TMPDIR": str(tmp_path), "SRUP_CHIP_FIRMWARE": str(chosen)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate(timeout=60)
    assert list(tmp_path.iterdir()) == []
    assert not [link for link in Path("/proc").glob("[0-9]*/fd/*") if str(tmp_path) in target(link)]


def target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""


def test_the_whole_loop(demo):
    out, err = demo.communicate(timeout=600)
    assert (demo.returncode, err) == (0, ""), out
    assert re.search(".*?".join(map(re.escape, STORY)), out, re.DOTALL), out
    assert int(re.search(r"206, .*resumed: bytes=(\d+)-", out)[1]) >= 16_384
    assert out.splitlines()[-2:] == [
        "REVERTED thermometer 3.0 -> 2.0: its self-test failed",
        "CONFIRMED thermometer 1.0 -> 2.0",
    ]


def test_ctrl_c(demo):
    next(line for line in demo.stdout if "agent" in line)
    demo.send_signal(signal.SIGINT)
    _, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (130, "")
