"""The device's modules in the order in which they import each other, and when each is in memory."""

import ast
from pathlib import Path

from srup_host import device_tree
from tests.unit.on_micropython import ROOT

FIRMWARE = ROOT / "firmware"
RESIDENT = [
    "srup_boot.start",
    "srup.port",
    "srup.port._ppp",
    "srup.agent",
    "umqtt.simple",
    "srup.transport",
]  # and theirs


def order() -> dict[str, list[str]]:
    """RESIDENT: always in memory. ROAD: while a frame is dealt with, or an update under way. P256 and HANDS: beside it, by turns.
    UPDATE: only while it is fetched and unpacked."""
    resident = _with_needs(RESIDENT)
    (road,), (p256, hands) = (
        [_with_needs([f"srup.{name}" for name in stage]) for stage in _late(module)] for module in ("agent", "road")
    )
    rest = [name for name in _all() if not name.startswith("srup.port") and name != "srup_boot.boot"]
    update = _with_needs(rest)
    return {
        "RESIDENT": resident,
        "ROAD": [name for name in road if name not in resident],
        "P256": [name for name in p256 if name not in resident + road],
        "HANDS": [name for name in hands if name not in resident + road],
        "UPDATE": [name for name in update if name not in resident + road + p256 + hands],
    }


def _all() -> list[str]:
    return [
        name.removesuffix(".py").replace("/", ".") for name in device_tree.package_files() if "__init__" not in name
    ]


def _late(module: str) -> list[list[str]]:
    """What it names as late, a list for each Late."""
    tree = ast.parse((FIRMWARE / f"srup/{module}.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    late = [call for call in calls if getattr(call.func, "attr", "") == "Late"]
    return [[str(ast.literal_eval(argument)) for argument in call.args] for call in late]


def _with_needs(names: list[str]) -> list[str]:
    """These, each after what it imports when it is imported itself."""
    found: list[str] = []

    def visit(name: str) -> None:
        for needed in _needs(name):
            visit(needed)
        if name not in found:
            found.append(name)

    for name in names:
        visit(name)
    return found


def _needs(name: str) -> list[str]:
    if name.startswith("srup.port"):
        return ["srup_boot.hw", "srup.errors"]
    path = _path(name)
    if not path.is_file():
        return []
    needed = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            needed += [one for one in inner if _path(one).is_file() or one == "srup.port"] or [node.module]
    known = set(_all()) | {"srup.port", "umqtt.simple"}
    return [one for one in needed if one in known and one != name]


def _path(name: str) -> Path:
    if name.startswith("srup_boot."):
        return FIRMWARE / "boot" / f"{name.partition('.')[2]}.py"
    return (FIRMWARE / name.replace(".", "/")).with_suffix(".py")
