"""The fake of `esp32` that the slots are tested with has the signatures of MicroPython's own stubs, and ESP-IDF's otadata."""

import ast
import inspect
import struct
import zlib
from pathlib import Path

import pytest

from tests.unit.fake_esp32 import ABORTED, NEW, PENDING_VERIFY, VALID, Chip, partition_class

STUBS = Path(__file__).parents[2] / ".cache" / "stubs" / "esp32" / "esp32.pyi"
CONSTANTS = {"BOOT": 0, "RUNNING": 1, "TYPE_APP": 0, "TYPE_DATA": 1}


def stub_methods() -> dict[str, set[tuple[str, ...]]]:
    """Of Partition: name -> the parameters of each overload."""
    (partition,) = [
        node
        for node in ast.parse(STUBS.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "Partition"
    ]
    found: dict[str, set[tuple[str, ...]]] = {}
    for node in partition.body:
        if isinstance(node, ast.FunctionDef):
            names = tuple(one.arg for one in node.args.posonlyargs + node.args.args if one.arg not in ("self", "cls"))
            found.setdefault(node.name, set()).add(names)
    return found


@pytest.mark.skipif(not STUBS.is_file(), reason="the stubs are not installed: make lint does that")
def test_partition_has_the_methods_and_parameters_of_the_stubs() -> None:
    fake = partition_class(Chip(1))
    documented = stub_methods()
    assert set(documented) == {"__init__", *(name for name in vars(fake) if name.islower() and name[0] != "_")}
    for name, overloads in documented.items():
        parameters = [one for one in inspect.signature(getattr(fake, name)).parameters if one not in ("self", "cls")]
        longest = max(overloads, key=len)
        assert tuple(parameters) == longest, name
        required = min(map(len, overloads))
        optional = [
            one
            for one in inspect.signature(getattr(fake, name)).parameters.values()
            if one.default is not inspect.Parameter.empty
        ]
        assert len(parameters) - len(optional) <= required, name
    for name, value in CONSTANTS.items():
        assert getattr(fake, name) == value


@pytest.fixture
def chip() -> Chip:
    """With an image in each partition, and otadata as it leaves the factory."""
    made = Chip(1)
    for app in made.apps:
        app.writeblocks(0, b"\xe9" + bytes(255), 0)
    return made


def states(chip: Chip) -> list[int]:
    return [state for sequence, state in chip.records() if sequence]


def test_a_factory_board_starts_ota_0(chip: Chip) -> None:
    assert chip.boot() == 0 and states(chip) == []


def test_a_new_firmware_has_one_start_unless_it_is_marked_valid(chip: Chip) -> None:
    chip.boot()
    chip.set_boot(1)
    assert states(chip) == [NEW]
    assert chip.boot() == 1 and states(chip) == [PENDING_VERIFY]
    assert chip.boot() == 0 and states(chip) == [ABORTED]
    chip.set_boot(1)
    chip.boot()
    chip.mark_valid()
    assert [chip.boot() for _ in range(3)] == [1, 1, 1] and VALID in states(chip)


def test_an_invalid_image_is_not_named_to_the_bootloader(chip: Chip) -> None:
    chip.boot()
    chip.apps[1].ioctl(6, 0)
    with pytest.raises(OSError, match="VALIDATE"):
        chip.set_boot(1)
    assert chip.boot() == 0


def test_the_newer_sector_counts_and_a_torn_one_does_not(chip: Chip) -> None:
    chip.boot()
    for app in (1, 0, 1):
        chip.set_boot(app)
        chip.boot()
        chip.mark_valid()
    sequences = [sequence for sequence, _ in chip.records()]
    assert max(sequences) - min(sequences) == 1
    chip.otadata.flip(sequences.index(max(sequences)) * 1024)
    assert chip.boot() == 0


def test_the_crc_is_that_of_espressifs_tools(chip: Chip) -> None:
    """zlib's with this start value, over the sequence alone, little-endian."""
    chip.set_boot(0)
    record = bytearray(32)
    chip.otadata.readblocks(0, record)
    assert struct.unpack("<I", record[28:])[0] == zlib.crc32(record[:4], 0xFFFFFFFF)
