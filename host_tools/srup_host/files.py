"""Writing files so that what is there is whole: a new one is never put over another, a changed one is replaced in one step."""

import os
import tempfile
from pathlib import Path

from srup_host.console import Failure


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Create a file that must not exist yet, with its mode from the first byte on."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Failure(f"{path} exists already", "it is not overwritten: move it away first") from None
    except OSError as error:
        raise Failure(f"can't write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:  # the disk is full: half a key is worse than none
        os.unlink(path)
        raise Failure(f"can't write {path}: {error.strerror}") from None


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file under a temporary name beside `path` and rename it there: whoever reads gets the old or the new one."""
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Failure(f"can't write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(handle, mode)
        os.replace(partial, path)
    except OSError as error:
        os.unlink(partial)
        raise Failure(f"can't write {path}: {error.strerror}") from None


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror}") from None
