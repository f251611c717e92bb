"""Finds MicroPython's unix port, and runs scripts of board/ on it."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import srup
from srup_host import native
from srup_host.console import Failure

OLDEST = (1, 25)
BOARD = Path(__file__).parent / "board"

_PROBE = """
import sys, tls, vfs, ffi
vfs.VfsLfs2
print(sys.implementation.version[0], sys.implementation.version[1], sys.implementation._mpy)
"""
_INSTALLED = Path(srup.__file__).resolve().parents[2] / ".cache" / "bin" / "micropython"


def find() -> str:
    """The one that $SRUP_MICROPYTHON names, or what `make` installed, or the one on PATH. Raises Failure."""
    found = os.environ.get("SRUP_MICROPYTHON") or shutil.which(_INSTALLED) or shutil.which("micropython")
    if not found:
        raise Failure("there is no MicroPython here", "run `make setup` in the checkout, or set SRUP_MICROPYTHON")
    _probe(found)
    return found


def mpy() -> str:
    """The version of .mpy that it runs, as in `6.3`."""
    number = _probe(find())
    return f"{number & 0xFF}.{number >> 8 & 3}"


def processor() -> str:
    """For which native code can be made that it runs (srup_host.native), or ""."""
    return native.processor(_probe(find()))


@functools.cache
def _probe(program: str) -> int:
    """Its sys.implementation._mpy. Raises Failure unless it can be a board."""
    try:
        done = subprocess.run([program, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{program} does not run: {error}") from None
    major, minor, number = map(int, done.stdout.split()) if done.returncode == 0 else (0, 0, 0)
    if (major, minor) < OLDEST:
        raise Failure(f"{program} can't be a board", "it takes MicroPython 1.25 or later with tls, littlefs and ffi")
    return number


def board_command(script: str, *arguments: str, heap: str) -> list[str]:
    """A command line for a script of board/. No argument may have more than 255 bytes: MicroPython takes no longer one."""
    return [find(), "-X", f"heapsize={heap}", str(BOARD / script), *arguments]
