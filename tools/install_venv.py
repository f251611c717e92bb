"""Make .venv and install one lock file into it: `install_venv.py requirements.lock [--project | --compile]`.

--compile: what it names may have to be compiled here, with what is in .venv already.
"""

import subprocess
import sys
from pathlib import Path

from steps import VENV_PYTHON, pip, run


def main() -> None:
    lock, with_project, compiling = sys.argv[1], "--project" in sys.argv, "--compile" in sys.argv
    if not usable():
        subprocess.run([sys.executable, "-m", "venv", "--clear", ".venv"], check=True)
    built = ("--no-build-isolation",) if compiling else ("--only-binary", ":all:")
    pip("install", "--require-hashes", "--no-deps", *built, "--retries", "2", "-r", Path(lock))
    if with_project:
        pip("install", "--no-index", "--no-deps", "--no-build-isolation", "--editable", ".")


def usable() -> bool:
    """False also where an interrupted run left a venv without pip, or the system's Python has gone."""
    try:
        return subprocess.run([VENV_PYTHON, "-m", "pip", "--version"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    run(main)
