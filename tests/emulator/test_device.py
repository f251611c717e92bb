"""The device's packages on the chip: put there with mpremote as a user would, and its unit tests run there, on the real heap.

Each module of tests/unit runs on a board of its own. What of them does not run, and why, is at the top here and in the summary of
each run. SRUP_ALL_UNITS=1 in the environment runs what is only slow.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from srup_host import sources
from tests.emulator.bench_rp2040 import installed_files
from tests.emulator.board import Board, run_script
from tests.unit.on_micropython import ROOT

UNIT = ROOT / "tests" / "unit"
ALL = bool(os.environ.get("SRUP_ALL_UNITS"))
NATIVE = "for the kernel of other processors; that of the chip has tests/emulator/test_p256_thumb.py"
HOST = "about a host"
BOOT = "imports boot.py as a part of the checkout"
HEAP = "takes more heap than a chip has"
MEMORY = "the agent, its disk and the test together take more heap than a chip has; test_loop.py has the agent alone"
SLOW = "minutes: the disk that it runs on is Python there"

# What does not run on the chip; "*" is the rest of the module.
NOT: dict[str, dict[str, str]] = {
    "test_actions": {"*": MEMORY},
    "test_after_faults": {"*": MEMORY},
    "test_agent": {"*": MEMORY},
    "test_backings": {"*": SLOW},
    "test_boot": {"test_a_fault_in_choosing_is_recovery": BOOT, "test_a_torn_copy_is_ignored": SLOW},
    "test_clock": {"*": MEMORY},
    "test_delta": {"*": MEMORY},
    "test_download": {"*": MEMORY},
    "test_group_answers": {"*": MEMORY},
    "test_groups": {"*": MEMORY},
    "test_health": {"*": MEMORY},
    "test_inventory": {"*": MEMORY},
    "test_joining": {"*": MEMORY},
    "test_keys_changed": {"*": MEMORY},
    "test_low_power": {"*": MEMORY},
    "test_p256": {"*": SLOW},
    "test_p256_comb": {"*": NATIVE},
    "test_p256_field": {"*": NATIVE},
    "test_pairs": {"*": MEMORY},
    "test_port": {"test_the_hosts_clock_is_true": HOST},
    "test_records": {"*": SLOW},
    "test_road": {"*": MEMORY},
    "test_sealed": {"*": SLOW},
    "test_settings": {"test_a_flipped_bit_in_the_settings_is_noticed": SLOW},
    "test_slots": {"*": MEMORY},
    "test_store": {"*": SLOW},
    "test_straight": {"*": MEMORY},
    "test_transport": {"test_a_message_longer_than_any_frame_is_dropped_a_piece_at_a_time": HEAP},
    "test_trust": {"*": SLOW},
    "test_updater": {"*": MEMORY},
    "test_ways": {"*": MEMORY},
    "test_wire": {"test_lengths_are_big_endian_and_two_bytes": HEAP},
}
# Of a module that is left out, these run all the same.
SAMPLES = {
    "test_p256": [
        "test_rfc_6979_vectors",
        "test_both_values_of_s_verify_and_sign_makes_the_low_one",
        "test_wrong_lengths",
    ],
    "test_records": ["test_what_was_put_in_comes_out", "test_a_delta_keeps_patches_puts_and_leaves_out"],
    "test_sealed": ["test_what_was_sealed_comes_out", "test_aes_256_ctr", "test_p256_shared"],
    "test_store": ["test_what_was_put_is_there_after_a_restart", "test_the_copies_are_the_same_to_the_byte"],
    "test_trust": ["test_an_initiate_of_the_command_key_becomes_a_command_and_is_on_record"],
}

RUN = """
import gc, sys
gc.threshold(gc.mem_free() >> 4)
sys.path.append("/tests-lib")
from srup import port
port.network_up = lambda: True  # what network there is the tests play themselves
from tests.unit import {module} as module
for name in {names}:
    gc.collect()
    try:
        getattr(module, name)()
        print("ok", name)
    except Exception as error:
        print("FAIL", name)
        sys.print_exception(error)
"""


def modules() -> list[str]:
    return sorted(path.stem for path in UNIT.glob("test_*.py"))


def defined(module: str) -> list[str]:
    return re.findall(r"^def (test_\w+)\(\)", (UNIT / f"{module}.py").read_text("utf-8"), re.MULTILINE)


def left_out(module: str) -> dict[str, str]:
    """{test: reason}"""
    reasons = NOT.get(module, {})
    found = {name: reasons.get(name, reasons.get("*", "")) for name in defined(module)}
    samples = SAMPLES.get(module, [])
    return {name: why for name, why in found.items() if why and name not in samples and not (ALL and why == SLOW)}


def unit_files(*modules: str) -> dict[str, bytes]:
    """Path on the board -> contents: these tests, or all, compiled, with their helpers and vectors."""
    skipped = {"conftest", "on_micropython", "run_on_micropython"}
    found = {path.stem for path in UNIT.glob("*.py")} - skipped
    wanted = {name for name in found if not modules or name in modules or not name.startswith("test_")}
    tests = {f"tests-lib/tests/unit/{name}.py": (UNIT / f"{name}.py").read_bytes() for name in wanted}
    vectors = {f"tests-lib/tests/vectors/{path.name}": path.read_bytes() for path in ROOT.glob("tests/vectors/*.txt")}
    return sources.compile_all(tests) | vectors


@pytest.fixture(scope="session")
def deployed(firmware: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board's flash with /lib as it is after an installation, and the unit tests beside it."""
    folder = tmp_path_factory.mktemp("chip")
    for path, data in (installed_files() | unit_files()).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    with Board(firmware, folder / "flash") as board:
        for name in ("lib", "tests-lib"):
            board.mpremote("fs", "cp", "-r", str(folder / name), ":", timeout=240)
    return folder / "flash"


@pytest.mark.parametrize("module", modules())
def test_the_device_unit_tests_pass_on_the_chip(module: str, deployed: Path, firmware: Path, tmp_path: Path) -> None:
    wanted = [name for name in defined(module) if name not in left_out(module)]
    if not wanted:
        pytest.skip(f"{module} does NOT run on the chip: {next(iter(left_out(module).values()), 'it has no tests')}")
    shutil.copy(deployed, tmp_path / "flash")
    (tmp_path / "run.py").write_text(RUN.format(module=module, names=wanted))
    said, _ = run_script(firmware, tmp_path / "run.py", flash=tmp_path / "flash", timeout=1800 if ALL else 280)
    passed = [line[3:] for line in said.splitlines() if line.startswith("ok ")]
    assert passed == wanted, said


def test_what_does_not_run_on_the_chip_is_told() -> None:
    """A list that is out of date is a failure; one that is not is told as skipped tests, so that nobody overlooks it."""
    for module, reasons in NOT.items():
        assert set(reasons) - {"*"} <= set(defined(module)), module
    for module, names in SAMPLES.items():
        assert set(names) <= set(defined(module)) and "*" in NOT[module], module
    told = {module: left_out(module) for module in modules()}
    reasons = sorted({why for found in told.values() for why in found.values()})
    lines = [
        f"{why}: "
        + ", ".join(
            f"{module} ({sum(one == why for one in found.values())} of {len(defined(module))})"
            for module, found in told.items()
            if why in found.values()
        )
        for why in reasons
    ]
    if lines:
        pytest.skip("NOT run on the chip. " + "; ".join(lines))
