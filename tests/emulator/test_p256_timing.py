"""What a nonce goes through on the chip takes as many cycles for each, to the last one: the comb's walk, and the inversion."""

from pathlib import Path

import pytest

from srup_host import combs, native
from tests.emulator.bench_rp2040 import installed_files
from tests.emulator.board import run_script
from tests.emulator.littlefs import make_flash

DEVICE = Path(__file__).with_name("p256_timing_device.py")


@pytest.mark.parametrize("kernel", native.KERNELS)
def test_cycles_do_not_depend_on_the_nonce(kernel: str, firmware: Path, tmp_path: Path) -> None:
    files = {path: data for path, data in installed_files().items() if not path.startswith("lib/p256_")}
    files |= {f"lib/{name}": data for name, data in native.compiled("armv6m", kernel).items()}
    flash = make_flash(tmp_path / "flash", files | combs.tables("tables"))
    said, _ = run_script(firmware, DEVICE, flash=flash)
    first, *measured = [line.split() for line in said.splitlines()]
    assert first[:2] == ["kernel", kernel]
    assert [name for name, *_ in measured] == ["walk", "division"]
    for name, *cycles in measured:
        assert len(cycles) == 18 and len(set(cycles)) == 1, (name, cycles)
