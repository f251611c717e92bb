"""Unpack the type stubs of each MicroPython port into a folder of its own, .cache/stubs/<port>, out of CPython's sight."""

import shutil
import tempfile
import zipfile
from pathlib import Path

from steps import Failed, pip, run

TARGET = Path(".cache/stubs")
PORTS = {
    "stdlib": "micropython_stdlib_stubs",
    "unix": "micropython_unix_stubs",
    "esp32": "micropython_esp32_stubs",
    "rp2": "micropython_rp2_rpi_pico_w_stubs",
}


def main() -> None:
    print("Installing MicroPython's type stubs into .cache/stubs (a few seconds, once) ...", flush=True)
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as folder:
        wheels, stubs = Path(folder, "wheels"), Path(folder, "stubs")
        lock = Path(__file__).with_name("stubs.lock")
        pip("download", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--dest", wheels, "-r", lock)
        for port, name in PORTS.items():
            zipfile.ZipFile(only(wheels, f"{name}-*.whl")).extractall(stubs / port)
        shutil.rmtree(TARGET, ignore_errors=True)
        stubs.rename(TARGET)


def only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise Failed(f"expected one {pattern} from tools/stubs.lock, not {len(found)}")
    return found[0]


if __name__ == "__main__":
    run(main)
