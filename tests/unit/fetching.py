"""A download into raw slots without a network: what srup.download does with what it is given."""

import hashlib

from srup import limits
from tests.unit.slot_boards import KEYS

BUFFER = memoryview(bytearray(limits.CHUNK))


def fetch(board, data, piece=300):
    """As srup.download does, with a server that has `data`; returns how many bytes were there from before."""
    into = board.slots.into(KEYS, "UNIX", "6.3")
    digest = hashlib.sha256()
    done = 0
    for chunk in into.kept(BUFFER):
        if chunk:
            digest.update(chunk)
            done += len(chunk)
    kept = done
    while done < len(data):
        into.check(len(data))
        while done < len(data) and not into.pausing:
            count = returned(into.append(memoryview(data)[done : done + piece]))
            digest.update(data[done : done + count])
            done += count
        into.close()
        list(into.go_on())
    assert digest.digest() == hashlib.sha256(data).digest()
    into.finish()
    return kept


def returned(generator):
    try:
        while True:
            next(generator)
    except StopIteration as end:
        return end.value


def stage(board):
    return len(list(board.slots.stage(KEYS, "UNIX", "6.3")))
