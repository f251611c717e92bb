"""`make bench-rp2040`: what the agent costs on an RP2040, in cycles and in bytes of heap -> build/bench/rp2040.json, and a table.

    python -m tests.emulator.bench_rp2040            # all
    python -m tests.emulator.bench_rp2040 p256       # one script of bench/, shown and not kept
    python -m tests.emulator.bench_rp2040 --record   # all, and docs/footprint.md and footprint.json anew: the figures that tests hold
    python -m tests.emulator.bench_rp2040 --heap     # the heap alone; with --record the cycles stay as they were recorded

A benchmark is a script in bench/ that prints lines `name value`, on a board with the agent installed. Names end in _cycles,
_heap or _bytes. It runs from power-on in emulated time, so its figures are the same each time. Those of net/, an agent at work,
are not: they depend on what the network brings when.
"""

import argparse
import hashlib
import json
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from srup import p256
from srup_host import combs, device_tree, native
from tests.emulator import footprint, heap_at_work, p256_ratios
from tests.emulator.board import run_script
from tests.emulator.littlefs import make_flash
from tests.emulator.modules import order
from tests.unit.on_micropython import ROOT

SCRIPTS = Path(__file__).with_name("bench")
FIRMWARE = ROOT / "build/chip/SRUP_RP2040/firmware.bin"
FROZEN = ROOT / "build/chip/SRUP_RP2040-FROZEN/firmware.bin"
RESULT = ROOT / "build/bench/rp2040.json"
LABEL = "emulated, no XIP cache misses"
MHZ = 125
HELPERS = ("stopwatch",)
KERNELS = {"p256": "viper", "p256_flash": "viper"}  # of scripts that are not to have the best
PRIVATE = [hashlib.sha256(b"bench %d" % i).digest() for i in range(5)]  # keys whose tables p256_flash finds

Figures = dict[str, int]


def names() -> list[str]:
    """The benchmarks in bench/."""
    return sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem not in HELPERS)


def run(name: str, firmware: Path = FIRMWARE) -> Figures:
    """One script, on a board of its own; where the firmware has the agent frozen in, it is not in /lib as well."""
    installed = installed_files() if firmware != FROZEN else {}
    if name in KERNELS:
        installed = {path: data for path, data in installed.items() if not path.startswith("lib/p256_")}
        installed |= {f"lib/{path}": data for path, data in native.compiled("armv6m", KERNELS[name]).items()}
    installed |= combs.tables("tables", *map(p256.public_key, PRIVATE)) if name == "p256_flash" else {}
    helpers = {f"lib/{helper}.py": (SCRIPTS / f"{helper}.py").read_bytes() for helper in HELPERS}
    helpers["lib/modules.py"] = "".join(f"{part} = {tuple(found)}\n" for part, found in order().items()).encode()
    with tempfile.TemporaryDirectory() as folder:
        flash = make_flash(Path(folder, "flash"), installed | helpers)
        output, _ = run_script(firmware, SCRIPTS / f"{name}.py", flash=flash)
    return parse(output)


def installed_files() -> dict[str, bytes]:
    """/lib as an installation leaves it, compiled."""
    return {
        path: data for path, data in device_tree.device_files(processor="armv6m").items() if path.startswith("lib/")
    }


def parse(output: str) -> Figures:
    """The figures that a script has printed. Raises ValueError for any other line."""
    figures = {}
    for line in output.splitlines():
        found = re.fullmatch(r"(\S+_(?:cycles|heap|bytes)) (\d+)", line)
        if not found:
            raise ValueError(f"not a figure: {line!r}")
        figures[found[1]] = int(found[2])
    return figures


def imports() -> dict[str, Figures]:
    """What importing costs, with the modules in littlefs and with them frozen."""
    return {"littlefs": run("imports"), "frozen": run("imports", FROZEN)}


def cycles(say: Console) -> Figures:
    """Of all scripts but that for the heap."""
    found: Figures = {}
    for name in names():
        if name != "imports":
            say.print(f"bench/{name}.py ...", style="dim")
            found |= run(name)
    return found


def measure(say: Console, cycles: Figures) -> dict[str, object]:
    """The heap, beside those cycles."""
    say.print("bench/imports.py, from littlefs and frozen ...", style="dim")
    heap = imports()
    at_work = {}
    for kind, firmware in (("littlefs", FIRMWARE), ("frozen", FROZEN)):
        say.print(f"an update over MQTT and HTTPS, {kind} ...", style="dim")
        at_work[kind] = heap_at_work.measure(firmware)
    sizes = {path: len(data) for path, data in installed_files().items()}
    ratios = p256_ratios.ratios(cycles)
    return {
        "label": LABEL,
        "cycles": cycles,
        "p256_against_c": ratios,
        "imports": heap,
        "at_work": at_work,
        "installed": sizes,
    }


def p256_cycles(say: Console) -> Figures:
    """All of ECDSA's, in one go."""
    found: Figures = {}
    for name in [name for name in names() if name.startswith("p256")]:
        say.print(f"bench/{name}.py ...", style="dim")
        found |= run(name)
    return found


def show(figures: Figures, say: Console) -> None:
    table = Table("figure", "value", "at 125 MHz", title=LABEL)
    for name, value in figures.items():
        unit = "cycles" if name.endswith("_cycles") else "bytes"
        ms = f"{value / MHZ / 1000:,.1f} ms" if unit == "cycles" else ""
        table.add_row(re.sub("_(cycles|heap|bytes)$", "", name), f"{value:,} {unit}", ms)
    say.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the agent on the emulated RP2040.")
    parser.add_argument("names", nargs="*", help="only these scripts of bench/, or p256-all; the result is not kept")
    parser.add_argument("--heap", action="store_true", help="the heap alone: the cycles are those that are recorded")
    parser.add_argument("--record", action="store_true", help="write docs/footprint.md and the figures that tests hold")
    options = parser.parse_args()
    say = Console(width=max(140, Console().width))
    for name in options.names:
        if name == "p256-all":
            say.print(p256_ratios.table(p256_cycles(say)))
        else:
            show(run(name), say)
    if not options.names:
        result = measure(say, footprint.recorded()["cycles"] if options.heap else cycles(say))
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
        show(footprint.flat(result), say)
        say.print(p256_ratios.table(result["cycles"]))
        say.print(f"written to {RESULT.relative_to(ROOT)}")
        if options.record:
            footprint.record(result)


if __name__ == "__main__":
    main()
