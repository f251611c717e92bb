"""The body of a bundle: records in the order of their paths, deflated where that makes it smaller (docs/bundle.md)."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from srup import records
from srup_host import delta
from srup_host.console import Failure

# Deflate's window, as a power of two, where none is asked for. 4 KB (12) would save 3 % of what is sent, for 3 KB more of heap.
WINDOW = 10

IMAGE = 0  # no record, but what comes before them in a set
_WORDS = {IMAGE: "image", records.PUT: "put", records.KEEP: "keep", records.PATCH: "patch"}


@dataclass(frozen=True)
class Record:
    """One record. op: as in `records`, or IMAGE · count: files that it is about · size: bytes of them on the board, 0 where that is
    the base's affair · length: bytes of it in the body · cost: bytes of it on the air."""

    op: int
    path: str
    count: int
    size: int
    length: int
    cost: int = 0

    @property
    def word(self) -> str:
        return _WORDS[self.op]


def in_order(contents: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """Files in the ascending order of their paths as bytes."""
    return sorted(contents.items(), key=lambda item: item[0].encode())


# Writing


def full(contents: Mapping[str, bytes]) -> bytes:
    """A record for each file."""
    return b"".join(_put(path, data) for path, data in in_order(contents))


def changes(contents: Mapping[str, bytes], base: Mapping[str, bytes]) -> bytes:
    """Records that make these files of those of `base`: what stayed is kept, what changed is patched where that is less."""
    paths = [path for path, _ in in_order(base)]
    following = dict(pairwise(paths))
    body: list[bytes] = []
    kept: list[str] = []  # a run of files of the base
    for path, data in in_order(contents):
        stays = base.get(path) == data
        if kept and not (stays and following.get(kept[-1]) == path):
            body.append(_keep(kept))
            kept = []
        if stays:
            kept.append(path)
        else:
            body.append(_changed(path, data, base.get(path)))
    return b"".join([*body, _keep(kept)] if kept else body)


def deflate(body: bytes, window: int) -> bytes:
    """Raw deflate with a window of 2 ** window bytes."""
    encoder = zlib.compressobj(9, zlib.DEFLATED, -window, 9)
    return encoder.compress(body) + encoder.flush()


def _changed(path: str, data: bytes, old: bytes | None) -> bytes:
    put = _put(path, data)
    if not old or not data:
        return put
    patch = delta.create(old, data)
    patched = _head(records.PATCH, path) + _l32(len(data)) + _l32(len(patch)) + patch
    return min(put, patched, key=lambda record: len(deflate(record, 15)))


def _put(path: str, data: bytes) -> bytes:
    return _head(records.PUT, path) + _l32(len(data)) + data


def _keep(paths: list[str]) -> bytes:
    return _head(records.KEEP, paths[0]) + len(paths).to_bytes(2, "big")


def _head(op: int, path: str) -> bytes:
    encoded = path.encode()
    return bytes((op,)) + len(encoded).to_bytes(2, "big") + encoded


def _l32(number: int) -> bytes:
    return number.to_bytes(4, "big")


# Reading


def inflate(body: bytes, window: int, size: int) -> bytes:
    """The body decoded: no more than `size` bytes and one, whatever is in it. Raises Failure."""
    if not window:
        return body
    try:
        return zlib.decompressobj(-window).decompress(body, size + 1)
    except zlib.error as error:
        raise Failure(f"the body can't be decompressed: {error}") from None


def listing(body: bytes, window: int, size: int, image: int = 0) -> list[Record]:
    """The records of a body (as served) that a reader has found good, and what each costs on the air. image: bytes of a set's
    firmware, which comes before them."""
    found = [Record(IMAGE, "firmware", 1, image, image)] if image else []
    found += _records(inflate(body, window, size)[image:])
    if not window:
        return [Record(r.op, r.path, r.count, r.size, r.length, r.length) for r in found]
    ends, costs, end = iter(_ends(body, window, [record.length for record in found])), [], 0
    for record in found:
        before, end = end, next(ends)
        costs.append(Record(record.op, record.path, record.count, record.size, record.length, end - before))
    return costs


def _records(body: bytes) -> Iterator[Record]:
    at = 0
    while at < len(body):
        op, after = body[at], at + 3 + int.from_bytes(body[at + 1 : at + 3], "big")
        path = body[at + 3 : after].decode()
        number = int.from_bytes(body[after : after + 4], "big")
        if op == records.KEEP:
            count, size, length = int.from_bytes(body[after : after + 2], "big"), 0, after + 2 - at
        elif op == records.PATCH:
            count, size, length = 1, number, after + 8 - at + int.from_bytes(body[after + 4 : after + 8], "big")
        else:
            count, size, length = 1, number, after + 4 - at + number
        yield Record(op, path, count, size, length)
        at += length


def _ends(body: bytes, window: int, lengths: list[int]) -> Iterator[int]:
    """For each record, how much of the body as served has come when the last of its bytes is decoded."""
    decoder = zlib.decompressobj(-window)
    have = wanted = used = 0
    for number, length in enumerate(lengths):
        wanted += length
        while have < wanted and used < len(body):
            have += len(decoder.decompress(body[used : used + 1]))
            used += 1
        yield len(body) if number == len(lengths) - 1 else used
