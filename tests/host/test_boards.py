"""Our own board: its flash map, the firmware that is built for it, and what happens when an input of the build is not there."""

import ast
import binascii
import hashlib
import importlib
import io
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from srup_host import profiles

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "boards/SRUP_RP2040"
FLASH = json.loads((BOARD / "board.json").read_text())["flash"]
MAP = ["firmware", "romfs", "slot_a", "slot_b", "littlefs"]
XIP = 0x10000000


def build_firmware(*arguments, folder=ROOT):
    command = [sys.executable, ROOT / "tools/build_firmware.py", *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def firmware():
    """The folder of the board's firmware, built now unless it has been before."""
    built = build_firmware()
    if built.returncode:
        assert not os.environ.get("CI"), built.stderr
        pytest.skip(f"THE FIRMWARE CAN'T BE BUILT: {built.stderr.strip()}; this was NOT tested")
    return ROOT / "build/chip/SRUP_RP2040"


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module


# The flash map


def test_the_map_covers_the_flash_without_gap_or_overlap():
    at = 0
    for part in MAP:
        assert FLASH[part]["start"] == at and FLASH[part]["size"] % FLASH["erase"] == 0
        at += FLASH[part]["size"]
    assert at == FLASH["size"]


def test_littlefs_is_mounted_where_the_map_has_it():
    """_boot.py counts from where the storage starts: at slot a."""
    nodes = ast.walk(ast.parse((BOARD / "modules/_boot.py").read_text()))
    (start,) = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "start"]
    start = eval(compile(ast.Expression(start), "_boot.py", "eval"))
    assert start == FLASH["littlefs"]["start"] - FLASH["slot_a"]["start"]


# The maps of stock firmware, held against MicroPython's source


@pytest.fixture(scope="module")
def ports():
    """MicroPython's ports/, from which our firmware was built."""
    found = sorted((ROOT / ".cache").glob("micropython-source.*/ports"))
    if not found:
        assert not os.environ.get("CI"), "make firmware fetches it"
        pytest.skip(
            "MICROPYTHON'S SOURCE IS NOT HERE: the profiles of stock boards were NOT compared; make firmware fetches it"
        )
    return found[-1]


@pytest.mark.parametrize(
    ("board", "csv", "size"),
    [
        ("ESP32_GENERIC", "partitions-4MiB.csv", 4),
        ("ESP32_GENERIC-OTA", "partitions-4MiB-ota.csv", 4),
        ("ESP32_GENERIC_C3", "partitions-4MiB.csv", 4),
        ("ESP32_GENERIC_S3", "partitions-8MiB.csv", 8),
    ],
)
def test_an_esp32_has_the_partitions_of_its_firmware(ports, board, csv, size):
    profile = profiles.load(board)
    lines = [line.split("#")[0].split(",") for line in (ports / "esp32" / csv).read_text().splitlines()]
    table = [
        (name.strip(), int(start, 16), int(length, 16))
        for name, _, _, start, length, *_ in filter(lambda x: len(x) > 4, lines)
    ]
    ours = {"littlefs": "vfs"}
    parts = [(ours.get(name, name), part.start, part.size) for name, part in profile.parts.items()]
    assert parts[2:] == table and profile.flash_size == size << 20
    config = ports / "esp32/boards" / board.partition("-")[0]
    settings = "".join(path.read_text() for path in [config.parent / "sdkconfig.base", *config.glob("sdkconfig.*")])
    assert f'FILENAME="{csv}"' in settings
    about = json.loads((config / "board.json").read_text())
    assert profile.esptool == {"chip": about["mcu"], "offset": int(about["deploy_options"]["flash_offset"], 0)}


@pytest.mark.parametrize("board", ["RPI_PICO_W", "RPI_PICO2_W"])
def test_a_pico_has_the_storage_of_its_firmware(ports, board):
    profile = profiles.load(board)
    source = (ports / "rp2/boards" / board / "mpconfigboard.h").read_text()
    formula = re.search(r"FLASH_STORAGE_BYTES\s+\((.+)\)", source)[1]
    storage = eval(formula, {"PICO_FLASH_SIZE_BYTES": profile.flash_size})
    littlefs = profile.parts["littlefs"]
    assert (littlefs.start, littlefs.size) == (profile.flash_size - storage, storage)


# The firmware


def test_the_firmware_starts_as_the_boot_rom_wants_it(firmware):
    image = (firmware / "firmware.bin").read_bytes()
    crc = crc32_mpeg2(image[:252])
    assert struct.unpack("<I", image[252:256]) == (crc,)
    stack, start = struct.unpack("<II", image[256:264])
    assert stack == 0x20042000 and XIP < start < XIP + len(image)


def crc32_mpeg2(data):
    """The boot ROM's: CRC-32 without either reflection and without the final inversion."""
    reflected = binascii.crc32(bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)


def test_the_firmware_has_the_map_of_the_board(firmware):
    image = (firmware / "firmware.bin").read_bytes()
    storage = FLASH["slot_a"]["start"]
    assert struct.pack("<II", storage, FLASH["size"] - storage) in image  # rp2.Flash()
    assert struct.pack("<II", FLASH["romfs"]["start"], FLASH["romfs"]["size"]) in image  # vfs.rom_ioctl()


def test_the_firmware_fits_and_has_no_more_heap_than_a_stock_pico_w(firmware):
    facts = json.loads((firmware / "build.json").read_text())
    profile = json.loads((BOARD / "board.json").read_text())
    assert facts["size"] == (firmware / "firmware.bin").stat().st_size <= FLASH["firmware"]["size"]
    assert 190_000 < facts["heap"] <= profile["memory"]["stock_pico_w_heap"]


def test_build_json_has_the_hash_of_each_image(firmware):
    for name, digest in json.loads((firmware / "build.json").read_text())["sha256"].items():
        assert hashlib.sha256((firmware / name).read_bytes()).hexdigest() == digest


def test_the_uf2_holds_the_same_image(firmware):
    blocks = (firmware / "firmware.uf2").read_bytes()
    image = (firmware / "firmware.bin").read_bytes()
    for start in range(0, len(blocks), 512):
        _, _, flags, address, length, *_, family = struct.unpack_from("<8I", blocks, start)
        offset = address - XIP
        assert flags & 0x2000 and family == 0xE48BFF56
        assert blocks[start + 32 : start + 32 + length] == image[offset : offset + length].ljust(length, b"\0")
    assert len(blocks) // 512 == -(-len(image) // 256)


def test_built_twice_at_two_places_every_byte_is_the_same(firmware):
    checked = build_firmware("--check")
    assert checked.returncode == 0, checked.stderr
    assert "the same bytes" in checked.stdout


# What can go wrong


def test_a_board_that_is_not_there_is_named():
    result = build_firmware("--board", "ESP64")
    assert result.returncode == 1 and "boards/ESP64" in result.stderr and "Traceback" not in result.stderr


def test_a_variant_that_is_not_there_is_named():
    result = build_firmware("--variant", "MELTED")
    assert result.returncode == 1 and "mpconfigvariant_MELTED.cmake" in result.stderr


def test_firmware_that_has_outgrown_its_part_of_the_flash_is_refused(tool, tmp_path, monkeypatch):
    builder = tool("build_firmware")
    monkeypatch.chdir(ROOT)
    board = builder.Board("SRUP_RP2040", None)
    (tmp_path / "firmware.bin").write_bytes(bytes(FLASH["firmware"]["size"] + 1))
    with pytest.raises(builder.Failed, match="its part of the flash 770,048"):
        builder.facts(board, tmp_path, tmp_path, tmp_path)


def test_what_is_half_made_is_not_kept(tool, tmp_path, monkeypatch):
    cached = tool("cached")
    monkeypatch.chdir(tmp_path)

    def interrupted(folder):
        folder.mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached.folder("thing", "1", interrupted)
    assert list(Path(".cache").iterdir()) == []


def test_a_new_key_takes_the_place_of_the_old(tool, tmp_path, monkeypatch):
    cached = tool("cached")
    monkeypatch.chdir(tmp_path)
    first = cached.folder("thing", "1", Path.mkdir)
    assert cached.folder("thing", "1", pytest.fail) == first
    assert cached.folder("thing", "2", Path.mkdir).is_dir() and not first.exists()


# The mirror, played by a folder


@pytest.fixture
def mirror(tool, tmp_path, monkeypatch):
    """A folder that is served as Debian's mirror, with an empty cache in front of it."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SRUP_DEBIAN_MIRROR", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(tool("debian"), "DOWNLOADS", tmp_path / "downloads")
        tool("debian_source")._sources.cache_clear()
        yield folder
        server.shutdown()
    tool("debian_source")._sources.cache_clear()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def archive(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as file:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


SOURCE = {"hello-1/hello.c": "int goodbye;\n"}
CHANGES = {
    "debian/patches/series": "# comment\nfix.patch\n",
    "debian/patches/fix.patch": "--- a/hello.c\n+++ b/hello.c\n@@ -1 +1 @@\n-int goodbye;\n+int hello;\n",
}


def publish(mirror, version):
    """A source package on the mirror; returns the lines that would pin it."""
    files = {f"hello_{version}.orig.tar.xz": SOURCE, f"hello_{version}-1.debian.tar.xz": CHANGES}
    return {f"pool/{name}": archive(mirror / "pool" / name, content) for name, content in files.items()}


def pin(tool, tmp_path, monkeypatch, pins):
    lock = tmp_path / "debian_source.lock"
    lock.write_text("".join(f"{digest}  {path}\n" for path, digest in pins.items()))
    monkeypatch.setattr(tool("debian_source"), "LOCK", lock)
    return tool("debian_source")


def test_source_is_unpacked_with_debians_patches(tool, mirror, tmp_path, monkeypatch):
    sources = pin(tool, tmp_path, monkeypatch, publish(mirror, "1"))
    sources.unpack("hello", tmp_path / "tree")
    assert (tmp_path / "tree/hello.c").read_text() == "int hello;\n"


def test_source_with_another_hash_is_not_used(tool, mirror, tmp_path, monkeypatch):
    sources = pin(tool, tmp_path, monkeypatch, publish(mirror, "1"))
    archive(mirror / "pool/hello_1.orig.tar.xz", {"hello-1/hello.c": "int evil;\n"})
    with pytest.raises(sources.Failed, match="does not have its pinned SHA-256"):
        sources.unpack("hello", tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_where_the_mirror_has_moved_on_debians_index_has_the_successor(tool, mirror, tmp_path, monkeypatch, capsys):
    sources = pin(tool, tmp_path, monkeypatch, publish(mirror, "1"))
    shutil.rmtree(mirror / "pool")
    index(mirror, publish(mirror, "2"))
    monkeypatch.setattr(tool("debian"), "_verified", bytes.decode)  # there is no signing as Debian
    files = sources.unpack("hello", tmp_path / "tree")
    assert [file.name for file in files] == ["hello_2.orig.tar.xz", "hello_2-1.debian.tar.xz"]
    assert "The mirror has moved on" in capsys.readouterr().out


def test_an_index_that_debian_did_not_sign_is_not_used(tool, mirror, tmp_path, monkeypatch):
    sources = pin(tool, tmp_path, monkeypatch, publish(mirror, "1"))
    shutil.rmtree(mirror / "pool")
    index(mirror, publish(mirror, "2"))
    with pytest.raises(sources.Failed, match=r"signature|gpgv"):
        sources.unpack("hello", tmp_path / "tree")


def test_a_mirror_without_debian_is_named(tool, mirror, tmp_path, monkeypatch):
    sources = pin(tool, tmp_path, monkeypatch, {"pool/hello_1.orig.tar.xz": "0" * 64})
    with pytest.raises(sources.Failed, match="SRUP_DEBIAN_MIRROR"):
        sources.fetch("hello")


def index(mirror, pins):
    """Put dists/trixie on the mirror: Sources.xz with the package, and an InRelease that names it, signed by nobody."""
    listed = "".join(f" {digest} 1 {Path(path).name}\n" for path, digest in pins.items())
    sources = lzma.compress(f"Package: hello\nDirectory: pool\nChecksums-Sha256:\n{listed}\n".encode())
    suite = mirror / "dists/trixie"
    (suite / "main/source").mkdir(parents=True)
    (suite / "main/source/Sources.xz").write_bytes(sources)
    digest = hashlib.sha256(sources).hexdigest()
    (suite / "InRelease").write_text(f"Codename: trixie\nSHA256:\n {digest} {len(sources)} main/source/Sources.xz\n")
