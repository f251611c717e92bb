"""SELF_DESTRUCT under power cuts, on littlefs over NOR flash: after each, and one more start, no byte of a key is left."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.power_cut import controls
from tests.unit.on_micropython import run

SCRIPT = Path(__file__).with_name("destroy.py")
ERASES = "device.ioctl(6, block)  # "


def campaign(step: int, *patterns: int, tree: Path | None = None) -> list[dict[str, Any]]:
    found = run(SCRIPT, str(step), *map(str, patterns), heap="64m", timeout=500, **({"tree": tree} if tree else {}))
    return list(json.loads(found))


def hold(found: list[dict[str, Any]]) -> None:
    for board in found:  # with the boot part in flash, and frozen into the firmware
        assert len(board["held"]) >= 4 and set(board["held"]) & set(board["used"]), "the flash has no past"
        assert board["left"] == [] and board["cuts"] > 10 and board["failures"] == []


def test_after_a_cut_and_one_start_there_is_no_byte_of_a_key() -> None:
    hold(campaign(5, 0, 1, 2))


@pytest.mark.nightly
def test_after_a_cut_at_any_operation_there_is_no_byte_of_a_key() -> None:
    hold(campaign(1, *range(6)))


@pytest.mark.parametrize("step", ["2", "3"])
def test_a_step_that_is_left_out_is_noticed(tmp_path: Path, step: str) -> None:
    bug = controls.Control(f"without step {step}", (), (("srup_boot/ends.py", ERASES + step, f"pass  # {step}"),))
    assert any(board["failures"] for board in campaign(3, 0, tree=controls.plant(bug, tmp_path)))
