"""Building and checking bundles: what a board installs, signed with the release key (.srup; the reader is srup.bundle).

The same input gives the same bytes: files in the order of their paths, a manifest with sorted keys, RFC 6979 signatures.
"""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ecdsa

from srup import bundle as reader
from srup import limits, records
from srup.errors import BadSignature, UpdateFailed
from srup.unpack import Unpacker
from srup_host import bodies, delta, files, sealing, signing, sources
from srup_host.bodies import Record, in_order
from srup_host.console import REFUSED, Failure
from srup_host.sources import collect, compile_all, mpy_version

__all__ = ["Bundle", "collect", "compile_all", "index", "mpy_version", "pack", "read", "write"]

# What a board takes for these (srup.bundle.FIELDS), in words
_FORMS = {
    "agent": "numbers with dots between, as in 0.1.0",
    "boards": "names of 1 to 32 of A-Z a-z 0-9 . _ -",
    "counter": "0 to 2147483647",
    "micropython": "numbers with dots between, as in 1.25.0",
    "name": "1 to 32 of A-Z a-z 0-9 . _ -",
    "version": "1 to 32 of A-Z a-z 0-9 . + _ -",
}
IMAGE = "image"  # the path under which `files` has the image of a bundle that is one


@dataclass(frozen=True)
class Bundle:
    """A bundle as read from a file. digest: SHA-256 of the whole file, as INITIATE names it. files: path -> contents; none for
    a delta that was read without its base. records: of a body that has them. firmware: the image of a set."""

    manifest: dict[str, Any]
    signature: bytes
    signed: bytes
    digest: bytes
    size: int
    files: dict[str, bytes]
    records: list[Record]
    firmware: bytes = b""

    @property
    def name_as_base(self) -> str:
        """What a delta to it has for its base."""
        return str(self.manifest["tree"])[: reader.BASE]

    def listing(self) -> list[tuple[str, int, str]]:
        """(SHA-256 in hex, size, path) of each file."""
        return [(hashlib.sha256(data).hexdigest(), len(data), path) for path, data in self.files.items()]

    def verify(self, release_key: bytes) -> None:
        """Raise BadSignature unless `release_key` (65 bytes) signed it."""
        signing.verify(release_key, self.signed, self.signature)


def read(path: Path, base: Bundle | None = None) -> Bundle:
    """Read and check everything but the signature. base: what a delta applies to.

    Raises Failure, with exit code 1, for a file that is no good bundle.
    """
    raw = files.read(path)
    if sealing.is_sealed(raw):
        raise Failure(f"{path} is sealed, for devices alone to read", "give the bundle that was sealed")
    file = io.BytesIO(raw)
    try:
        opened = reader.open_bundle(file)
        manifest, body = opened.manifest, raw[opened.body_at :]
        _check_body(manifest, body)
        contents, firmware = ({}, b"") if manifest["base"] and not base else _unpacked(file, manifest, base)
        listed = (
            []
            if manifest["kind"] in reader.IMAGES
            else bodies.listing(body, manifest["window"], manifest["expanded"], manifest["image_size"])
        )
    except UpdateFailed as error:
        raise Failure(f"{path} is no good bundle: {error.why}", code=REFUSED) from None
    digest = hashlib.sha256(raw).digest()
    return Bundle(manifest, opened.signature, opened.signed(), digest, len(raw), contents, listed, firmware)


def _check_body(manifest: dict[str, Any], body: bytes) -> None:
    if manifest["body_size"] != len(body) or manifest["body"] != hashlib.sha256(body).hexdigest():
        raise UpdateFailed(0, "the body is not what the manifest says")


def _unpacked(file: io.BytesIO, manifest: dict[str, Any], base: Bundle | None) -> tuple[dict[str, bytes], bytes]:
    """(files, a set's firmware): what the body makes, as the device's own code sees it."""
    if manifest["base"] and (base is None or manifest["base"] != base.name_as_base):
        raise UpdateFailed(0, "it is a change to another version than this one")
    if manifest["kind"] in reader.IMAGES:
        old = io.BytesIO(base.files[IMAGE]) if base else None
        return {IMAGE: b"".join(bytes(chunk) for chunk in Unpacker().image(file, manifest, old))}, b""
    body = records.Body(file, manifest)
    firmware = _all_of(body, min(manifest["image_size"], manifest["expanded"]))
    if firmware and hashlib.sha256(firmware).hexdigest() != manifest["image"]:
        raise UpdateFailed(0, "its firmware is not what the manifest says")
    with _slot(base) as folder:
        found = _files(records.records(body, manifest, folder))
    if hashlib.sha256(index(found)).hexdigest() != manifest["tree"]:
        raise UpdateFailed(0, "its files are not what the manifest says")
    return found, firmware


def _files(found: Iterable[tuple[str, int, Any]]) -> dict[str, bytes]:
    return {path: _all_of(source, size) for path, size, source in found}


def _all_of(source: Any, size: int) -> bytes:
    """The next so many bytes."""
    data = memoryview(bytearray(size))
    at = 0
    while at < size:
        at += source.readinto(data[at : at + limits.CHUNK])
    return bytes(data)


@contextmanager
def _slot(base: Bundle | None) -> Iterator[records.Base | None]:
    """A slot with the files of `base`, for as long as the context lasts."""
    if base is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        for path, data in base.files.items():
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, path).write_bytes(data)
        Path(folder, ".index").write_bytes(index(base.files))
        slot = records.Base(folder)
        try:
            yield slot
        finally:
            slot.close()


def index(contents: Mapping[str, bytes]) -> bytes:
    """What the manifest's `tree` is the SHA-256 of."""
    lines = (reader.index_line(hashlib.sha256(data).hexdigest(), len(data), path) for path, data in in_order(contents))
    return b"".join(lines)


# Building


def pack(
    contents: Mapping[str, bytes],
    key: signing.PrivateKey | signing.Signer,
    *,
    name: str,
    version: str,
    counter: int,
    boards: Iterable[str] = (),
    kind: str = "app",
    micropython: str = "",
    agent: str = "",
    base: Bundle | None = None,
    firmware: bytes = b"",
    window: int = bodies.WINDOW,
) -> bytes:
    """The signed bundle of these files. Raises Failure for what a board would refuse.

    contents: path -> contents; of an image, {IMAGE: contents} · base: for a delta to it · firmware: of a set, the image ·
    window: of deflate, which is used where it makes the body smaller; 0 for none.
    """
    if window and not 9 <= window <= 15:
        raise Failure(f"there is no deflate with a window of 2^{window} bytes", "9 to 15, or 0 for none")
    is_image = kind in reader.IMAGES
    tree = hashlib.sha256(contents[IMAGE] if is_image else _checked_index(contents)).hexdigest()
    if (kind == "set") != bool(firmware) or (base and firmware):
        raise Failure("a set is a firmware and an application, both in full")
    expanded = _image_body(contents, base) if is_image else firmware + _body(contents, base)
    body = min(expanded, bodies.deflate(expanded, window) if window else expanded, key=len)
    manifest = {
        "agent": agent,
        "base": _base_tree(base, kind),
        "boards": sorted(set(boards)),
        "body": hashlib.sha256(body).hexdigest(),
        "body_size": len(body),
        "counter": counter,
        "expanded": len(expanded),
        "files": len(contents),
        "image": hashlib.sha256(firmware).hexdigest() if firmware else "",
        "image_size": len(firmware),
        "kind": kind,
        "micropython": micropython,
        "mpy": "" if is_image else sources.mpy_needed(contents),
        "name": name,
        "size": sum(map(len, contents.values())),
        "tree": tree,
        "version": version,
        "window": 0 if body is expanded else window,
    }
    encoded = _checked_manifest(manifest)
    signer = signing.KeySigner(key) if isinstance(key, signing.PrivateKey) else key
    signed = reader.MAGIC + len(encoded).to_bytes(4, "big") + encoded
    signature = signer.sign(signed)
    _check_independently(signer.public_key, signed, signature)
    return reader.MAGIC + len(signature).to_bytes(2, "big") + signature + signed[len(reader.MAGIC) :] + body


def _base_tree(base: Bundle | None, kind: str) -> str:
    if base is None:
        return ""
    if base.manifest["kind"] != kind:
        raise Failure(f"a bundle of kind {kind} is no change to one of kind {base.manifest['kind']}")
    if not base.files:
        raise Failure("a delta is made from a full bundle, not from another delta")
    return base.name_as_base


def _image_body(contents: Mapping[str, bytes], base: Bundle | None) -> bytes:
    return delta.create(base.files[IMAGE], contents[IMAGE]) if base else contents[IMAGE]


def _body(contents: Mapping[str, bytes], base: Bundle | None) -> bytes:
    for path in contents:
        sources.check_path(path)
    return bodies.changes(contents, base.files) if base else bodies.full(contents)


def _checked_index(contents: Mapping[str, bytes]) -> bytes:
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
    for key, is_right, _ in reader.FIELDS:
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


def write(path: Path, packed: bytes, release_key: bytes, base: Bundle | None = None) -> Bundle:
    """Put a bundle in place once it has been read back, whole and verified, from a file beside it; a delta, applied to its
    base by the device's own code."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        files.write_new(partial, packed)
        built = read(partial, base)
        built.verify(release_key)
        partial.replace(path)
    except (BadSignature, OSError) as error:
        raise Failure(f"can't write {path}: {error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return built
