"""What is made once and kept: folders in .cache whose names end in a hash of what they were made from."""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(".cache")


def key(*parts: str | Path) -> str:
    """Twelve hex digits that stand for all of these; a Path stands for the file's content."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()[:12]


def folder(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Absolute path of `.cache/<name>.<key>`, made by `make(path)`: complete or not at all, and in its predecessor's place."""
    target = (CACHE / f"{name}.{key}").absolute()
    if not target.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            made = Path(work, name)
            make(made)
            for old in CACHE.glob(f"{name}.*"):
                shutil.rmtree(old)
            made.rename(target)
    return target


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Whoever comes second waits, and then finds in the cache what the first one made."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
