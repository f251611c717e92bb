"""What a board says of itself at its prompt, and whether this project can run on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srup_host import device_tree, native, profiles, sources
from srup_host.console import Failure, size
from srup_host.deploy import Connection
from srup_host.profiles import Profile

OLDEST = (1, 25, 0)
MODULES = ("asyncio", "binascii", "cryptolib", "deflate", "json", "machine", "network", "select", "socket", "tls")
_ABSENT_ON_UNIX = ("machine", "network")
_LIBRARIES = ("srup", "umqtt.simple", "hashlib")  # which may be frozen into the firmware
_FOLDER = 2  # blocks that littlefs takes for one

# Where a module is: its file, "" for one in C, None for none. Files of /lib have an absolute path, frozen ones have not.
_LOOK = """
import json, os, sys
def where(name):
    try:
        __import__(name)
        return getattr(sys.modules.get(name), "__file__", "")
    except ImportError:
        return None
def text(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        if error.errno != 2:  # ENOENT
            raise
        return None
def is_there(path):
    try:
        return os.stat(path)[6] > 0
    except OSError:
        return False
def has_state():
    try:
        return any(name.startswith("state.log") for name in os.listdir("{data}"))
    except OSError:
        return False
def unique_id():
    try:
        import machine
        return machine.unique_id().hex()
    except (ImportError, AttributeError):
        return ""
try:
    import uhashlib as hashes
except ImportError:
    import hashlib as hashes
about = sys.implementation
try:
    disk = os.statvfs("/")
except OSError:
    disk = (0, 0, 0, 0)
print(json.dumps({{
    "implementation": about.name, "version": list(about.version[:3]), "mpy": getattr(about, "_mpy", 0),
    "build": getattr(about, "_build", ""), "machine": getattr(about, "_machine", ""), "platform": sys.platform,
    "unique_id": unique_id(), "block": disk[1], "blocks": disk[2], "free": disk[3],
    "hashes": hasattr(hashes, "sha256"), "where": {{name: where(name) for name in {modules}}},
    "config": text("{data}/config.json"), "key": is_there("{data}/device.key"), "state": has_state(),
}}))
"""


@dataclass(frozen=True)
class Facts:
    """version: of MicroPython · mpy: sys.implementation._mpy · build: the firmware's name for the board · block, blocks, free: of
    the file system at / · where: see _LOOK · config: config.json, if it has one that can be read · key, state: has it a device
    key, a state log?"""

    implementation: str
    version: tuple[int, ...]
    mpy: int
    build: str
    machine: str
    platform: str
    unique_id: str
    block: int
    blocks: int
    free: int
    hashes: bool
    where: Mapping[str, str | None]
    config: Mapping[str, Any] | None = None
    key: bool = False
    state: bool = False
    profile: Profile | None = field(default=None, compare=False)

    @property
    def mpy_version(self) -> str:
        """As in manifests: "6.3"."""
        return f"{self.mpy & 0xFF}.{self.mpy >> 8 & 3}"

    @property
    def processor(self) -> str:
        return native.processor(self.mpy)

    @property
    def room(self) -> int:
        """Bytes that are free."""
        return self.block * self.free

    def frozen(self, name: str) -> bool:
        """Is this package in the firmware, so that it need not be in /lib?"""
        path = self.where.get(name)
        return bool(path) and not path.startswith("/")

    def describe(self) -> str:
        version = ".".join(map(str, self.version))
        return f"{self.build or self.machine}, {self.implementation} {version}, .mpy {self.mpy_version}"


def look(board: Connection) -> Facts:
    """Raises Failure where it does not even say what it is."""
    said = board.ask(_LOOK.format(data=f"/{device_tree.DATA}", modules=[*MODULES, *_LIBRARIES]))
    try:
        build = "UNIX" if said["platform"] == "linux" else said.pop("build")
        config = None if said["config"] is None else dict(json.loads(said["config"]))
        return Facts(**said | {"build": build, "version": tuple(said["version"]), "config": config})
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(
            f"the board on {board.port} has a config.json that can't be read, or is odd otherwise: {error}"
        ) from None


def check(facts: Facts, port: str = "the port") -> None:
    """Raise Failure, with what to do, unless the firmware is one that this project runs on."""
    if facts.implementation != "micropython":
        raise Failure(f"the board on {port} runs {facts.implementation}", "it takes MicroPython: flash that first")
    version = ".".join(map(str, facts.version))
    if facts.version < OLDEST:
        raise Failure(
            f"MicroPython {version} on {port} is too old", f"{OLDEST[0]}.{OLDEST[1]} or later: flash a newer firmware"
        )
    if facts.mpy_version != sources.mpy_version():
        raise Failure(
            f"the firmware on {port} loads .mpy {facts.mpy_version}, and these tools make {sources.mpy_version()}",
            "flash a firmware of MicroPython 1.25 to 1.28, or update the tools",
        )
    if not facts.blocks:
        raise Failure(f"the board on {port} has no file system at /", "flash its firmware anew, with --erase")
    absent = [name for name in MODULES if facts.where.get(name) is None]
    if facts.platform == "linux":
        absent = [name for name in absent if name not in _ABSENT_ON_UNIX]
    if absent:
        raise Failure(
            f"the firmware on {port} lacks {', '.join(absent)}", "a board with a network, and its stock firmware"
        )
    if not facts.hashes:
        raise Failure(f"the firmware on {port} has no SHA-256 of its own", "a stock firmware has it")


def profile(facts: Facts, name: str = "") -> Profile:
    """The profile of that name, or else the one for what the board says it is. Raises Failure for a wrong board."""
    found = profiles.of(facts.build)
    if not name:
        if found is None:
            known = ", ".join(profiles.names())
            hint = f"known: {known}; --profile NAME takes another's, and docs/porting.md says how to add one"
            raise Failure(f"there is no profile for {facts.build or facts.machine or 'this board'!r}", hint)
        return found
    wanted = profiles.load(name)
    if wanted.port != {"linux": "unix"}.get(facts.platform, facts.platform):
        raise Failure(f"the profile {name} is for the port {wanted.port}", f"the board says: {facts.describe()}")
    return wanted


def check_room(facts: Facts, sizes: Mapping[str, int]) -> None:
    """Raise Failure unless files of these sizes, path -> bytes, fit into what is free."""
    folders = len({path.rpartition("/")[0] for path in sizes})
    needed = (sum(-(-length // facts.block) for length in sizes.values()) + _FOLDER * folders) * facts.block
    if needed > facts.room:
        raise Failure(
            f"{size(sum(sizes.values()))} do not fit: {size(facts.room)} are free, and {size(needed)} are needed",
            "remove what else is on its flash, or flash its firmware anew with --erase",
        )
