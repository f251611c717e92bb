"""The architecture, held over the syntax trees of the device's code: who may import whom, and who may know the machine.

The road of a message (design): transport, wire, auth, replay, update, download, slots, reply. Data goes down it and never up,
so a step may import the step whose output it takes and never one that takes its own. ALLOWED names every arrow there is.
"""

import ast
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"

FOUNDATION = {"limits", "errors", "status", "tokens", "port"}
ALLOWED = {
    "__init__": set(),
    "limits": set(),
    "errors": set(),
    "status": {"limits"},
    "tokens": set(),
    "p256": {"errors", "p256_comb"},
    "p256_comb": set(),
    "store": {"errors", "limits"},
    "config": {"errors", "limits"},
    "keys": FOUNDATION | {"p256"},
    "clock": FOUNDATION,
    "link": FOUNDATION,
    # the road
    "transport": FOUNDATION | {"link"},
    "wire": {"limits", "errors"},
    "auth": FOUNDATION | {"wire", "keys", "p256"},
    "replay": FOUNDATION | {"wire", "auth"},
    "update": {"limits", "status", "replay"},
    "download": FOUNDATION | {"link"},
    "bundle": FOUNDATION,
    "unpack": FOUNDATION | {"bundle", "auth"},
    "slots": FOUNDATION | {"bundle", "auth", "unpack"},
    "reply": FOUNDATION | {"wire"},
    # what joins it
    "updater": FOUNDATION | {"wire", "update", "download", "reply"},
    "hooks": set(),
    "commands": FOUNDATION | {"wire", "update", "reply"},
    "agent": FOUNDATION
    | {"__init__", "wire", "auth", "replay", "update", "updater", "slots", "reply", "store", "keys", "clock", "config"}
    | {"commands", "hooks"},
}

MACHINE = {"machine", "network", "esp32", "rp2", "ffi", "tls", "ssl"}


def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text("utf-8"), str(path))


def _imports(tree: ast.AST) -> set[str]:
    """Dotted names of all that is imported anywhere in the tree, in functions and by __import__ too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "__import__":
            argument = node.args[0]
            assert isinstance(argument, ast.Constant), "__import__ of what can't be read"
            found.add(str(argument.value))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("exec", "eval", "compile"):
            found.add("code made at run time")
    return found


def _srup_modules(tree: ast.AST) -> set[str]:
    """Which modules of `srup` the tree imports."""
    modules: set[str] = set()
    for name in _imports(tree):
        parts = name.split(".")
        if parts[0] == "srup":
            modules.add(
                parts[1]
                if len(parts) > 1 and (FIRMWARE / "srup" / parts[1]).with_suffix(".py").exists()
                else "port"
                if parts[1:2] == ["port"]
                else "__init__"
            )
    return modules


STEPS = sorted((FIRMWARE / "srup").glob("*.py"))
OUTSIDE_PORT = STEPS + [FIRMWARE / "main.py"]


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_imports_point_one_way_along_the_road(path: Path) -> None:
    assert path.stem in ALLOWED, "a new module: say in ALLOWED what it may import"
    assert _srup_modules(_tree(path)) <= ALLOWED[path.stem]


def test_every_allowed_arrow_is_drawn_and_no_two_modules_import_each_other() -> None:
    assert {path.stem for path in STEPS} == set(ALLOWED)
    order: list[str] = []
    pending = {module: needs - {"port"} for module, needs in ALLOWED.items()}
    while pending:
        ready = [module for module, needs in pending.items() if not needs - set(order)]
        assert ready, f"imports in a circle among {sorted(pending)}"
        order += ready
        for module in ready:
            del pending[module]


@pytest.mark.parametrize("path", OUTSIDE_PORT, ids=lambda path: path.stem)
def test_only_port_and_boot_know_the_machine(path: Path) -> None:
    tree = _tree(path)
    assert not {name.split(".")[0] for name in _imports(tree)} & MACHINE
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("sys", "platform"), ("os", "uname"), ("sys", "implementation")}


@pytest.mark.parametrize("path", sorted((FIRMWARE / "boot").glob("*.py")), ids=lambda path: path.stem)
def test_boot_imports_nothing_that_can_be_updated(path: Path) -> None:
    assert not {name.split(".")[0] for name in _imports(_tree(path))} & {"srup", "app", "umqtt"}


def test_ecdsa_is_verified_in_one_place() -> None:
    callers = {
        path.stem
        for path in STEPS
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "verify" and getattr(node.value, "id", "") == "p256"
    }
    assert callers == {"auth"}


def test_no_code_is_made_at_run_time_and_no_check_is_an_assert() -> None:
    for path in FIRMWARE.rglob("*.py"):
        tree = _tree(path)
        assert "code made at run time" not in _imports(tree), path
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), path
        assert not any(isinstance(node, ast.ExceptHandler) and node.type is None for node in ast.walk(tree)), path


def test_the_device_opens_no_listening_socket() -> None:
    for path in FIRMWARE.rglob("*.py"):
        attributes = {node.attr for node in ast.walk(_tree(path)) if isinstance(node, ast.Attribute)}
        assert not attributes & {"listen", "accept", "bind", "start_server"}, path
