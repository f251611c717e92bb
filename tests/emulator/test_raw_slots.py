"""Raw slots on the chip: rp2.Flash, MicroPython's own VfsRom, and a ROMFS mounted where it lies."""

import json
from pathlib import Path

from tests.emulator.bench_rp2040 import installed_files
from tests.emulator.board import run_script
from tests.emulator.littlefs import make_flash
from tests.unit.on_micropython import ROOT

SCRIPT = Path(__file__).with_name("raw_slots_device.py")
FLASH = json.loads((ROOT / "boards/SRUP_RP2040/board.json").read_text())["flash"]


def regions() -> list[list[int]]:
    """The two slots as rp2.Flash counts: from the beginning of the storage, which is slot a's."""
    return [[FLASH[name]["start"] - FLASH["slot_a"]["start"], FLASH[name]["size"]] for name in ("slot_a", "slot_b")]


def test_a_romfs_in_raw_flash_is_written_verified_mounted_and_found_damaged(firmware, tmp_path: Path) -> None:
    described = {"srup-data/slots.json": json.dumps({"regions": regions()}).encode()}
    flash = make_flash(tmp_path / "flash", installed_files() | described)
    output, _ = run_script(firmware, SCRIPT, flash=flash)
    assert output.splitlines() == [
        "slots Regions [196608, 196608]",
        "written True",
        "chosen 1 /slot",
        "app 7 /slot/app.py",
        "damaged True slot b: image differs",
    ]
