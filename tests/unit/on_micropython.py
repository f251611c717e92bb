"""Run a script on MicroPython's unix port, on a heap like a board's, with the packages under their import names."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "build" / "device"
PACKAGES = {
    "srup": "firmware/srup",
    "srup_boot": "firmware/boot",
    "umqtt": ".cache/micropython-lib/umqtt",  # not all of micropython-lib: its hashlib would hide the built-in one
    "tests": "tests",
}

# Everything but the contents of strings is twice as large here, with words of 8 bytes, as on a board, with words of 4: 380 KB
# hold what 190 KB hold there. The rest is for the compiler: a board has .mpy files. (tests/emulator runs on a real heap.)
HEAP = "410k"


class MicroPythonFailed(Exception):
    """The script's exit code was not 0. The message is all it wrote."""


def interpreter():
    """The one that $SRUP_MICROPYTHON names, or else what `make` installed, or else the one on PATH."""
    installed = ROOT / ".cache" / "bin" / "micropython"
    found = os.environ.get("SRUP_MICROPYTHON") or shutil.which(installed) or shutil.which("micropython")
    if not found:
        raise FileNotFoundError("no MicroPython: `make setup` installs it")
    return found


def device_tree():
    """build/device, which is for MICROPYPATH what package-dir in pyproject.toml is for CPython."""
    DEVICE.mkdir(parents=True, exist_ok=True)
    for name, source in PACKAGES.items():
        with suppress(FileExistsError):
            (DEVICE / name).symlink_to(os.path.relpath(ROOT / source, DEVICE))
    return DEVICE


def native_folder():
    """build/unix-native, with native code for this machine's processor, x64; it is the only one that is made for a PC."""
    from srup_host import native

    folder = ROOT / "build" / "unix-native"
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in native.compiled("x64").items():
        target = folder / name
        if not target.is_file() or target.read_bytes() != contents:
            part = folder / f"{name}.{os.getpid()}"
            part.write_bytes(contents)
            part.replace(target)
    return folder


def run(script, *arguments, stdin="", heap=HEAP, timeout=120, native=False, tree=None):
    """What `script` writes to standard output; MicroPythonFailed if its exit code is not 0. native: with a kernel for P-256 ·
    tree: where packages are looked for before ours."""
    path = [".frozen", *([str(tree)] if tree else []), str(device_tree())] + ([str(native_folder())] if native else [])
    done = subprocess.run(
        [interpreter(), "-X", f"heapsize={heap}", script, *arguments],
        env=os.environ | {"MICROPYPATH": ":".join(path)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise MicroPythonFailed(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
