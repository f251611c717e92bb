"""`srup flash`: what it takes for a firmware, and what it has esptool do. esptool is the real one; no chip is here."""

import functools
import hashlib
import operator
import struct
import subprocess
import sys

import pytest

from srup_host import esp_firmware, profiles
from tests.host.shell import failed, run, srup

CHIPS = {"esp32": 0, "esp32c3": 5, "esp32s3": 9}
ADDRESSES = {"esp32": 0x40080000, "esp32c3": 0x40380000, "esp32s3": 0x40378000}
TYPES = {"nvs": (1, 2), "otadata": (1, 0), "phy_init": (1, 1), "factory": (0, 0), "ota_0": (0, 16), "ota_1": (0, 17)}
BOARDS = [name for name in profiles.names() if name.startswith("ESP32")]


def image(chip, size=256):
    """As Espressif, "esptool: Firmware Image Format", has it; that it is one esptool itself says below."""
    address = ADDRESSES[chip]
    data = bytes(range(256)) * (size // 256)
    head = struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, address) + struct.pack(
        "<BBBBHBHHBBBBB", 0xEE, 0, 0, 0, CHIPS[chip], 0, 0, 0xFFFF, 0, 0, 0, 0, 1
    )
    body = head + struct.pack("<II", address, len(data)) + data
    body += bytes(15 - len(body) % 16) + bytes((functools.reduce(operator.xor, data, 0xEF),))
    return body + hashlib.sha256(body).digest()


def table(profile):
    entries = b""
    for name, part in profile.parts.items():
        if name in ("bootloader", "partitions"):
            continue
        label = {"littlefs": "vfs"}.get(name, name)
        kind = TYPES.get(name, (1, 0x81))
        entries += struct.pack("<2sBBII16sI", b"\xaa\x50", *kind, part.start, part.size, label.encode(), 0)
    return entries + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()


@pytest.fixture
def firmware(tmp_path):
    """firmware(board): a whole one, put together by esptool as MicroPython's build does it."""
    pytest.importorskip("esptool", reason="make setup installs it")

    def make(board):
        profile = profiles.load(board)
        chip, offset = profile.esptool["chip"], profile.esptool["offset"]
        parts = {offset: image(chip), 0x8000: table(profile), 0x10000: image(chip, 1024)}
        arguments = []
        for at, data in parts.items():
            (tmp_path / f"{at:x}").write_bytes(data)
            arguments += [f"0x{at:x}", str(tmp_path / f"{at:x}")]
        path = tmp_path / "firmware.bin"
        command = [sys.executable, "-m", "esptool", "--chip", chip, "merge-bin", "--target-offset", f"0x{offset:x}"]
        subprocess.run([*command, "-o", path, *arguments], check=True, capture_output=True)
        return path

    return make


@pytest.mark.parametrize("board", BOARDS)
def test_a_firmware_tells_which_board_it_is_for_and_where_it_goes(firmware, board):
    path = firmware(board)
    read = esp_firmware.read(path)
    assert read.profile.board == board
    (line,) = srup("flash", "/dev/ttyUSB0", path, "--dry-run").text.splitlines()
    offset = {"esp32": "0x1000"}.get(read.chip, "0x0")
    assert line == f"esptool --chip {read.chip} --port /dev/ttyUSB0 write-flash --compress {offset} {path}"


def test_erase_comes_first(firmware):
    lines = srup("flash", "/dev/ttyUSB0", firmware("ESP32_GENERIC"), "--erase", "--dry-run").text.splitlines()
    assert [line.split()[5] for line in lines] == ["erase-flash", "write-flash"]


def test_the_commands_are_esptools(firmware, capfd):
    """It takes them all, up to the port that is not there."""
    result = run("flash", "/dev/ttyNOT", firmware("ESP32_GENERIC"))
    assert result.code == 2 and "did not write" in result.err
    said = "".join(capfd.readouterr())
    assert "/dev/ttyNOT" in said and "Usage" not in said


def test_a_flipped_bit_is_damage(firmware):
    path = firmware("ESP32_GENERIC_C3")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert "is damaged" in failed("flash", "/dev/ttyUSB0", path, "--dry-run")


def test_what_is_no_whole_firmware_is_refused(tmp_path, firmware):
    update = tmp_path / "update.app-bin"
    update.write_bytes(image("esp32", 65536))
    assert "no partition table" in failed("flash", "/dev/ttyUSB0", update)
    (tmp_path / "text.bin").write_bytes(b"MicroPython, but not quite")
    assert "no firmware for an ESP32" in failed("flash", "/dev/ttyUSB0", tmp_path / "text.bin")
    (tmp_path / "pico.uf2").write_bytes(b"UF2\n")
    assert "hold BOOTSEL" in failed("flash", "/dev/ttyUSB0", tmp_path / "pico.uf2")
    other = bytearray(firmware("ESP32_GENERIC").read_bytes())
    other[12] = 13  # ESP32-C6
    (tmp_path / "c6.bin").write_bytes(other)
    assert "a chip that is not known here" in failed("flash", "/dev/ttyUSB0", tmp_path / "c6.bin")
