"""Fuzz targets: what may be in the files that a device reads: a bundle, a change of files, the boot record, a slot."""

import binascii
import hashlib
import io
import os
import struct
import tempfile

from srup import bundle, limits, records
from srup.errors import UpdateFailed
from srup.status import UPDATE_FAIL_BUNDLE
from srup_boot import record, slot
from tests.unit import bundles
from tests.unit.test_records import APPEND, BASE, slot_with

ROOT = tempfile.TemporaryDirectory(prefix="srup-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
MOST = 20_000  # bytes that are read of one body


def target_bundle(data: bytes) -> None:
    file = io.BytesIO(data)
    try:
        opened = bundle.open_bundle(file)
        manifest = opened.manifest
        assert bundle.encode_manifest(manifest) == opened.manifest_bytes, "one manifest, one encoding"
        assert opened.signed() == data[:5] + data[71 : opened.body_at] and file.tell() == opened.body_at
        found = _all_of(records.records(records.Body(file, manifest), manifest), manifest)
    except UpdateFailed as failure:
        assert failure.status == UPDATE_FAIL_BUNDLE
        return
    if found is not None and not manifest["window"]:
        assert b"".join(bundles.record(path.encode(), body) for path, body in found) == data[opened.body_at :]


def _all_of(stream, manifest) -> list[tuple[str, bytes]] | None:
    """[(path, contents)]; None where that is more than MOST."""
    found, left = [], MOST
    for path, size, source in filter(None, stream):
        bundle.check_path(path)
        if size > left:
            return None
        left -= size
        found.append((path, _read(source, size)))
    paths = [path.encode() for path, _ in found]
    assert paths == sorted(set(paths)) and len(paths) == manifest["files"] <= limits.FILES
    assert sum(len(body) for _, body in found) == manifest["size"]
    return found


def _read(source, size: int) -> bytes:
    made, buffer = b"", memoryview(bytearray(limits.CHUNK))
    while len(made) < size:
        count = source.readinto(buffer[: min(size - len(made), limits.CHUNK)])
        assert count
        made += bytes(buffer[:count])
    return made


def seeds_bundle() -> list[bytes]:
    vectors = [bundles.Vectors()[name] for name in ("OLD", "FULL", "FULL_DEFLATED", "IMAGE")]
    return [bundles.build((("a", b"12345"), ("b/c", b"6"))), *(each for each in vectors if len(each) < 1400)]


def target_delta(data: bytes) -> None:
    """data: the length of the file that comes of it, in two bytes | the records, to a slot with four files"""
    if len(data) < 3:
        return
    manifest = {"body_size": len(data) - 2, "expanded": len(data) - 2, "window": 0}
    manifest |= {"size": int.from_bytes(data[:2], "big") % MOST, "files": data[2] % 5}
    body = records.Body(io.BytesIO(data[2:]), manifest)
    base = records.Base(_base())
    try:
        _all_of(records.records(body, manifest, base), manifest)
    except UpdateFailed as failure:
        assert failure.status == UPDATE_FAIL_BUNDLE
    finally:
        base.close()


def _base() -> str:
    folder = ROOT.name + "/base"
    if not os.path.isdir(folder):
        os.mkdir(folder)
        slot_with(folder, BASE)
    return folder


def seeds_delta() -> list[bytes]:
    append = b"\x00\x0b" + bundles.patch("b", 11, APPEND)
    some = [bundles.keep("a", 2), bundles.keep("a", 4), bundles.record("aa", b"x") + bundles.keep("c")]
    return [append] + [b"\x00\x0f" + each for each in some] + [append + bundles.keep("d")]


# The boot part


def _with_crc(data: bytes) -> bytes:
    return data + struct.pack(">I", binascii.crc32(data))


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def target_boot_record(data: bytes) -> None:
    """data: which of the two has its CRC made good, and what is then done | where the second begins | both"""
    if len(data) < 2:
        return
    copies = [data[2 : 2 + data[1]], data[2 + data[1] :]]
    for number, copy in enumerate(copies):
        copies[number] = _with_crc(copy) if data[0] >> number & 1 else copy
        _write(f"{ROOT.name}/boot{number}", copies[number])
    state = record.load(ROOT.name)
    assert state.names_slots()
    if state.sequence:
        assert state._pack(state.sequence) == copies[state.sequence & 1], "one record, one encoding"
        assert not _is_newer(copies[~state.sequence & 1], state.sequence)
    else:
        assert (state.active, state.trial, state.fallback) == (record.NONE,) * 3
    if state.sequence < 0xFFFFFFFF:
        _goes_on(state, data[0] >> 2)


def _is_newer(copy: bytes, sequence: int) -> bool:
    found = record.Record()
    if not record._is_valid(copy, ~sequence & 1):
        return False
    found._unpack(copy)
    return found.names_slots() and found.sequence > sequence


def _goes_on(state: record.Record, step: int) -> None:
    before, sequence = state.counter, state.sequence
    if step % 4 == 1:
        state.begin(step >> 2 & 1, 3, 300, state.counter + 1 & 0xFFFFFFFF, bytes(16))
    elif step % 4 == 2:
        state.confirm()
    elif step % 4 == 3:
        state.revert(record.UNPROVEN)
    state.save(ROOT.name)
    assert state.counter >= before, "the security counter never goes down"
    again = record.load(ROOT.name)
    assert vars(again) == vars(state) and again.sequence == sequence + 1


def seeds_boot_record() -> list[bytes]:
    first, second = record.Record(), record.Record()
    first.active, second.active, second.trial, second.boots_left = 0, 0, 1, 3
    both = [first._pack(6)[:-4], second._pack(7)[:-4]]
    return [bytes((flags, len(both[0]))) + both[0] + both[1] for flags in (0, 3, 7, 11, 15)]


def target_slot(data: bytes) -> None:
    """data: the manifest and the index, with a 0 between; a file `app.py`. By a leading 1 the manifest is made to fit the index."""
    manifest, _, index = data[1:].partition(b"\0")
    if data[:1] == b"\1":
        manifest = b'{"tree":"%s"}' % hashlib.sha256(index).hexdigest().encode()
    folder = ROOT.name + "/a"
    os.makedirs(folder, exist_ok=True)
    for name, contents in (
        (".manifest", manifest),
        (".index", index),
        (".signature", b""),
        ("app.py", b"VERSION = 1\n"),
    ):
        _write(f"{folder}/{name}", contents)
    try:
        slot.verify(ROOT.name, 0)
    except slot.BadSlot:
        return
    assert hashlib.sha256(index).hexdigest().encode() in manifest
    assert hashlib.sha256(b"VERSION = 1\n").hexdigest().encode() in index and b"app.py" in index


def seeds_slot() -> list[bytes]:
    index = bundles.index_of((("app.py", b"VERSION = 1\n"),))
    told = b'{"tree":"%s"}' % hashlib.sha256(index).hexdigest().encode()
    nested = b"[" * 2400
    return [b"\0" + told + b"\0" + index, b"\1\0" + index, b"\1\0" + index + index, b"\0" + nested + b"\0", b"\0[]\0"]
