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
    "p256": {"errors", "p256_nonce", "p256_reference", "p256_kernel", "p256_comb", "p256_build", "p256_files"},
    "p256_nonce": set(),
    "p256_reference": set(),
    "p256_kernel": set(),
    "p256_comb": {"__init__", "p256_kernel", "p256_formulas"},
    "p256_formulas": {"p256_kernel"},
    "p256_build": {"p256_kernel", "p256_comb"},
    "p256_files": {"errors", "limits", "p256_comb", "p256_build"},
    "store": {"errors", "limits"},
    "config": {"errors", "limits"},
    "settings": {"config", "errors", "limits", "status"},
    "keys": FOUNDATION | {"p256"},
    "clock": FOUNDATION | {"__init__"},
    "trust": FOUNDATION | {"clock", "keys", "p256"},
    "groups": FOUNDATION | {"replay"},
    "joining": FOUNDATION | {"__init__", "keys", "second", "transaction", "wire"},
    "link": FOUNDATION,
    "sntp": FOUNDATION,
    "ways": {"limits", "poller"},
    "polled": FOUNDATION | {"wire_json"},
    "poller": FOUNDATION | {"http", "link", "polled", "wire_json"},
    # the road
    "transport": FOUNDATION | {"link"},
    "wire": {"limits", "errors"},
    "wire_json": {"errors", "wire"},
    "auth": FOUNDATION | {"wire", "keys", "p256"},
    "replay": FOUNDATION | {"wire", "auth"},
    "transaction": {"limits"},
    "update": {"limits", "status", "replay", "transaction"},
    "http": FOUNDATION,
    "download": FOUNDATION | {"link", "http"},
    "incoming": FOUNDATION | {"paths"},
    "raw_image": FOUNDATION,
    "inflate": FOUNDATION | {"records"},
    "straight": FOUNDATION | {"late", "bundle", "auth", "incoming", "raw_image", "inflate", "paths"},
    "bundle": FOUNDATION,
    "esp_image": FOUNDATION,
    "records": FOUNDATION | {"bundle", "patch"},
    "patch": FOUNDATION,
    "sealed": FOUNDATION | {"bundle", "keys", "p256"},
    "meant": FOUNDATION | {"__init__"},
    "paths": set(),
    "unpack": FOUNDATION | {"bundle", "records", "patch", "paths"},
    "backing": FOUNDATION | {"late", "bundle", "auth", "meant", "sealed", "unpack", "incoming", "paths"},
    "slots": FOUNDATION | {"bundle", "backing", "paths"},
    "data_slots": FOUNDATION | {"slots", "paths"},
    "partition_slots": FOUNDATION | {"bundle", "backing", "incoming", "straight", "raw_image", "paths"},
    "firmware_slots": FOUNDATION | {"bundle", "esp_image", "partition_slots"},
    "pair_slots": FOUNDATION | {"bundle", "records", "firmware_slots", "slots", "paths"},
    "reply": FOUNDATION | {"wire"},
    # what joins it
    "updater": FOUNDATION | {"late", "wire", "transaction", "update", "download", "reply", "settings"},
    "policy": FOUNDATION,
    "second": FOUNDATION | {"wire", "auth", "keys", "policy"},
    "session": FOUNDATION,
    "actions": FOUNDATION | {"commands", "health", "policy", "session"},
    "inventory": FOUNDATION | {"__init__", "transaction"},
    "health": FOUNDATION,
    "rest": FOUNDATION,
    "cause": FOUNDATION,
    "hooks": set(),
    "late": {"limits"},
    "commands": FOUNDATION | {"wire", "update", "reply", "keys"},
    "hands": FOUNDATION
    | {"wire", "updater", "commands", "actions", "inventory", "health"}
    | {"slots", "partition_slots", "firmware_slots", "pair_slots", "data_slots", "paths"},
    "road": FOUNDATION
    | {
        "late",
        "wire",
        "auth",
        "replay",
        "transaction",
        "update",
        "reply",
        "store",
        "keys",
        "hands",
        "trust",
        "groups",
        "joining",
    }
    | {"policy", "second"},
    "agent": FOUNDATION
    | {"__init__", "clock", "config", "hooks", "sntp", "late", "session", "road", "rest", "cause", "ways"},
}

MACHINE = {"machine", "network", "esp32", "rp2", "ffi", "tls", "ssl"}


def _tree(path: Path) -> ast.Module:
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
            found.add(str(argument.value) if isinstance(argument, ast.Constant) else "what can't be read")
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


def test_what_is_imported_late_is_imported_a_module_at_a_time() -> None:
    """Each after those that it imports, and nothing of it by what is always in memory."""
    (road,), (p256, hands) = _late("agent"), _late("road")
    resident, new = {"agent", "transport", "port"}, {"agent", "transport"}
    while new:
        new = {module for name in new for module in _at_once(name)} - resident
        resident |= new
    for before, stage in ((resident, road), (resident | set(road), p256), (resident | set(road), hands)):
        assert stage and not before & set(stage)
        for at, name in enumerate(stage):
            assert _at_once(name) <= before | set(stage[:at]), name
    assert not any(name.startswith("p256") for name in road + hands), "they are in memory by turns"


def _late(module: str) -> list[list[str]]:
    """What it names as late, a list for each Late."""
    calls = [node for node in ast.walk(_tree(FIRMWARE / "srup" / f"{module}.py")) if isinstance(node, ast.Call)]
    late = [call for call in calls if getattr(call.func, "attr", "") == "Late"]
    return [[str(ast.literal_eval(argument)) for argument in call.args] for call in late]


def _at_once(module: str) -> set[str]:
    """The modules of `srup` that this one imports when it is imported itself."""
    if module in ("port", "__init__"):
        return set()
    body = _tree(FIRMWARE / "srup" / f"{module}.py").body
    return _srup_modules(ast.Module([node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))], []))


def test_no_code_is_made_at_run_time_and_no_check_is_an_assert() -> None:
    for path in FIRMWARE.rglob("*.py"):
        tree = _tree(path)
        assert ("what can't be read" in _imports(tree)) == (path.name == "late.py"), path
        assert "code made at run time" not in _imports(tree), path
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), path
        assert not any(isinstance(node, ast.ExceptHandler) and node.type is None for node in ast.walk(tree)), path


def test_the_device_opens_no_listening_socket() -> None:
    for path in FIRMWARE.rglob("*.py"):
        attributes = {node.attr for node in ast.walk(_tree(path)) if isinstance(node, ast.Attribute)}
        assert not attributes & {"listen", "accept", "bind", "start_server"}, path
