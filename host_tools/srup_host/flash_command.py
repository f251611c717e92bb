"""`srup flash`: MicroPython onto an ESP32, by esptool."""

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from srup_host import console, esp_firmware
from srup_host.console import Failure
from srup_host.esp_firmware import Firmware


def command(
    port: Annotated[str, typer.Argument(metavar="PORT", help="Serial port of the board; srup provision lists them.")],
    path: Annotated[Path, typer.Argument(metavar="FIRMWARE", help="A .bin from micropython.org/download.")],
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase all of the flash before: files, keys and settings, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file, show the commands, run none.")] = False,
) -> None:
    """Write MicroPython onto an ESP32, with esptool, which checks the chip before and what it wrote after.

    A board that is a member of a fleet keeps its files, unless --erase is given. (A Pico takes no command: hold BOOTSEL, plug it in, and
    copy the .uf2 onto the drive that appears.)
    """
    firmware = esp_firmware.read(path)
    check(firmware)
    board = firmware.profile.board if firmware.profile else "a board with a partition table of its own"
    console.note(f"{path}: {firmware.chip}, {board}, to 0x{firmware.offset:x}")
    for arguments in commands(firmware, port, erase):
        if dry_run:
            console.say(shlex.join(["esptool", *arguments]))
        elif subprocess.run(_esptool(*arguments), check=False).returncode:
            raise Failure(
                f"esptool did not write {path} to {port}",
                "hold BOOT while you press EN, and try again; is it the right chip, and the port free?",
            )
    if not dry_run:
        console.say(f"{path} is on the board; now: srup provision {port}", "bold green")


def check(firmware: Firmware) -> None:
    """Have esptool look at the image that the chip starts first. Raises Failure."""
    arguments = ["--chip", firmware.chip, "image-info", str(firmware.path)]
    done = subprocess.run(_esptool(*arguments), capture_output=True, text=True, check=False)
    said = f"{done.stdout}{done.stderr}"
    if done.returncode or "invalid" in said.lower():
        line = next((line for line in said.splitlines() if "invalid" in line.lower() or "error" in line.lower()), said)
        raise Failure(f"{firmware.path} is damaged: esptool says: {line.strip()[:160]}", "fetch it again")


def commands(firmware: Firmware, port: str, erase: bool) -> list[list[str]]:
    """What esptool is called with."""
    board = ["--chip", firmware.chip, "--port", port]
    write = [*board, "write-flash", "--compress", f"0x{firmware.offset:x}", str(firmware.path)]
    return [[*board, "erase-flash"], write] if erase else [write]


def _esptool(*arguments: str) -> list[str]:
    if importlib.util.find_spec("esptool") is None:
        raise Failure(
            "esptool is not installed", "make setup installs it into the checkout; elsewhere: pip install esptool"
        )
    return [sys.executable, "-m", "esptool", *arguments]
