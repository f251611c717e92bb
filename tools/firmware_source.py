"""MicroPython's source, with the libraries that it keeps in other repositories in their places: all of it from Debian."""

import hashlib
import json
import shutil
from pathlib import Path

import cached
import debian
import debian_source

SOURCES = {"micropython": ".", "lwip": "lib/lwip", "mbedtls": "lib/mbedtls"}
PACKAGES = {"pico-sdk-source": "lib/pico-sdk", "tinyusb-source": "lib/tinyusb"}
TREE = "firmware-source"


def tree() -> Path:
    """The source in .cache; its inputs.json has the SHA-256 of each archive that it came from. Raises Failed."""
    return cached.folder("micropython-source", key(), _assemble)


def key() -> str:
    return cached.key(debian_source.LOCK, debian.LOCK, Path(debian_source.__file__), Path(__file__))


def _assemble(folder: Path) -> None:
    print("Unpacking MicroPython's source and its libraries into .cache (10 seconds: 17 MB, once) ...", flush=True)
    files = [file for package, place in SOURCES.items() for file in debian_source.unpack(package, folder / place)]
    debian.unpack(list(PACKAGES), TREE)
    for package, place in PACKAGES.items():
        (folder / place).rmdir()  # empty in Debian's source
        shutil.move(debian.TREES / TREE / "usr/src" / Path(place).name, folder / place)
        files.append(debian.fetch(package))
    shutil.rmtree(debian.TREES / TREE)
    (folder / "lib/micropython-lib/README.md").touch()  # the build asks for it, though not for that library
    inputs = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    (folder / "inputs.json").write_text(json.dumps(inputs))
