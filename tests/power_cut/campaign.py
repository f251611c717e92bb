"""`make powercut`: the power goes at every flash write and erase, and nothing is lost. README.md says how, and how to read it.

python -m tests.power_cut.campaign [--full] [--cut SCENARIO:BACKING:OPERATION:PATTERN] [--scenario NAME] [--no-boards]
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests import evidence
from tests.power_cut import boards, controls, releases
from tests.unit.on_micropython import ROOT, device_tree, interpreter, native_folder
from tests.unit.on_micropython import run as run_script

BUILD = ROOT / "build" / "powercut"
RELEASES = BUILD / "releases.json"
LIST = BUILD / "cuts.txt"
WEAR = BUILD / "wear.json"
KINDS = ("bricks", "mixed", "lost", "replayed")
HEAP = "32m"
STOP_AFTER = 20  # failures of a worker

# seeds: torn patterns of each operation · first: a second cut after each such cut · second: at each such operation
# real: so many single cuts, evenly spread, are run again with ECDSA itself
CI = {"seeds": 4, "first": 130, "second": 8, "real": 75}
FULL = {"seeds": 16, "first": 100, "second": 3, "real": 150}
CI_BOARDS, FULL_BOARDS = 20, 100
CONTROL = {"seeds": 2, "first": 0, "second": 1, "real": 0}
SAMPLE = {"seeds": 3, "first": 50, "second": 40, "real": 50, "every": 29}


@dataclass
class Result:
    """Of one worker, or of all of them. failures: (kind, cut, what was seen)"""

    cuts: int = 0
    doubles: int = 0
    real: int = 0
    met: int = 0  # of cuts and doubles: those after which a board did what one before it had done
    boards: int = 0  # cuts on the emulated chip
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)  # scenarios for which there is no bundle
    scenarios: dict[str, int] = field(default_factory=dict)  # name: operations of its undisturbed run

    def add(self, other: "Result") -> None:
        self.cuts += other.cuts
        self.doubles += other.doubles
        self.real += other.real
        self.met += other.met
        self.failures += other.failures
        self.scenarios |= other.scenarios
        self.lacks |= other.lacks

    def count(self, kind: str) -> int:
        return sum(found == kind for found, _, _ in self.failures)


class CampaignFailed(Exception):
    """A worker ended by itself: the message is the end of what it said."""


def work(
    name: str, job: dict[str, Any], tree: Path | None = None, tell: Callable[[int], None] = lambda _: None
) -> Result:
    """Run cuts.py with this job, on the device code of `tree` (the project's, if None). tell: of each few hundred cuts."""
    job_file = BUILD / "jobs" / f"{name}.json"
    job_file.parent.mkdir(parents=True, exist_ok=True)
    job_file.write_text(
        json.dumps(
            {
                "releases": str(RELEASES),
                "failures": STOP_AFTER,
                "every": 1,
                "distrust": False,
                "only": "",
                "backings": [],
            }
            | job
        )
    )
    path = ":".join([".frozen", *([str(tree)] if tree else []), str(device_tree()), str(native_folder())])
    with (BUILD / "jobs" / f"{name}.log").open("w+") as log:
        process = subprocess.Popen(
            [interpreter(), "-X", f"heapsize={HEAP}", str(Path(__file__).with_name("cuts.py")), str(job_file)],
            env=os.environ | {"MICROPYPATH": path},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout
        result = read_result(process.stdout, tell, log.write)
        if process.wait() > 1 or result is None:
            log.seek(0)
            raise CampaignFailed(f"{name}: {log.read()[-2000:]}")
    return result


def read_result(lines: Iterator[str], tell: Callable[[int], None], other: Callable[[str], object]) -> Result | None:
    """What a worker prints, as a Result; None if it ended before it had said that it has."""
    result, ended = Result(), False
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "at":
            tell(sum(map(int, rest.split())))
        elif word == "scenario":
            name, operations = rest.split()
            result.scenarios[name] = int(operations)
        elif word == "lacks":
            result.lacks.add(rest)
        elif word == "failed":
            kind, cut, text = json.loads(rest)
            result.failures.append((kind, cut, text))
            other(line)
        elif word == "end":
            counted = json.loads(rest)
            result.cuts, result.doubles = counted["cuts"], counted["doubles"]
            result.real, result.met = counted["real"], counted["met"]
            ended = True
        else:
            other(line)
    return result if ended else None


# The campaign


def run_cuts(depth: dict[str, int], scenarios: list[str], workers: int, progress: Progress) -> Result:
    """All cuts of the scenarios, shared out by operation; their names go to cuts.txt."""
    bar = progress.add_task("cuts", total=None)
    done = [0] * workers
    lists = [BUILD / "jobs" / f"cuts-{n}.txt" for n in range(workers)]

    def share(n: int) -> Result:
        def tell(count: int) -> None:
            done[n] = count
            progress.update(bar, completed=sum(done), description=f"{sum(done):,} cuts")

        job = {"scenarios": scenarios, "share": [n, workers], "list": str(lists[n])} | depth
        return work(f"cuts-{n}", job, tell=tell)

    total = Result()
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(share, range(workers)):
            total.add(result)
    names = sorted(line for path in lists for line in path.read_text().splitlines())
    if len(set(names)) != total.cuts + total.doubles:
        raise CampaignFailed(f"{total.cuts} + {total.doubles} cuts, and {len(set(names))} different ones are listed")
    LIST.write_text("".join(f"{name}\n" for name in names))
    return total


def run_controls(workers: int, progress: Progress) -> list[tuple[controls.Control, Result]]:
    """Each planted bug, in a copy of the device's code, until it is caught."""
    bar = progress.add_task("controls", total=len(controls.CONTROLS))

    def one(control: controls.Control) -> tuple[controls.Control, Result]:
        tree = controls.plant(control, BUILD / "controls")
        result = work(f"control-{control.slug}", control_job(control), tree)
        progress.advance(bar)
        return control, result

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, controls.CONTROLS))


def run_boards(count: int, workers: int, progress: Progress) -> Result:
    """So many cuts, spread over an update on an emulated RP2040."""
    bar = progress.add_task("emulated boards", total=count)
    made = boards.Boards(BUILD / "boards", RELEASES, HEAP)
    result = Result()

    def one(planned: boards.Planned) -> None:
        try:
            made.cut(planned)
        except boards.BoardFailed as failure:
            result.failures.append(("bricks", planned.name, str(failure)))
        result.boards += 1
        progress.advance(bar)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, made.plan(count)))
    return result


def measure_wear() -> dict[str, Any]:
    """wear.json: what one update wears the flash (docs/footprint.md)."""
    large = BUILD / "jobs" / "large.json"
    releases.build(large, 1280)
    WEAR.write_text(run_script(Path(__file__).with_name("wear.py"), str(large), heap="64m"))
    return dict(json.loads(WEAR.read_text()))


def control_job(control: controls.Control) -> dict[str, Any]:
    sought = {"scenarios": control.scenarios, "backings": control.backings}
    return sought | {"share": [0, 1], "failures": 1} | CONTROL


def reproduce(cut: str) -> Result:
    """That one cut, with what the board says on its console."""
    job = {"scenarios": [cut.split(":")[0]], "share": [0, 1], "only": cut} | FULL
    result = work("only", job)
    print((BUILD / "jobs" / "only.log").read_text(), end="")
    return result


# What is said of it


def report_failures(result: Result, console: Console) -> None:
    for kind, cut, text in result.failures:
        console.print(f"[red]{kind}[/] {text}\n    make powercut CUT='{cut.split(' ')[0]}'", highlight=False)


def report_controls(caught: list[tuple[controls.Control, Result]], console: Console) -> bool:
    for control, result in caught:
        if result.failures:
            kind, cut, _ = result.failures[0]
            console.print(f"control: {control.name}: caught ({kind}, {cut})", highlight=False)
        else:
            console.print(f"control: {control.name}: [red]NOT CAUGHT[/] in {result.cuts} cuts", highlight=False)
    return all(result.failures for _, result in caught)


def worn(stories: dict[str, Any]) -> tuple[float, ...]:
    """(pages, erases, of the worst block) of an update after others, and erases of a command: a row in docs/footprint.md."""
    update = stories["second-update"]
    return update["pages"], update["erases"], update["worst"], stories["actions"]["erases"] / stories["commands"]


def report_wear(wear: dict[str, Any], console: Console) -> None:
    for backing, stories in wear.items():
        pages, erases, worst, command = worn(stories)
        update = f"{pages} pages, {erases} erases, {worst} of the worst block"
        console.print(f"wear ({backing}): an update of 40 KB {update}; a command {command:.2f} erases", highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make powercut", description="Pull the power at every flash operation.")
    parser.add_argument("--full", action="store_true", help="every torn pattern, and more second cuts (an hour)")
    parser.add_argument("--cut", default="", help="this one only: scenario:backing:operation:pattern")
    parser.add_argument("--scenario", action="append", default=[], help="these only; no controls, no boards")
    parser.add_argument("--no-boards", action="store_true", help="leave the emulated RP2040 out")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    console = Console()
    releases.build(RELEASES)
    if given.cut:
        result = reproduce(given.cut)
        report_failures(result, console)
        console.print(
            f"cuts={result.cuts + result.doubles} " + " ".join(f"{kind}={result.count(kind)}" for kind in KINDS)
        )
        return 1 if result.failures or not result.cuts + result.doubles else 0
    return run(given, console)


def run(given: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        result = run_cuts(FULL if given.full else CI, given.scenario, given.workers, progress)
        caught = [] if given.scenario else run_controls(given.workers, progress)
        if not given.scenario and not given.no_boards and boards.available():
            on_chips = run_boards(FULL_BOARDS if given.full else CI_BOARDS, given.workers, progress)
            result.boards, result.failures = on_chips.boards, result.failures + on_chips.failures
    report_failures(result, console)
    all_caught = report_controls(caught, console)
    if not given.scenario:
        report_wear(measure_wear(), console)
    digest = hashlib.sha256(LIST.read_bytes()).hexdigest()
    for name in sorted(result.lacks):
        console.print(f"[yellow]left out:[/] {name}, whose bundle could not be built: detools is not installed")
    console.print(
        f"with ECDSA itself: {result.real:,} of these cuts, once more; in all others, verdicts of p256 recorded in this run"
    )
    console.print(
        f"run to the end: {result.cuts + result.doubles - result.met:,}; up to where a board with the same flash in all that it "
        f"reads, in the same world, had been run to its end: {result.met:,}"
    )
    console.print(f"{LIST.relative_to(ROOT)} sha256 {digest} ({time.monotonic() - began:.0f} s)", highlight=False)
    counts = " ".join(f"{kind}={result.count(kind)}" for kind in KINDS)
    line = f"cuts={result.cuts} double={result.doubles} boards={result.boards} {counts}"
    console.print(line, highlight=False)
    if not given.scenario:
        evidence.record("powercut", line=line)
    return 0 if all_caught and not result.failures else 1


if __name__ == "__main__":
    sys.exit(main())
