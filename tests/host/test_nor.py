"""The flash model, on the MicroPython that uses it: the rules of NOR flash, and littlefs on it through power cuts."""

import subprocess

import pytest

from srup_host.virtual import interpreter, making

BLOCK, PAGE = 4096, 256
BLOCKS = 16

OPEN = f"""
import sys
sys.path.insert(0, {str(interpreter.BOARD)!r})
import nor
flash = nor.Nor(open("flash.img", "r+b"), open("flash.counters", "r+b"), int(sys.argv[1]), sys.argv[2] == "torn")
page = bytearray(256)
"""

# A file is replaced over and over; `old` and `new` are each whole or not there.
REPLACE = f"""
import os, sys
sys.path.insert(0, {str(interpreter.BOARD)!r})
import nor
nor.mount(".", int(sys.argv[1]), sys.argv[2] == "torn")
for version in (1, 2, 3):
    with open("/data.new", "wb") as file:
        file.write(bytes((version,)) * 5000)
    os.rename("/data.new", "/data")
"""
READ = f"""
import os, sys
sys.path.insert(0, {str(interpreter.BOARD)!r})
import nor
nor.mount(".")
with open("/kept", "rb") as file:
    kept = file.read()
data = open("/data", "rb").read() if "data" in os.listdir("/") else b""
print(kept == b"kept" * 300, len(data), sorted(set(data)))
"""
KEEP = f"""
import sys
sys.path.insert(0, {str(interpreter.BOARD)!r})
import nor
nor.mount(".")
with open("/kept", "wb") as file:
    file.write(b"kept" * 300)
"""


@pytest.fixture
def chip(tmp_path):
    return Chip(tmp_path)


class Chip:
    def __init__(self, directory):
        self.directory = directory
        making.make_flash(directory, BLOCKS * BLOCK)

    def run(self, script, cut=0, how="before", code=0):
        (self.directory / "script.py").write_text(script)
        command = [interpreter.find(), "script.py", str(cut), how]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def do(self, script, **options):
        return self.run(OPEN + script, **options)

    @property
    def data(self):
        return (self.directory / "flash.img").read_bytes()

    @data.setter
    def data(self, data):
        (self.directory / "flash.img").write_bytes(data)

    @property
    def counters(self):
        data = (self.directory / "flash.counters").read_bytes()
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def test_a_new_chip_is_erased(chip):
    assert chip.data == b"\xff" * (BLOCKS * BLOCK)


def test_programming_clears_bits_and_never_sets_one(chip):
    chip.do("""
flash.writeblocks(1, b"\\x5a" * 256, 512)
flash.writeblocks(1, b"\\xa5" * 128 + b"\\xff" * 128, 512)
flash.readblocks(1, page, 512)
print(page[0], page[128])
""")
    at = BLOCK + 512
    assert chip.data[at : at + PAGE] == bytes(128) + b"\x5a" * 128
    assert chip.data[:at] + chip.data[at + PAGE :] == b"\xff" * (BLOCKS * BLOCK - PAGE)


def test_erasing_sets_every_bit_of_its_block_and_of_no_other(chip):
    chip.data = bytes(BLOCKS * BLOCK)
    chip.do("flash.ioctl(6, 2)")
    assert chip.data == bytes(2 * BLOCK) + b"\xff" * BLOCK + bytes((BLOCKS - 3) * BLOCK)


def test_writing_without_an_offset_erases_first(chip):
    chip.data = bytes(BLOCKS * BLOCK)
    chip.do('flash.writeblocks(3, b"\\x81" * 4096)')
    assert chip.data[3 * BLOCK : 4 * BLOCK] == b"\x81" * BLOCK


@pytest.mark.parametrize("call", ["(0, bytes(255), 0)", "(0, bytes(256), 1)"])
def test_only_whole_pages_are_programmed(chip, call):
    assert "ValueError" in chip.do(f"""
try:
    flash.writeblocks{call}
except ValueError as error:
    print(repr(error))
""")
    assert chip.data == b"\xff" * (BLOCKS * BLOCK)


def test_block_protocol(chip):
    assert chip.do("print([flash.ioctl(n, 0) for n in range(1, 6)])") == f"[0, 0, 0, {BLOCKS}, {BLOCK}]\n"


def test_operations_and_wear_are_counted_over_the_chips_life(chip):
    for _ in range(2):
        chip.do("flash.ioctl(6, 4); flash.ioctl(6, 4); flash.ioctl(6, 5); flash.writeblocks(4, bytes(1024), 0)")
    erases = [0] * BLOCKS
    erases[4], erases[5] = 4, 2
    assert chip.counters == [14, *erases]


def test_cut_before_an_operation_leaves_nothing_of_it(chip):
    chip.do('flash.writeblocks(0, b"\\x00" * 1024, 0)', cut=3, code=65)
    assert chip.data == bytes(2 * PAGE) + b"\xff" * (BLOCKS * BLOCK - 2 * PAGE)
    assert chip.counters[0] == 2


def test_a_torn_page_is_between_what_it_was_and_what_it_was_to_be(chip):
    patterns = set()
    for cut in range(1, 21):
        making.make_flash(chip.directory, BLOCKS * BLOCK)
        old, new = b"\xf5" * PAGE, b"\x0c" * PAGE
        chip.data = old + chip.data[PAGE:]
        warm_up = f'for _ in range({cut - 1}): flash.writeblocks(1, b"\\xff" * 256, 0)\n'
        chip.do(warm_up + 'flash.writeblocks(0, b"\\x0c" * 256, 0)', cut=cut, how="torn", code=65)
        torn = chip.data[:PAGE]
        assert all(old[i] & new[i] & ~torn[i] == 0 and torn[i] & ~old[i] == 0 for i in range(PAGE))
        patterns.add(torn)
    assert len(patterns) > 10  # it is torn in another place each time


def test_a_torn_erase_has_remains(chip):
    old = bytes([0x30]) * BLOCK
    chip.data = old + chip.data[BLOCK:]
    chip.do("flash.ioctl(6, 0)", cut=1, how="torn", code=65)
    torn = chip.data[:BLOCK]
    assert all(byte & 0x30 == 0x30 for byte in torn)
    assert torn not in (old, b"\xff" * BLOCK)


def test_the_same_cut_tears_the_same_way(chip):
    seen = set()
    for _ in range(2):
        making.make_flash(chip.directory, BLOCKS * BLOCK)
        chip.do('flash.writeblocks(0, b"\\x00" * 256, 0)', cut=1, how="torn", code=65)
        seen.add(chip.data)
    assert len(seen) == 1


@pytest.mark.parametrize("how", ["before", "torn"])
def test_littlefs_survives_a_cut_at_every_operation(tmp_path, how):
    """After each cut it mounts, an old file is as it was, and the one that was being replaced is whole: old or new."""
    chip = Chip(tmp_path)
    chip.run(KEEP)
    image, counters = chip.data, (tmp_path / "flash.counters").read_bytes()
    first = chip.counters[0]
    chip.run(REPLACE)
    last = chip.counters[0]
    assert last - first > 60
    outcomes = set()
    for cut in range(first + 1, last + 1):
        chip.data = image
        (tmp_path / "flash.counters").write_bytes(counters)
        chip.run(REPLACE, cut=cut, how=how, code=65)
        outcomes.add(chip.run(READ))
    whole = {f"True 5000 [{version}]\n" for version in (1, 2, 3)}
    assert outcomes <= {"True 0 []\n"} | whole
    assert {"True 0 []\n", "True 5000 [1]\n", "True 5000 [2]\n"} <= outcomes
