"""Take each defence out in turn and see that its stories notice: `make attack`; one alone: make attack DEFENCE="low-S"."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import evidence
from tests.mutation.defences import ALIVE, DEFENCES, Defence
from tests.unit.on_micropython import ROOT

WORK = ROOT / "build" / "mutation"
SOURCES = ("firmware", "host_tools", "native", "tests", "boards", "tools", "pyproject.toml")


class DefenceOutdated(Exception):
    """Its old text is not in the file once: the code has changed, and the patch is to be written anew."""


def plant(defence: Defence) -> Path:
    """A copy of the checkout without this defence; what is installed is shared. Raises DefenceOutdated."""
    tree = WORK / re.sub(r"[^a-z0-9]+", "-", defence.name.lower())
    shutil.rmtree(tree, ignore_errors=True)
    (tree / ".cache" / "import").mkdir(parents=True)
    skip = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in SOURCES:
        source = ROOT / name
        shutil.copytree(source, tree / name, ignore=skip) if source.is_dir() else shutil.copy(source, tree / name)
    for installed in (ROOT / ".cache").iterdir():
        if installed.name != "import":
            (tree / ".cache" / installed.name).symlink_to(installed)
    for name, source in (
        ("srup", "firmware/srup"),
        ("srup_boot", "firmware/boot"),
        ("srup_host", "host_tools/srup_host"),
    ):
        (tree / ".cache" / "import" / name).symlink_to(tree / source)
    for file, old, new in defence.changes:
        text = (tree / file).read_text("utf-8")
        if text.count(old) != 1:
            raise DefenceOutdated(f"{defence.name}: {old!r} is in {file} {text.count(old)} times")
        (tree / file).write_text(text.replace(old, new), "utf-8")
    return tree


def failures(tree: Path, *stories: str) -> set[str]:
    """The stories (of those named) in which a test fails. Raises RuntimeError where one can't be run."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--no-header",
            "-rf",
            *stories,
        ],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / ".cache" / "import")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest says {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    failed = re.findall(r"^FAILED (\S+?::\w+)", done.stdout, re.MULTILINE)
    return {story for story in stories if story.partition("[")[0] in failed}


def missed(defence: Defence) -> str:
    """What is wrong: "" where every story notices that the defence is gone, and the rest still works."""
    tree = plant(defence)
    try:
        failed = failures(tree, ALIVE, *defence.stories)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    if ALIVE in failed:
        return "with this patch nothing works any more"
    silent = [story for story in defence.stories if story not in failed]
    return "not noticed by " + ", ".join(silent) if silent else ""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--defence", default="", help="this one alone")
    only = options.parse_args().defence
    chosen = [defence for defence in DEFENCES if only in ("", defence.name)]
    if not chosen:
        options.error(f"there is no defence {only!r}: " + ", ".join(defence.name for defence in DEFENCES))
    console = Console()
    table = Table("defence taken out", "noticed by", box=None)
    bad = 0
    for number, defence in enumerate(chosen, 1):
        console.print(f"[dim]{number}/{len(chosen)} {defence.name} …[/dim]")
        fault = missed(defence)
        bad += bool(fault)
        names = "\n".join(story.partition("::")[2] for story in defence.stories)
        table.add_row(defence.name, f"[red]{fault}" if fault else names)
    console.print(table)
    line = f"defences={len(chosen)} noticed={len(chosen) - bad} missed={bad}"
    console.print(line)
    if not only:
        evidence.record("attack", line=line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
