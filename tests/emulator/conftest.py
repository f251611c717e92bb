"""What the tests on the emulated board need: the emulator, and a firmware that `make chip` has built."""

import os
from pathlib import Path

import pytest

from tests.emulator.board import Board
from tests.emulator.node import Missing, is_installed, node

ROOT = Path(__file__).parents[2]
FIRMWARE = Path(os.environ.get("SRUP_CHIP_FIRMWARE", ROOT / "build/chip/SRUP_RP2040/firmware.bin"))
FROZEN_FIRMWARE = ROOT / "build/chip/SRUP_RP2040-FROZEN/firmware.bin"


def unavailable(reason: str) -> None:
    """Skip, with the reason; in CI, where everything has to be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def emulator() -> str:
    """The Node that runs it."""
    if not is_installed():
        unavailable("the emulator is not installed: python -m tests.emulator.node")
    try:
        return node()
    except Missing as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def firmware(emulator) -> Path:
    if not FIRMWARE.is_file():
        unavailable(f"no firmware at {FIRMWARE}: make chip builds it")
    return FIRMWARE


@pytest.fixture(scope="session")
def frozen_firmware(emulator) -> Path:
    """With the agent in it: its bytecode takes no heap."""
    if not FROZEN_FIRMWARE.is_file():
        unavailable(f"no firmware at {FROZEN_FIRMWARE}: make chip builds it")
    return FROZEN_FIRMWARE


@pytest.fixture
def board(firmware, tmp_path):
    """A Pico with an empty flash, switched on."""
    with Board(firmware, tmp_path / "flash", uart=tmp_path / "uart") as board:
        yield board
