"""Building and checking bundles: what a board installs, signed with the release key (.srup; the reader is srup.bundle).

The same input gives the same bytes: files in the order of their paths, a manifest with sorted keys, RFC 6979 signatures.
"""

import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ecdsa

from srup import bundle as reader
from srup import limits
from srup.errors import BadSignature, UpdateFailed
from srup_host import files, signing, sources
from srup_host.console import REFUSED, Failure
from srup_host.sources import collect, compile_all, mpy_version

__all__ = ["Bundle", "collect", "compile_all", "index", "mpy_version", "pack", "read", "write"]

# What a board takes for these (srup.bundle.FIELDS), in words
_FORMS = {
    "boards": "names of 1 to 32 of A-Z a-z 0-9 . _ -",
    "counter": "0 to 2147483647",
    "name": "1 to 32 of A-Z a-z 0-9 . _ -",
    "version": "1 to 32 of A-Z a-z 0-9 . + _ -",
}


@dataclass(frozen=True)
class Bundle:
    """A bundle as read from a file. digest: SHA-256 of the whole file, as INITIATE names it. files: path -> contents."""

    manifest: dict[str, Any]
    signature: bytes
    signed: bytes
    digest: bytes
    size: int
    files: dict[str, bytes]

    def listing(self) -> list[tuple[str, int, str]]:
        """(SHA-256 in hex, size, path) of each file."""
        return [(hashlib.sha256(data).hexdigest(), len(data), path) for path, data in self.files.items()]

    def verify(self, release_key: bytes) -> None:
        """Raise BadSignature unless `release_key` (65 bytes) signed it."""
        signing.verify(release_key, self.signed, self.signature)


def read(path: Path) -> Bundle:
    """Read and check everything but the signature. Raises Failure, with exit code 1, for a file that is no good bundle."""
    raw = files.read(path)
    file = io.BytesIO(raw)
    try:
        opened = reader.open_bundle(file)
        contents = {name: file.read(size) for name, size, _ in reader.records(file, opened.manifest)}
    except UpdateFailed as error:
        raise Failure(f"{path} is no good bundle: {error.why}", code=REFUSED) from None
    _check_hashes(path, opened.manifest, contents, raw[opened.body_at :])
    digest = hashlib.sha256(raw).digest()
    return Bundle(opened.manifest, opened.signature, opened.signed(), digest, len(raw), contents)


def _check_hashes(path: Path, manifest: dict[str, Any], contents: dict[str, bytes], body: bytes) -> None:
    found = {
        "body": hashlib.sha256(body).hexdigest(),
        "body_size": len(body),
        "tree": hashlib.sha256(index(contents)).hexdigest(),
    }
    for key, value in found.items():
        if manifest[key] != value:
            raise Failure(f"{path} is no good bundle: {key} is not what the manifest says", code=REFUSED)


def index(contents: dict[str, bytes]) -> bytes:
    """What the manifest's `tree` is the SHA-256 of."""
    lines = (reader.index_line(hashlib.sha256(data).hexdigest(), len(data), path) for path, data in in_order(contents))
    return b"".join(lines)


def in_order(contents: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Files in the ascending order of their paths as bytes."""
    return sorted(contents.items(), key=lambda item: item[0].encode())


# Building


def pack(
    contents: dict[str, bytes],
    key: signing.PrivateKey,
    *,
    name: str,
    version: str,
    counter: int,
    boards: Iterable[str] = (),
) -> bytes:
    """The signed bundle of these files. Raises Failure for what a board would refuse."""
    body = b"".join(_record(path, data) for path, data in in_order(contents))
    manifest = {
        "boards": sorted(set(boards)),
        "body": hashlib.sha256(body).hexdigest(),
        "body_size": len(body),
        "counter": counter,
        "files": len(contents),
        "kind": "app",
        "mpy": sources.mpy_needed(contents),
        "name": name,
        "size": sum(map(len, contents.values())),
        "tree": hashlib.sha256(_checked_index(contents)).hexdigest(),
        "version": version,
    }
    encoded = _checked_manifest(manifest)
    signed = reader.MAGIC + len(encoded).to_bytes(4, "big") + encoded
    signature = signing.sign(key, signed)
    _check_independently(signing.public_bytes(key), signed, signature)
    return reader.MAGIC + len(signature).to_bytes(2, "big") + signature + signed[len(reader.MAGIC) :] + body


def _record(path: str, data: bytes) -> bytes:
    sources.check_path(path)
    encoded = path.encode()
    return bytes((reader.PUT,)) + len(encoded).to_bytes(2, "big") + encoded + len(data).to_bytes(4, "big") + data


def _checked_index(contents: dict[str, bytes]) -> bytes:
    listing = index(contents)
    if not contents:
        raise Failure("there are no files to put into a bundle")
    if len(contents) > limits.FILES:
        raise Failure(f"{len(contents)} files; a bundle holds at most {limits.FILES}")
    if len(listing) > limits.INDEX:
        raise Failure(
            f"the list of files takes {len(listing)} bytes; a board takes {limits.INDEX}", "use shorter paths"
        )
    return listing


def _checked_manifest(manifest: dict[str, Any]) -> bytes:
    """The manifest as bytes, held to the device's own rules, so that what is built is what is taken."""
    for key, is_right in reader.FIELDS:
        if not is_right(manifest[key]):
            raise Failure(f"{manifest[key]!r} is not allowed as {key} of a bundle", _FORMS.get(key, ""))
    encoded: bytes = reader.encode_manifest(manifest)
    if len(encoded) > limits.MANIFEST:
        raise Failure(f"the manifest takes {len(encoded)} bytes; a board takes {limits.MANIFEST}", "name fewer boards")
    return encoded


def _check_independently(public_key: bytes, signed: bytes, signature: bytes) -> None:
    """Verify with another implementation than the one that signed, so that no fault of one of them gets out."""
    key = ecdsa.VerifyingKey.from_string(public_key, ecdsa.NIST256p, hashlib.sha256)
    try:
        key.verify(signature, signed)
    except ecdsa.BadSignatureError:
        raise Failure("the release signature does not verify: nothing was written") from None


def write(path: Path, packed: bytes, release_key: bytes) -> Bundle:
    """Put a bundle in place once it has been read back, whole and verified, from a file beside it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        files.write_new(partial, packed)
        built = read(partial)
        built.verify(release_key)
        partial.replace(path)
    except (BadSignature, OSError) as error:
        raise Failure(f"can't write {path}: {error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return built
