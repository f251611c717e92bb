"""Debian packages unpacked side by side in the checkout, next to the system's own and never over it.

`debian.lock` (in sha256sum's format) pins every file. Where a point release has removed a pinned file from the mirror,
its successor is found through Debian's signed index. `python3 tools/debian.py` prints a new debian.lock from that index.
"""

import hashlib
import lzma
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import debian_mirror
from steps import Failed, run

SUITE = "trixie"
LOCK = Path(__file__).with_name("debian.lock")
DOWNLOADS = Path(".cache/downloads")
TREES = Path(".cache/debian")
KEYRINGS = Path("/usr/share/keyrings")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LOADERS = {"amd64": "x86_64-linux-gnu/ld-linux-x86-64.so.2", "arm64": "aarch64-linux-gnu/ld-linux-aarch64.so.1"}


def architecture() -> str:
    """Debian's name for this machine. Raises Failed where its packages can't run."""
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in ARCHITECTURES:
        raise Failed(f"Debian's packages do not run on {platform.system()} {machine}; use its own packages")
    return ARCHITECTURES[machine]


# From names to an unpacked tree


def unpack(names: list[str], tree: str) -> None:
    """Unpack packages into `.cache/debian/<tree>`; the tree appears complete or not at all."""
    if not shutil.which("dpkg-deb"):
        raise Failed("dpkg-deb is needed to unpack Debian's packages: install dpkg and try again")
    files = [fetch(name) for name in names]
    TREES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TREES) as folder:
        for file in files:
            subprocess.run(["dpkg-deb", "-x", file, f"{folder}/{tree}"], check=True)
        shutil.rmtree(TREES / tree, ignore_errors=True)
        Path(folder, tree).rename(TREES / tree)


def launcher(tree: str, program: str) -> str:
    """Shell lines, for a script in .cache/bin, that run a tree's program through that tree's own dynamic loader."""
    loader = LOADERS[architecture()]
    libraries = f'"$r/usr/lib/{loader.split("/")[0]}"'
    return f'r="${{0%/*}}/../debian/{tree}"\nexec "$r/usr/lib/{loader}" --library-path {libraries} "$r/{program}" "$@"'


def fetch(name: str, arch: str = "", lock: Path = LOCK) -> Path:
    """The package file in the cache; downloaded unless it is there, and checked against its hash either way.

    arch: of another machine than this one. lock: where it is pinned.
    """
    arch = arch or architecture()
    path, digest = _pinned(name, arch, lock)
    file = _download(path, digest)
    if file is None:
        path, digest = _successor(name, arch)
        print(f"  The mirror has moved on: taking {Path(path).name} from Debian's signed index.", flush=True)
        file = _download(path, digest)
    if file is None:
        raise Failed(f"the Debian mirror {debian_mirror.address()} is incomplete; {debian_mirror.HELP}")
    return file


def _pinned(name: str, arch: str, lock: Path) -> tuple[str, str]:
    for line in lock.read_text().splitlines():
        digest, _, path = line.partition("  ")
        if re.fullmatch(rf"{re.escape(name)}_.*_({arch}|all)\.deb", Path(path).name):
            return path, digest
    raise Failed(f"{name} is not pinned in tools/{lock.name}")


def _download(path: str, digest: str) -> Path | None:
    """None if the mirror has no such file. Only what has the right hash gets its name, so a part is never taken for whole."""
    target = DOWNLOADS / Path(path).name
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == digest:
        return target
    data = debian_mirror.get(path)
    if data is None:
        return None
    if hashlib.sha256(data).hexdigest() != digest:
        raise Failed(f"{target.name} from {debian_mirror.address()} does not have its pinned SHA-256; not used")
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(data)
    return partial.replace(target)


# The signed index


def _successor(name: str, arch: str) -> tuple[str, str]:
    for fields in _packages(arch):
        if fields["Package"] == name:
            return fields["Filename"], fields["SHA256"]
    raise Failed(f"Debian {SUITE} no longer has a package {name}")


@cache
def _packages(arch: str) -> list[dict[str, str]]:
    """Package, Filename and SHA256 of every package. InRelease is signed and names the index by its hash."""
    path = f"main/binary-{arch}/Packages.xz"
    release = debian_mirror.get(f"dists/{SUITE}/InRelease")
    index = debian_mirror.get(f"dists/{SUITE}/{path}")
    if release is None or index is None:
        raise Failed(f"{debian_mirror.address()} has no Debian {SUITE}; {debian_mirror.HELP}")
    text = _verified(release)
    listed = re.findall(rf"^ ([0-9a-f]{{64}}) +\d+ {path}$", text, re.MULTILINE)
    if f"\nCodename: {SUITE}\n" not in text or hashlib.sha256(index).hexdigest() not in listed:
        raise Failed(f"the index of {SUITE} on {debian_mirror.address()} is not the one that Debian signed; not used")
    return list(_stanzas(lzma.decompress(index).decode()))


def _stanzas(index: str) -> Iterator[dict[str, str]]:
    for stanza in index.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Filename|SHA256): (\S+)$", stanza, re.MULTILINE))
        if len(fields) == 3:
            yield fields


def _verified(release: bytes) -> str:
    """The signed text of InRelease, and nothing around it. Debian signs with several keys: one known good is enough."""
    rings = [ring for ring in sorted(KEYRINGS.glob("debian-archive-*.gpg")) if "removed" not in ring.name]
    if not shutil.which("gpgv") or not rings:
        raise Failed("the mirror has moved on; to check its new index, install gpgv and debian-archive-keyring")
    with tempfile.TemporaryDirectory() as folder:
        signed, text = Path(folder, "InRelease"), Path(folder, "text")
        signed.write_bytes(release)
        keyrings = [word for ring in rings for word in ("--keyring", ring)]
        command = ["gpgv", *keyrings, "--status-fd", "1", "--output", text, signed]
        status = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        if "[GNUPG:] VALIDSIG " not in status or "[GNUPG:] BADSIG " in status or not text.is_file():
            raise Failed(f"Debian's signature on the index of {SUITE} does not hold; not used")
        return text.read_text()


def relock() -> None:
    """Print debian.lock anew: the same packages, as the signed index has them today."""
    names = {Path(line.partition("  ")[2]).name.partition("_")[0] for line in LOCK.read_text().splitlines()}
    for arch in LOADERS:
        for fields in _packages(arch):
            if fields["Package"] in names:
                print(f"{fields['SHA256']}  {fields['Filename']}")


if __name__ == "__main__":
    run(relock)
