"""What is known of a board before it is asked: boards/<NAME>/board.json (docs/porting.md has each entry).

    board         MicroPython's own name for it, sys.implementation._build
    micropython   port; mpy_arch: for which native code is made (srup_host.native); download: where its firmware comes from
    flash         size, erase and program in bytes; esptool: chip, and the offset of a firmware; every other entry is a part of
                  it, {"start", "size"}. littlefs: the file system at /
    memory        ram: of the chip; drop_mqtt, tables: as in config.json
    network       {"wifi": true}; {"ppp": …} as in config.json; or {"host": true}, that of the machine it is a process on
    slots         default: one of the others, which are the kinds of slots that this board can have, with the size of each:
                  folders (size: of an application), regions (at: as in slots.json), firmware
    policy        {action: "allow", "refuse" or "two-keys"}, where that is not the usual

What is wrong in one raises Failure, which names the file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srup
from srup_host import files, native, policies
from srup_host.console import Failure

FOLDER = Path(srup.__file__).resolve().parents[2] / "boards"
NTP = ["pool.ntp.org"]

_FORM: dict[str, type] = {"board": str, "about": str, "micropython": dict, "flash": dict, "memory": dict}
_FORM |= {"network": dict, "slots": dict}
_SECTIONS = {
    "micropython": {"port", "mpy_arch", "download"},
    "memory": {"ram", "stock_pico_w_heap", "drop_mqtt", "tables"},
    "network": {"wifi", "ppp", "host"},
    "slots": {"default", "folders", "regions", "firmware"},
}
_FLASH = ("size", "erase", "program", "esptool")


@dataclass(frozen=True)
class Part:
    """Of the flash, in bytes."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Profile:
    """board.json, read. parts: of the flash, by name, in its order."""

    board: str
    about: str
    port: str
    processor: str
    download: str
    flash_size: int
    block: int
    parts: Mapping[str, Part]
    esptool: Mapping[str, Any]
    memory: Mapping[str, Any]
    network: Mapping[str, Any]
    slots: Mapping[str, Any]
    policy: Mapping[str, str]

    @property
    def has_wifi(self) -> bool:
        return bool(self.network.get("wifi"))

    def settings(self) -> dict[str, Any]:
        """What config.json has of it."""
        network = {"network": {"ppp": self.network["ppp"]}} if "ppp" in self.network else {}
        memory = {name: self.memory[name] for name in ("drop_mqtt", "tables")}
        clock = {} if "host" in self.network else {"ntp": NTP}
        return network | clock | {"memory": memory} | ({"policy": dict(self.policy)} if self.policy else {})

    def slots_json(self, kind: str = "") -> bytes | None:
        """What slots.json says for this kind of slots, by default the usual one; None where there is no such file.

        Raises Failure where this board can't have them."""
        kind = kind or self.slots["default"]
        if kind not in self.slots or kind == "default":
            kinds = ", ".join(name for name in self.slots if name != "default")
            raise Failure(f"{self.board} has no slots of the kind {kind!r}", f"it can have: {kinds}")
        if kind == "folders":
            return None
        return json.dumps({"regions": self.slots["regions"]["at"]} if kind == "regions" else {}).encode()


def names() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/board.json"))


def load(name: str) -> Profile:
    """The profile of this name. Raises Failure."""
    path = FOLDER / name / "board.json"
    if name not in names():
        raise Failure(f"there is no profile {name!r}", f"known: {', '.join(names())}; docs/porting.md: another board")
    try:
        return _checked(name, json.loads(files.read(path)))
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path}: {error}") from None


def of(build: str) -> Profile | None:
    """The profile for a firmware that calls itself so: its own, or that of the board of which it is a variant."""
    for name in (build, build.partition("-")[0]):
        if name in names():
            return load(name)
    return None


def _checked(name: str, found: dict[str, Any]) -> Profile:
    """Raises ValueError, KeyError or TypeError for what is not of the form above."""
    for key, kind in _FORM.items():
        if not isinstance(found[key], kind):
            raise TypeError(f"{key} must be of the kind {kind.__name__}")
    _refuse_unknown("", found.keys() - _FORM.keys() - {"policy"})
    for section, known in _SECTIONS.items():
        _refuse_unknown(f"{section}.", found[section].keys() - known)
    if found["board"] != name:
        raise ValueError("board is not the folder's name")
    if found["micropython"]["mpy_arch"] not in native.PROCESSORS:
        raise ValueError(f"mpy_arch is none of {', '.join(native.PROCESSORS)}")
    if len(found["network"]) != 1:
        raise ValueError("network is one of wifi, ppp and host")
    policy = policies.checked(found.get("policy", {}))
    flash = found["flash"]
    profile = Profile(
        board=name,
        about=found["about"],
        port=found["micropython"]["port"],
        processor=found["micropython"]["mpy_arch"],
        download=found["micropython"].get("download", ""),
        flash_size=flash["size"],
        block=flash["erase"],
        parts={key: Part(**value) for key, value in flash.items() if key not in _FLASH},
        esptool=flash.get("esptool", {}),
        memory=found["memory"],
        network=found["network"],
        slots=found["slots"],
        policy=policy,
    )
    _check_parts(profile)
    profile.settings()
    profile.slots_json()
    return profile


def _check_parts(profile: Profile) -> None:
    """In order, whole blocks, none over another, and none beyond the end."""
    at = 0
    for name, part in profile.parts.items():
        if part.start < at or part.start % profile.block or part.size % profile.block or not part.size:
            raise ValueError(f"flash.{name} overlaps, or is no whole number of blocks")
        at = part.end
    if at != profile.flash_size or "littlefs" not in profile.parts:
        raise ValueError("flash has no littlefs, or its parts do not end where it ends")


def _refuse_unknown(where: str, unknown: set[str]) -> None:
    if unknown:
        raise ValueError(f"no such entry: {', '.join(where + name for name in sorted(unknown))}")
