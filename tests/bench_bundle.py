"""`make bench-bundle`: what changes cost on the air, and what applying them takes -> build/bench/bundle.json and tables.

Beside them xdelta3 and detools with its best compression, on the same bytes: the records of all files, one after the other, or the
image. Heap is that of the unix port, whose words are twice as long as a board's. Time is that of the emulated RP2040, from the whole file
in flash to a whole slot beside the one that runs, for an application of half as many files: there is no room for two of the other
beside a bundle of all of it. What goes in is pinned (tests/corpus.py).
Exit code 1 if what is promised of it does not hold.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import detools
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console
from rich.table import Table

from srup_host import bodies, bundle
from srup_host.bundle import IMAGE, Bundle
from tests import corpus
from tests.emulator.bench_rp2040 import FROZEN, LABEL, MHZ, parse
from tests.emulator.board import run_script
from tests.emulator.littlefs import make_flash
from tests.unit.on_micropython import ROOT, run

HEAP = 12_288  # bytes of a board's heap that applying a bundle may take
FIX = 0.02  # of the application in full, on the air, that the one-line fix may cost
XDELTA = 1.3  # times what xdelta3 -9 makes
BEST = ("lzma", "bz2", "zstd", "lz4", "heatshrink", "crle", "none")
WAYS = ("full", "deflate", "delta", "delta+deflate")
REGION = 1 << 20  # bytes of the raw flash that an image goes straight into
XDELTA3 = ROOT / ".cache" / "bin" / "xdelta3"
TIMED = ROOT / "tests" / "emulator" / "bundle_device.py"
KEY = ec.derive_private_key(2026, ec.SECP256R1())  # of this bench alone


def pairs() -> dict[str, tuple[dict[str, bytes], dict[str, bytes], str]]:
    """name -> (what runs, what is to run, kind)"""
    before = corpus.application()
    found = {name: (before, after, "app") for name, after in corpus.changes().items()}
    old, new = ({IMAGE: image} for image in corpus.firmwares())
    return found | {"firmware": (old, new, "firmware")}


def pack(folder: Path, name: str, contents: dict[str, bytes], kind: str, base: Bundle | None, window: int) -> Path:
    path = folder / f"{name}.srup"
    boards = ["RPI_PICO_W"]
    path.write_bytes(
        bundle.pack(
            contents, KEY, name="bench", version=name, counter=0, boards=boards, kind=kind, base=base, window=window
        )
    )
    return path


def measure(folder: Path, name: str, old: dict[str, bytes], new: dict[str, bytes], kind: str) -> dict[str, Any]:
    base = bundle.read(pack(folder, "old", old, kind, None, 0))
    figures: dict[str, Any] = {"change": name}
    for way in WAYS:
        window = bodies.WINDOW if "deflate" in way else 0
        packed = pack(folder, way, new, kind, base if "delta" in way else None, window)
        read = bundle.read(packed, base)
        figures[way] = read.size
        figures[f"{way}, header"] = read.size - read.manifest["body_size"]
        figures[f"{way}, heap"] = applied(folder, packed, base)
        if kind == "app":
            figures[f"{way}, ms"] = flash_for(folder / way, old, new, "delta" in way, window)
    before, after = (contents.get(IMAGE) or bodies.full(contents) for contents in (old, new))
    figures["xdelta3 -9"] = xdelta3(folder, before, after)
    figures["detools, best"], figures["detools' best"] = min((patch(before, after, each), each) for each in BEST)
    figures["sha256"] = [hashlib.sha256(each).hexdigest() for each in (before, after)]
    return figures


def applied(folder: Path, packed: Path, base: Bundle) -> int:
    """The most heap in use while MicroPython applies it, above what was before; bytes of the unix port, with words of 8."""
    for slot in "ab":
        shutil.rmtree(folder / slot, ignore_errors=True)
        (folder / slot).mkdir()
    if IMAGE in base.files:
        (folder / "running.bin").write_bytes(base.files[IMAGE])
        (folder / "b" / "image").write_bytes(b"\xff" * REGION)
    else:
        for path, data in base.files.items():
            (folder / "a" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "a" / path).write_bytes(data)
        (folder / "a" / ".index").write_bytes(bundle.index(base.files))
    told = run(ROOT / "tests" / "bench_bundle_device.py", str(folder), str(packed), heap="190k")
    most: int = json.loads(told.splitlines()[-1])["heap"]
    return most


def flash_for(folder: Path, old: dict[str, bytes], new: dict[str, bytes], is_delta: bool, window: int) -> Path:
    """A Pico's flash with half of the application in slot a, and the bundle with half of the new one fetched."""
    folder.mkdir()
    half = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)} | set(sorted(old)[::2])
    old, new = ({path: data for path, data in contents.items() if path in half} for contents in (old, new))
    base = bundle.read(pack(folder, "old", old, "app", None, 0))
    incoming = pack(folder, "new", new, "app", base if is_delta else None, window).read_bytes()
    slot = old | {".index": bundle.index(old), ".signature": base.signature, ".manifest": base.signed[9:]}
    files = {f"srup-data/a/{path}": data for path, data in slot.items()}
    return make_flash(folder / "flash", files | {"srup-data/incoming": incoming})


def time_all(figures: list[dict[str, Any]]) -> None:
    """Put in the place of each flash how many milliseconds a Pico takes to stage what lies in it."""
    keys = [(each, key) for each in figures for key in each if key.endswith(", ms")]
    with ThreadPoolExecutor(2) as pool:
        cycles = pool.map(
            lambda found: parse(run_script(FROZEN, TIMED, flash=found[0][found[1]])[0])["staged_cycles"], keys
        )
    for (each, key), count in zip(keys, cycles, strict=True):
        each[key] = count // (MHZ * 1000)


def xdelta3(folder: Path, before: bytes, after: bytes) -> int:
    (folder / "before").write_bytes(before)
    (folder / "after").write_bytes(after)
    names = [str(folder / name) for name in ("before", "after", "patch")]
    subprocess.run([XDELTA3, "-9", "-e", "-f", "-A", "-s", *names], check=True)
    return (folder / "patch").stat().st_size


def patch(before: bytes, after: bytes, compression: str) -> int:
    made = io.BytesIO()
    detools.create_patch(io.BytesIO(before), io.BytesIO(after), made, compression=compression)
    return len(made.getvalue())


def promises(figures: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """(what, how much it is, how much it may be)"""
    fix = next(each for each in figures if each["change"] == "one-line fix")
    heap = max(each[f"{way}, heap"] for each in figures for way in WAYS)
    sizes = {key: sum(each[key] for each in figures) for key in ("delta+deflate", "xdelta3 -9")}
    return [
        (
            "the one-line fix, of the application in full as it is served (deflated)",
            fix["delta+deflate"] / fix["deflate"],
            FIX,
        ),
        ("the most heap to apply one, unix port with words of 8 bytes", heap, HEAP),
        ("all changes, of what xdelta3 -9 makes", sizes["delta+deflate"] / sizes["xdelta3 -9"], XDELTA),
    ]


def main() -> None:
    corpus.check()
    with tempfile.TemporaryDirectory() as folder:
        figures = []
        for number, (name, pair) in enumerate(pairs().items()):
            Path(folder, str(number)).mkdir()
            figures.append(measure(Path(folder, str(number)), name, *pair))
        time_all(figures)
    target = ROOT / "build" / "bench" / "bundle.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    console = Console(width=max(120, Console().width))
    keys = (*WAYS, "delta+deflate, header", "xdelta3 -9", "detools, best")
    tables = {
        "bytes on the air": keys,
        "heap, bytes": tuple(f"{way}, heap" for way in WAYS),
        f"to stage it on an RP2040 ({LABEL})": tuple(f"{way}, ms" for way in WAYS),
    }
    for title, columns in tables.items():
        table = Table("change", *columns, title=title)
        for each in figures:
            table.add_row(each["change"], *(f"{each[key]:,}" if key in each else "-" for key in columns))
        console.print(table)
    held = True
    for what, is_so, may_be in promises(figures):
        held = held and is_so <= may_be
        console.print(
            f"{'holds' if is_so <= may_be else 'DOES NOT HOLD'}: {what}: {is_so:,.4g} (at most {may_be:,.4g})"
        )
    console.print(f"written to {target.relative_to(ROOT)}")
    sys.exit(not held)


if __name__ == "__main__":
    main()
