"""What is refused leaves nothing behind on the chip either: a thousand times, as 10,000 would take minutes there."""

from pathlib import Path

from tests.attacks.test_refused import CORPUS, SCRIPT, SLACK, left_behind
from tests.emulator.bench_rp2040 import installed_files
from tests.emulator.board import run_script
from tests.emulator.littlefs import make_flash


def some_of(name: str) -> bytes:
    """A tenth of the corpus, from all over it."""
    return b"".join((CORPUS / f"{name}.txt").read_bytes().splitlines(keepends=True)[::10])


def test_refused_frames_texts_and_packets_leave_nothing_in_memory(firmware: Path, tmp_path: Path) -> None:
    inputs = {f"fuzz/{name}.txt": some_of(name) for name in ("wire", "json", "mqtt")}
    said, _ = run_script(firmware, SCRIPT, flash=make_flash(tmp_path / "flash", installed_files() | inputs))
    count, lost = left_behind(said)
    assert count >= 1000
    assert lost < SLACK
