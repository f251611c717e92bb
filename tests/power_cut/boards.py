"""The campaign, sampled, on an emulated RP2040 with the real firmware: an update, and the power goes at flash operations spread over
it. Runs on CPython; needs what `make chip` needs."""

import ast
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srup.bundle import open_bundle
from srup_host import device_tree, inventory
from tests.emulator.littlefs import make_flash
from tests.emulator.node import FOLDER, node
from tests.unit.on_micropython import ROOT, run

HERE = Path(__file__).parent
FIRMWARE = ROOT / "build/chip/SRUP_RP2040/firmware.bin"
DEVICE = {
    "tests/power_cut/server.py": HERE / "server.py",
    "tests/power_cut/network.py": HERE / "network.py",
    "tests/power_cut/ecdsa.py": HERE / "boards_ecdsa.py",
    "tests/unit/server.py": HERE / "boards_keys.py",
}
KINDS = ("before", "torn", "after")
CUT = 3  # exit status of the emulator
BOOTS = 8  # at most, until a board is quiet


@dataclass
class Boot:
    """One boot's console. operations: of flash, where it came to its end"""

    cut: bool
    saved: Any
    app: str = ""
    inventory: dict[str, Any] = field(default_factory=dict)
    operations: int = 0
    console: str = ""


@dataclass(frozen=True)
class Planned:
    """A cut: at this operation of a boot, which begins with this flash and this knowledge of the server's."""

    name: str
    before: Path
    saved: Any
    operation: int
    kind: str


class BoardFailed(Exception):
    """What was seen."""


def available() -> bool:
    """Are the emulator and the firmware there? In CI they have to be."""
    if FIRMWARE.is_file() and (FOLDER / "node_modules").is_dir():
        return True
    if os.environ.get("CI"):
        raise FileNotFoundError(f"no emulator, or no firmware at {FIRMWARE}: make chip")
    print("no emulated boards: `make chip` installs the emulator and builds the firmware", file=sys.stderr)
    return False


class Boards:
    """A board from the factory, as a flash file to be copied. folder: for flashes and scripts · releases: what releases.py has
    built · heap: of MicroPython, to make it"""

    def __init__(self, folder: Path, releases: Path, heap: str):
        self.folder = folder
        self._whole: list[tuple[int, Path, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        made = json.loads(run(HERE / "boards_start.py", str(releases), heap=heap))
        contents = {path: base64.b64decode(data) for path, data in made.items()}
        contents |= {f"campaign/{path}": source.read_bytes() for path, source in DEVICE.items()}
        bundle = base64.b64decode(json.loads(releases.read_text())["2.0"]["bundles"]["app"])
        contents["campaign/2.0.srup"] = bundle
        self.tree = open_bundle(io.BytesIO(bundle)).manifest["tree"]
        make_flash(folder / "start.flash", _installed() | contents)

    def plan(self, count: int) -> list[Planned]:
        """Cuts spread over the operations of an undisturbed update, of each kind in turn."""
        whole = [(at, operation) for at, boot in enumerate(self.undisturbed()) for operation in range(1, boot[0] + 1)]
        step = max(1, len(whole) // count)
        planned = []
        for number, (at, operation) in enumerate(whole[step // 2 :: step][:count]):
            _, before, saved = self._whole[at]
            kind = KINDS[number % 3]
            planned.append(Planned(f"update:rp2040:{at + 1}.{operation}:{kind}", before, saved, operation, kind))
        return planned

    def undisturbed(self) -> list[tuple[int, Path, Any]]:
        """Of each of its boots: flash operations, and flash and server as they were before it."""
        flash, saved = self.folder / "whole.flash", None
        shutil.copyfile(self.folder / "start.flash", flash)
        self._whole = []
        for number in range(BOOTS):
            before = self.folder / f"before-{number}.flash"
            shutil.copyfile(flash, before)
            boot = self.boot(flash, saved)
            self._whole.append((boot.operations, before, saved))
            saved = boot.saved
            if boot.inventory:
                self.check(boot)
                return self._whole
        raise BoardFailed(f"an undisturbed update does not end: {boot.console[-500:]}")

    def cut(self, planned: Planned) -> None:
        """The power goes there; then it is left alone. Raises BoardFailed."""
        flash = self.folder / (re.sub(r"[^a-z0-9]+", "-", planned.name) + ".flash")
        shutil.copyfile(planned.before, flash)
        boot = self.boot(flash, planned.saved, f"{planned.operation}:{planned.kind}")
        if not boot.cut:
            raise BoardFailed(f"no power cut: {boot.console[-500:]}")
        for _ in range(BOOTS):
            boot = self.boot(flash, boot.saved)
            if boot.inventory:
                self.check(boot)
                flash.unlink()
                return
        raise BoardFailed(f"not quiet after {BOOTS} boots: {boot.console[-500:]}")

    def boot(self, flash: Path, saved: Any, cut: str = "") -> Boot:
        script = flash.with_suffix(".py")
        script.write_text(f"SAVED = {saved!r}\n" + (HERE / "boards_device.py").read_text())
        command = [
            node(),
            str(FOLDER / "run.mjs"),
            str(FIRMWARE),
            "--exec",
            str(script),
            "--fast",
            "--flash",
            str(flash),
        ]
        command += ["--cut", cut] if cut else []
        done = subprocess.run(command, capture_output=True, check=False, timeout=600)
        console = done.stdout.decode("utf-8", "replace")
        said = done.stderr.decode("utf-8", "replace")
        if done.returncode not in (0, CUT):
            raise BoardFailed((console + said)[-1500:])
        return read(console, said, saved, done.returncode == CUT)

    def check(self, boot: Boot) -> None:
        says = boot.inventory
        if (boot.app, says["version"], says["tree"], says["trial"]) != ("2.0", "2.0", self.tree, 0):
            raise BoardFailed(f"it ends with {boot.app}, and says {says}")


def _installed() -> dict[str, bytes]:
    """/lib as an installation leaves it."""
    return {
        path: data for path, data in device_tree.device_files(processor="armv6m").items() if path.startswith("lib/")
    }


def read(console: str, said: str, saved: Any, cut: bool) -> Boot:
    """What a boot has printed. The last line before a power cut may be torn: what is torn was not heard."""
    boot = Boot(cut, saved, console=console)
    for line in console.splitlines():
        word, _, rest = line.partition(" ")
        if word == "STATE" and rest.endswith(")"):
            boot.saved = ast.literal_eval(rest)
        elif word == "RUNS" and rest.startswith("nothing"):
            raise BoardFailed("it is in recovery: " + console[-500:])
        elif word == "APP":
            boot.app = rest
        elif word == "QUIET" and not cut:
            boot.inventory = inventory.read(rest.encode())
    stopped = re.search(r"\[stopped \d+ (\d+) \d+\]", said)
    boot.operations = int(stopped[1]) if stopped else 0
    return boot
