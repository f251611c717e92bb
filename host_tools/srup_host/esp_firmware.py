"""A whole firmware for an ESP32, as micropython.org has it: boot loader, partition table and MicroPython in one file.

It begins at the offset at which the chip's ROM looks for the boot loader; the table is at 0x8000 of the flash (ESP-IDF Programming
Guide, Partition Tables): entries of 32 bytes, 0xAA 0x50 | type | subtype | offset (4) | size (4) | label (16) | flags (4).
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from srup_host import files, profiles
from srup_host.console import Failure
from srup_host.profiles import Part, Profile

_IMAGE = 0xE9
_CHIP_AT = 12
_CHIPS = {0: "esp32", 5: "esp32c3", 9: "esp32s3"}  # esp_chip_id_t of ESP-IDF's esp_app_format.h
_TABLE = 0x8000
_ENTRY = struct.Struct("<2sBBII16sI")
_ENTRY_MAGIC = b"\xaa\x50"
_NAMES = {"vfs": "littlefs"}  # of partitions, here


@dataclass(frozen=True)
class Firmware:
    """chip: as esptool calls it · offset: where it goes · parts: its partition table · profile: the board with that table"""

    path: Path
    chip: str
    offset: int
    parts: dict[str, Part]
    profile: Profile | None


def read(path: Path) -> Firmware:
    """Raises Failure for what is no whole firmware for a chip that is known here."""
    data = files.read(path)
    if path.suffix == ".uf2":
        raise Failure(
            f"{path} is for a Pico", "hold BOOTSEL, plug it in, and copy the file onto the drive that appears"
        )
    if len(data) <= _CHIP_AT or data[0] != _IMAGE:
        raise Failure(f"{path} is no firmware for an ESP32", "micropython.org/download has them, as .bin")
    chip = _CHIPS.get(int.from_bytes(data[_CHIP_AT : _CHIP_AT + 2], "little"))
    boards = [
        profile for profile in map(profiles.load, profiles.names()) if chip and profile.esptool.get("chip") == chip
    ]
    if not boards:
        raise Failure(f"{path} is for a chip that is not known here", f"known: {', '.join(_CHIPS.values())}")
    offset = boards[0].esptool["offset"]
    parts = _table(data, _TABLE - offset)
    if not parts:
        raise Failure(
            f"{path} has no partition table: it is no whole firmware",
            "take the .bin, not the .app-bin, which is for an update over the air",
        )
    return Firmware(path, str(chip), offset, parts, next((board for board in boards if _fits(board, parts)), None))


def _table(data: bytes, at: int) -> dict[str, Part]:
    found = {}
    while data[at : at + 2] == _ENTRY_MAGIC and at + _ENTRY.size <= len(data):
        _, _, _, start, size, label, _ = _ENTRY.unpack_from(data, at)
        name = label.rstrip(b"\0").decode("ascii", "replace")
        found[_NAMES.get(name, name)] = Part(start, size)
        at += _ENTRY.size
    return found


def _fits(board: Profile, parts: dict[str, Part]) -> bool:
    return parts == {name: part for name, part in board.parts.items() if name not in ("bootloader", "partitions")}
