"""A board's flash with files in it, made without the board: at once, and the same every time."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.unit.on_micropython import ROOT, run

BOARD = json.loads((ROOT / "boards/SRUP_RP2040/board.json").read_text())["flash"]
_MAKER = Path(__file__).with_name("littlefs_device.py")


def make_flash(flash: Path, contents: Mapping[str, bytes]) -> Path:
    """Make the file `flash`, for `Board` and `run_script`, with littlefs as the firmware has it. contents: path from the root,
    without the first slash -> bytes."""
    place = BOARD["littlefs"]
    with tempfile.TemporaryDirectory() as folder:
        for path, data in contents.items():
            file = Path(folder, "root", path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        run(_MAKER, f"{folder}/image", str(place["size"]), f"{folder}/root", heap="8m")
        image = Path(folder, "image").read_bytes()
    flash.write_bytes(b"\xff" * place["start"] + image + b"\xff" * (BOARD["size"] - place["start"] - place["size"]))
    return flash
