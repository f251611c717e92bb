"""What every install step shares: how it fails (one line, no traceback), pip, and how a program enters .cache/bin."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

BIN = Path(".cache/bin")
VENV_PYTHON = Path(".venv/bin/python")
PIP_LOG = Path(".cache/pip.log")


class Failed(Exception):
    """Something is missing that the user has to provide; the message says what and how."""


def run(step: Callable[[], None]) -> None:
    """Do one step of the installation as a program: exit code 1 and one line if it fails."""
    try:
        step()
    except Failed as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}; check free space and who owns .cache and .venv, then try again")
    except KeyboardInterrupt:
        sys.exit(f"{Path(sys.argv[0]).name}: interrupted; the next make carries on from here")


def pip(*arguments: str | Path) -> None:
    """Run the checkout's pip, quietly. Raises Failed."""
    command = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise pip_failed(result.stdout)


def pip_failed(output: str) -> Failed:
    """pip's failure in one line; the whole of what it said goes to a file."""
    PIP_LOG.parent.mkdir(exist_ok=True)
    PIP_LOG.write_text(output)
    errors = [line.strip() for line in output.splitlines() if line.startswith("ERROR: ")]
    reason = errors[0].removeprefix("ERROR: ") if errors else "pip failed"
    if "connection broken by" in output:
        reason = "pip can't reach its package index"
    return Failed(f"{reason}; check the network and pip's settings, then try again (what pip said: {PIP_LOG})")


def write_script(name: str, body: str) -> None:
    """Put an executable shell script into .cache/bin, complete or not at all."""
    BIN.mkdir(parents=True, exist_ok=True)
    partial = BIN / f"{name}.part"
    partial.write_text(f"#!/bin/sh\n{body}\n")
    partial.chmod(0o755)
    partial.replace(BIN / name)
