"""What of the bench is kept: docs/footprint.md for people, footprint.json for the test that holds the figures."""

import json
from pathlib import Path
from typing import Any

from tests.emulator.modules import order
from tests.unit.on_micropython import ROOT

RECORDED = Path(__file__).with_name("footprint.json")
PAGE = ROOT / "docs/footprint.md"
BEGIN, END = "<!-- figures: written by `make bench-rp2040 ARGS=--record` -->\n", "<!-- end of the figures -->\n"
KINDS = ("littlefs", "frozen")
PARTS = {
    "RESIDENT": "Always in memory",
    "ROAD": "While a frame is dealt with, or an update under way",
    "P256": "Beside it to verify and to sign",
    "HANDS": "Beside it to obey, where memory is short in turn with those",
    "UPDATE": "Only for what needs it: an update, a sealed bundle, new settings",
}
STATES = {
    "idle": "idle, MQTT over TLS connected",
    "command": "least, while commands are obeyed",
    "update": "least, through a whole update",
}
CYCLES = {
    "p256_verify_cycles": "ECDSA P-256: verify",
    "p256_sign_cycles": "ECDSA P-256: sign",
    "sha256_32KiB_cycles": "SHA-256 of 32 KiB",
    "admit_without_ecdsa_cycles": "frame: decode, authenticate, admit; without the ECDSA, with the flash",
    "download_4KiB_cycles": "download of 4 KiB more: hash, write, read back; with the flash",
}

Result = dict[str, Any]


def cost(result: Result, kind: str, module: str) -> int | None:
    """Heap that importing this module has taken; None where it can't be imported."""
    return result["imports"][kind].get(f"import_{module}_heap")


def total(result: Result, kind: str, part: str) -> int:
    return sum(cost(result, kind, module) or 0 for module in order()[part])


def flat(result: Result) -> dict[str, int]:
    """The bench's result as one table: name -> cycles or bytes."""
    figures = dict(result["cycles"])
    for kind in KINDS:
        figures |= {f"{kind}: import of {part.lower()}_heap": total(result, kind, part) for part in PARTS}
        figures |= {f"{kind}: free, {name}_heap": result["at_work"][kind][state] for state, name in STATES.items()}
    return figures | {"installed_bytes": sum(result["installed"].values())}


def record(result: Result) -> None:
    """Write both files anew."""
    RECORDED.write_text(json.dumps(result, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + figures(result) + END + rest.partition(END)[2])


def recorded() -> Result:
    return json.loads(RECORDED.read_text())


def figures(result: Result) -> str:
    """The page's tables."""
    return "\n".join([_at_work(result), _modules(result), _cycles(result)])


def _at_work(result: Result) -> str:
    rows = [[what, *(f"{result['at_work'][kind][state]:,}" for kind in KINDS)] for state, what in STATES.items()]
    total = result["imports"]["littlefs"]["total_heap"]
    return f"### Free heap at work\n\nOf {total:,} bytes.\n\n" + _table(["", *KINDS], rows)


def _modules(result: Result) -> str:
    text = "### What each module costs\n"
    for part, title in PARTS.items():
        rows = [
            [f"`{module}`", _size(result, module), *(_number(cost(result, kind, module)) for kind in KINDS)]
            for module in order()[part]
        ]
        sizes = sum(_bytes(result, module) for module in order()[part])
        rows.append(["**all**", f"{sizes:,}", *(f"**{total(result, kind, part):,}**" for kind in KINDS)])
        text += f"\n{title}:\n\n" + _table(["module", ".mpy", *(f"heap, {kind}" for kind in KINDS)], rows)
    return text + f"\nIn /lib in all: {sum(result['installed'].values()):,} bytes.\n"


def _bytes(result: Result, module: str) -> int:
    path = f"lib/{module.replace('.', '/')}"
    if module == "srup.port":
        return sum(size for name, size in result["installed"].items() if name.startswith(path))
    return result["installed"].get(f"{path}.mpy", 0)


def _size(result: Result, module: str) -> str:
    return f"{_bytes(result, module):,}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _cycles(result: Result) -> str:
    known = CYCLES | {name: f"`{name.removesuffix('_cycles')}`" for name in result["cycles"] if name not in CYCLES}
    rows = [
        [what, f"{result['cycles'][name]:,}", f"{result['cycles'][name] / 125_000:,.1f}"]
        for name, what in known.items()
        if name in result["cycles"]
    ]
    return "### Time\n\n" + _table(["", "cycles", "ms at 125 MHz"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] + ["--:"] * (len(head) - 1), *rows]]
    return "\n".join(lines) + "\n"
