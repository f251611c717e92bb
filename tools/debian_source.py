"""Debian source packages, unpacked into a folder with Debian's patches applied: its security fixes come with them.

`debian_source.lock` (in sha256sum's format) pins every file. Where the mirror has moved on, the successor is found through
Debian's signed index, as in debian.py. `python3 tools/debian_source.py` prints a new debian_source.lock from that index.
"""

import hashlib
import io
import lzma
import os
import re
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import debian
import debian_mirror
from steps import Failed, run

LOCK = Path(__file__).with_name("debian_source.lock")
INDEX = "main/source/Sources.xz"


def unpack(package: str, folder: Path) -> list[Path]:
    """Unpack into `folder`, which is empty or not there yet. Returns the files it came from. Raises Failed."""
    files = fetch(package)
    original, changes = (next(f for f in files if part in f.name) for part in (".orig.tar.", ".debian.tar."))
    with tarfile.open(original) as archive:
        archive.extractall(folder, members=_without_top_folder(archive), filter="tar")
    with tarfile.open(changes) as archive:
        for line in _content(archive, "debian/patches/series").decode().splitlines():
            if line.strip() and not line.startswith("#"):
                _patch(folder, _content(archive, f"debian/patches/{line.split()[0]}"))
    return files


def fetch(package: str) -> list[Path]:
    """The package's two archives in the cache, its source and Debian's changes to it, checked against their hashes."""
    pinned = [line.split("  ") for line in LOCK.read_text().splitlines()]
    files = _download({path: digest for digest, path in pinned if Path(path).name.startswith(f"{package}_")})
    if not files:
        print(f"  The mirror has moved on: taking the source of {package} from Debian's signed index.", flush=True)
        files = _download(_successors(package))
    if not files:
        raise Failed(f"the Debian mirror {debian_mirror.address()} is incomplete; {debian_mirror.HELP}")
    return files


def _download(pinned: dict[str, str]) -> list[Path]:
    """Empty if the mirror does not have them all."""
    files = [debian._download(path, digest) for path, digest in pinned.items()]
    return [file for file in files if file] if all(files) else []


def _without_top_folder(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members = []
    for member in archive.getmembers():
        top, _, member.name = member.name.partition("/")
        if member.name and top not in ("", ".", ".."):
            members.append(member)
    return members


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    with archive.extractfile(name) or io.BytesIO() as file:
        return file.read()


def _patch(folder: Path, patch: bytes) -> None:
    # The folder is inside the checkout; git is to take it for no part of it.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    command = ["git", "apply", "-p1", "--whitespace=nowarn", "-"]
    subprocess.run(command, cwd=folder, env=environment, input=patch, check=True)


# The signed index


def _successors(package: str) -> dict[str, str]:
    for stanza in _sources().split("\n\n"):
        if stanza.startswith(f"Package: {package}\n"):
            return _archives(stanza)
    raise Failed(f"Debian {debian.SUITE} no longer has the source of {package}")


def _archives(stanza: str) -> dict[str, str]:
    directory = re.search(r"^Directory: (\S+)$", stanza, re.MULTILINE)
    listed = re.search(r"^Checksums-Sha256:\n((?: .*\n?)+)", stanza, re.MULTILINE)
    if not directory or not listed:
        raise Failed(f"Debian's index of source packages is not understood: {stanza[:80]}")
    files = re.findall(r"([0-9a-f]{64}) \d+ (\S+\.(?:orig|debian)\.tar\.\w+)$", listed[1], re.MULTILINE)
    return {f"{directory[1]}/{name}": digest for digest, name in files}


@cache
def _sources() -> str:
    release = debian_mirror.get(f"dists/{debian.SUITE}/InRelease")
    index = debian_mirror.get(f"dists/{debian.SUITE}/{INDEX}")
    if release is None or index is None:
        raise Failed(f"{debian_mirror.address()} has no Debian {debian.SUITE}; {debian_mirror.HELP}")
    listed = re.findall(rf"^ ([0-9a-f]{{64}}) +\d+ {INDEX}$", debian._verified(release), re.MULTILINE)
    if hashlib.sha256(index).hexdigest() not in listed:
        raise Failed(f"the index of sources on {debian_mirror.address()} is not the one that Debian signed; not used")
    return lzma.decompress(index).decode()


def relock() -> None:
    """Print debian_source.lock anew: the same packages, as the signed index has them today."""
    names = {Path(line.partition("  ")[2]).name.partition("_")[0] for line in LOCK.read_text().splitlines()}
    for name in sorted(names):
        for path, digest in _successors(name).items():
            print(f"{digest}  {path}")


if __name__ == "__main__":
    run(relock)
