"""README held to reality: the walk through it is walked, and what else it names exists."""

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from srup_host import delta
from tests.flow.brokers import free_port
from tests.host.serial_board import SerialBoard
from tests.unit.on_micropython import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _lines(block: str) -> list[str]:
    return [line.split(" #")[0].rstrip() for line in block.splitlines() if line.strip()]


@pytest.fixture
def shell(tmp_path: Path):
    """run(line) as the reader would, in a folder where host_tools is at hand; `&` goes on until the test ends."""
    (tmp_path / "host_tools").symlink_to(ROOT / "host_tools")
    environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "COLUMNS": "200"}
    running: list[subprocess.Popen[bytes]] = []

    def run(line: str) -> str:
        if line.startswith("export "):
            environment.update([line.removeprefix("export ").split("=", 1)])
            return ""
        if line.startswith("srup init fleet"):  # the usual ports may be taken here
            line += f" --broker-port {free_port()} --https-port {free_port()}"
        if line.endswith("&"):
            log = (tmp_path / f"log{len(running)}").open("wb")
            arguments = shlex.split(line[:-1])
            running.append(subprocess.Popen(arguments, cwd=tmp_path, env=environment, stdout=log, stderr=log))
            time.sleep(1)
            return ""
        done = subprocess.run(
            shlex.split(line), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False
        )
        logs = "".join(path.read_text() for path in sorted(tmp_path.glob("log*")))
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}\n{logs}"
        return done.stdout

    yield run
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        process.wait(20)


def test_the_walk_without_hardware_and_the_signing(shell) -> None:
    walk, small, signing, grouping, changing, ordering, *_ = (block for block in _blocks("sh") if "srup " in block)
    said = [shell(line) for line in _lines(walk)]
    assert "2.0" in said[-1]
    if delta.detools:  # it takes a C compiler
        said = [shell(line) for line in _lines(small)]
        assert "next.from-2.0.srup" in said[0]
    said = [shell(line) for line in _lines(signing)]
    assert '"type":"INITIATE"' in said[1]
    assert "signature holds" in said[2]
    said = [shell(line) for line in _lines(grouping)]
    assert "1 of 1 devices know" in said[0] and "kitchen" in said[1]
    said = [shell(line) for line in _lines(changing)]
    assert "done, on 1 devices" in said[0] and "is not being changed" in said[1]
    said = [shell(line) for line in _lines(ordering)]
    assert '"passed": true' in said[1] and "ACTION_SUCCESS" in said[-1]


def test_from_the_box_to_the_fleet(shell, tmp_path) -> None:
    """The board is MicroPython at a pseudo-terminal, and both are on this machine."""
    *_, fleet, provision = (block for block in _blocks("sh") if "srup " in block)
    (tmp_path / "kettle").mkdir()
    (tmp_path / "kettle/app.py").write_text("def setup(agent):\n    agent.on_self_test(lambda: True)\n")
    (tmp_path / "passwords").write_text("correct horse\n")
    shell("export SRUP_WIFI_PASSWORD_FILE=passwords")  # nobody is here to be asked
    init, serve = _lines(fleet)
    shell(init.replace("192.168.1.10", "localhost"))
    shell(f"{serve} &")
    with SerialBoard(tmp_path / "board") as board:
        listing, *steps = [line.replace("/dev/ttyACM0", board.port) for line in _lines(provision)]
        shell(f"{listing} --json")
        said = [shell(line) for line in steps]
    assert "enter it as UNIX-" in said[0]
    assert "kitchen is in the fleet, says hello, and runs kettle 1.0" in said[1]
    assert "all is as it should be" in said[2]


def test_every_make_target_that_it_names_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z ]+)", README, re.MULTILINE)
    assert named
    assert {target for words in named for target in words.split()} <= targets


def test_every_file_that_it_names_is_there() -> None:
    names = re.findall(r"`((?:firmware|host_tools|tests|docs)/[\w./]+)`", README) + re.findall(
        r"\]\(([\w./]+)\)", README
    )
    assert len(names) > 15
    assert not [name for name in names if not (ROOT / name).exists()]


def test_the_application_in_it_compiles() -> None:
    (block,) = _blocks("python")
    assert len(_lines(block)) <= 10
    compile(block, "README.md", "exec")
