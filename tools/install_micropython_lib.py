"""Put micropython-lib's umqtt.simple and hashlib, as published on PyPI, into .cache/micropython-lib.

They are source archives without a setup.py, so pip can download, check and unpack them, but then gives up. Told not to
clean up after itself it leaves the files behind; its failure is expected, and the files it left are what counts.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from steps import VENV_PYTHON, pip_failed, run

LOCK = Path(__file__).with_name("micropython-lib.lock")
TARGET = Path(".cache/micropython-lib")


def main() -> None:
    print("Installing micropython-lib's umqtt.simple and hashlib into .cache (a few seconds, once) ...", flush=True)
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as folder:
        collected = Path(folder, "collected")
        for line in LOCK.read_text().splitlines():
            shutil.copytree(unpacked(line, Path(folder)), collected, dirs_exist_ok=True)
        shutil.rmtree(TARGET, ignore_errors=True)
        collected.rename(TARGET)


def unpacked(requirement: str, folder: Path) -> Path:
    """The unpacked tree of one pinned archive. pip unpacks only what has the pinned hash. Raises Failed."""
    name = requirement.partition(" ")[0]
    work = folder / name
    work.mkdir()
    (work / "lock").write_text(requirement)
    options = ["--no-clean", "--no-deps", "--require-hashes", "--no-binary", ":all:", "--dest", work]
    command = [VENV_PYTHON, "-m", "pip", "download", *options, "-r", work / "lock"]
    environment = {**os.environ, "TMPDIR": str(work.resolve())}
    result = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    found = list(work.glob("pip-download-*/*/*.egg-info/PKG-INFO"))
    if len(found) != 1:
        raise pip_failed(result.stderr)
    return found[0].parent.parent


if __name__ == "__main__":
    run(main)
