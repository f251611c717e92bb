"""The device's packages on the chip: put there with mpremote as a user would, and its unit tests run there."""

from pathlib import Path

import pytest

from srup_host import device_tree

UNIT = Path(__file__).parents[1] / "unit"
RUN = """
import sys
sys.path.append("/tests-lib")
from tests.unit import {module} as module
for name in {names}:
    getattr(module, name)()
    print("ok", name)
"""

# What a chip gets through in a minute, and has the heap for (one frame of 65,535 bytes takes more); the unix port runs all.
SAMPLES = {
    "test_wire": [
        "test_frames_of_the_authors_library_byte_for_byte_both_ways",
        "test_preimages_are_those_written_by_hand",
        "test_every_type_comes_back_as_it_went",
        "test_a_frame_cut_anywhere_is_malformed",
        "test_a_byte_too_many_is_malformed",
        "test_sizes_at_their_limits_pass_and_beyond_them_do_not",
    ],
    "test_update": None,
    "test_p256": ["test_rfc_6979_vectors"],
}


@pytest.fixture
def deployed(board, tmp_path: Path):
    """The board with /lib as it is after an installation, and the unit tests beside it."""
    contents = {path: data for path, data in device_tree.device_files().items() if path.startswith("lib/srup")}
    tests = [UNIT / f"{name}.py" for name in [*SAMPLES, "check"]] + [UNIT.parent / "vectors" / "paper.txt"]
    contents |= {f"tests-lib/tests/{path.relative_to(UNIT.parent)}": path.read_bytes() for path in tests}
    for path, data in contents.items():
        target = tmp_path / "root" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    for folder in ("lib", "tests-lib"):
        board.mpremote("fs", "cp", "-r", str(tmp_path / "root" / folder), ":")
    return board


def test_the_device_unit_tests_pass_on_the_chip(deployed) -> None:
    for module, names in SAMPLES.items():
        text = (UNIT / f"{module}.py").read_text()
        defined = [line[4:].split("(")[0] for line in text.splitlines() if line.startswith("def test_")]
        wanted = names or defined
        assert set(wanted) <= set(defined)
        said = deployed.mpremote("exec", RUN.format(module=module, names=wanted))
        assert said.split() == [word for name in wanted for word in ("ok", name)]
