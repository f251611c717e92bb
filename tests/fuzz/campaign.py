"""Bytes that nobody thought of, to all that reads them: `make fuzz SECONDS=60`; one target: TARGET=wire; so many each: RUNS=1000000.

Each target runs in a process of its own, led by the coverage of the device's code (atheris, libFuzzer), from the corpus in
tests/fuzz/corpus. A line a target says how often it ran, what that covers, and what was found; found inputs lie in build/fuzz.
The exit code is 0 if there is none. KEEP=1 puts what reached something new into the corpus, which is minimised then.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests import evidence
from tests.fuzz import targets
from tests.unit.on_micropython import ROOT

FOUND = ROOT / "build" / "fuzz"
MEMORY = 400  # megabytes that a process may have: what is allocated by a peer's word shows
PATIENCE = 20  # seconds that one input may take

# libFuzzer goes by getrusage's ru_maxrss, which begins with what the process that has started it takes: here that is a small one.
_A_CHILD_OF_ITS_OWN = ("sh", "-c", '"$@"; exit $?', "sh")


@dataclass
class Result:
    target: str
    executions: int
    crashes: int
    edges: int
    lines: str
    said: str = ""

    def line(self) -> str:
        return f"{self.target} executions={self.executions} crashes={self.crashes} coverage={self.edges} edges, {self.lines} lines"


def run(target: targets.Target, seconds: int, runs: int, seed: int, keep: bool = False) -> Result:
    """One target, for so long or so often."""
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = _written(Path(folder, "corpus"), target.seeds() + target.corpus())
        limit = f"-runs={runs}" if runs else f"-max_total_time={seconds}"
        said = _atheris(target, limit, f"-seed={seed}", str(corpus))
        number = re.findall(r"^stat::number_of_executed_units:\s+(\d+)", said, re.MULTILINE)
        edges = re.findall(r" cov: (\d+) ", said)
        crashed = "ERROR: libFuzzer" in said or not number
        least = Path(folder, "least")
        least.mkdir()
        if not crashed:
            _atheris(target, "-merge=1", str(least), str(corpus))
            keep and _keep(target, least)
        covered = _lines(target, least)
    return Result(
        target.name, int(number[-1]) if number else 0, int(crashed), int(edges[-1]) if edges else 0, covered, said
    )


def _written(folder: Path, inputs: list[bytes]) -> Path:
    folder.mkdir()
    for number, data in enumerate(inputs):
        (folder / f"{number:04}").write_bytes(data)
    return folder


def _atheris(target: targets.Target, *options: str) -> str:
    limits = [f"-max_len={target.longest}", f"-rss_limit_mb={MEMORY}", f"-timeout={PATIENCE}", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz.one", target.name, *limits, f"-artifact_prefix={FOUND}/{target.name}-"]
    done = subprocess.run([*_A_CHILD_OF_ITS_OWN, *command, *options], cwd=ROOT, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def _lines(target: targets.Target, folder: Path) -> str:
    command = [sys.executable, "-m", "tests.fuzz.one", target.name, "--lines", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"


def _keep(target: targets.Target, least: Path) -> None:
    """The smallest inputs that reach all that was reached."""
    lines = sorted((path.read_bytes().hex() for path in least.iterdir()), key=lambda line: (len(line), line))
    targets.CORPUS.mkdir(exist_ok=True)
    (targets.CORPUS / f"{target.name}.txt").write_text("".join(line + "\n" for line in lines if line), "ascii")


def _record(result: Result) -> None:
    """For docs/evidence.md, which says so where the code is another one by then."""
    told = asdict(result) | {"code": targets.named(result.target).fingerprint()}
    del told["said"]
    evidence.record(f"fuzz-{result.target}", **told)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=30, help="for each target")
    options.add_argument("--runs", type=int, default=0, help="for each target, instead")
    options.add_argument("--target", default="", help="this one alone")
    options.add_argument("--seed", type=int, default=0, help="0: another one each time")
    options.add_argument("--keep", action="store_true", help="add to the corpus")
    chosen = options.parse_args()
    if not installed():
        print("atheris is not installed here: NOTHING WAS FUZZED.", file=sys.stderr)
        return 2
    results = []
    for target in targets.TARGETS if not chosen.target else (targets.named(chosen.target),):
        results.append(run(target, chosen.seconds, chosen.runs, chosen.seed, chosen.keep))
        print(results[-1].line(), flush=True)
        _record(results[-1])
        if results[-1].crashes:
            print(results[-1].said[-3000:], file=sys.stderr)
    crashes, executions = sum(each.crashes for each in results), sum(each.executions for each in results)
    print(f"targets={len(results)} executions={executions} crashes={crashes}")
    return 1 if crashes else 0


def installed() -> bool:
    return importlib.util.find_spec("atheris") is not None


if __name__ == "__main__":
    sys.exit(main())
