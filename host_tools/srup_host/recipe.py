"""`srup-bundle.toml`: what a bundle is made of, beside the sources or above them.

name = "kitchen"                        what is not here is asked for on the command line, which goes before
version = "1.2.0"
kind = "app"                            app, data, firmware, romfs, set
source = "src"                          a directory; for firmware, the image
firmware = "build/micropython.bin"      for a set: an ESP32's image, which goes with the application
exclude = ["tests/*", "*.md"]           paths as they would be on the board
boards = ["RPI_PICO_W"]
micropython = "1.25"                    the oldest that it runs with
agent = "0.1.0"
compile = true                          .py to .mpy
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srup_host import files
from srup_host.console import Failure

FILE = "srup-bundle.toml"
_FORM = {
    "name": str, "version": str, "kind": str, "source": str, "exclude": list, "boards": list, "micropython": str, "agent": str,
    "compile": bool, "firmware": str,
}  # fmt: skip
_WORDS = {str: "text", bool: "true or false", list: 'a list of texts, as in ["tests/*"]'}


@dataclass(frozen=True)
class Recipe:
    source: Path
    name: str = ""
    version: str = ""
    kind: str = "app"
    exclude: list[str] = field(default_factory=list)
    boards: list[str] = field(default_factory=list)
    micropython: str = ""
    agent: str = ""
    compile: bool | None = None
    firmware: Path | None = None


def read(path: Path) -> Recipe:
    """Of a directory with a srup-bundle.toml, what that says; of any other, and of a file, that it is the source."""
    toml = path / FILE
    if not toml.is_file():
        return Recipe(path)
    try:
        given = tomllib.loads(files.read(toml).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{toml}: {error}") from None
    _check(toml, given)
    places = {key: path / given[key] for key in ("source", "firmware") if key in given}
    values: dict[str, Any] = {"source": path} | given | places
    return Recipe(**values)


def _check(toml: Path, given: dict[str, Any]) -> None:
    if unknown := given.keys() - _FORM.keys():
        raise Failure(f"{toml}: no such setting: {', '.join(sorted(unknown))}", f"there are {', '.join(_FORM)}")
    for key, value in given.items():
        is_right = type(value) is _FORM[key] and (not isinstance(value, list) or all(isinstance(v, str) for v in value))
        if not is_right:
            raise Failure(f"{toml}: {key} must be {_WORDS[_FORM[key]]}")
