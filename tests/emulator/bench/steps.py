"""The other steps of the road."""

import os
from hashlib import sha256

from stopwatch import cycles, median, show

from srup import auth, download, incoming, keys, limits, replay, tokens, trust, wire
from srup.clock import Clock
from srup.store import Store

DEVICE = bytes(range(16))
MS = 1_790_000_000_000  # since 1970
STEP = 4096

show("sha256_32KiB_cycles", cycles(lambda block: sha256(block).digest(), bytes(32_768)))


def road():
    """decode, authenticate and admit, over a new store in flash; the signature itself is not looked at."""
    store = Store("/bench.log")
    trusted = keys.Keys(store, "")
    trust.install(store, keys.COMMAND, public, tokens.first_at(MS - 1))
    auth.check_signature = lambda *_: None
    admission = replay.Replay(store, trusted, Clock(store, MS), lambda: None, lambda: None)
    gate = auth.Auth(trusted, DEVICE)
    return lambda frame: admission.admit(gate.authenticate(wire.decode(frame)))


def initiate(nth):
    token = tokens.mint(MS, tokens.ZERO, bytes((0, nth)) + bytes(6))
    elements = {"target": DEVICE, "token": token, "url": b"https://host.example:8443/app.srup", "digest": bytes(32)}
    return wire.seal(wire.preimage(wire.INITIATE, elements), bytes(64))


# Of RFC 6979, A.2.5
public = b"\x04" + bytes.fromhex(
    "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
)
take = road()
show("admit_without_ecdsa_cycles", median([cycles(take, initiate(nth)) for nth in range(5)]))


class Server:
    """In place of a connection: `left` bytes of a body, as fast as they are read."""

    def __init__(self, left):
        self.left = left

    def some(self, most):
        count = min(limits.CHUNK, self.left)
        self.left -= count
        return count
        yield


def fetched(size):
    """A Download of so many bytes that has only the body to come."""
    into = incoming.Incoming("/bench.bin", size)
    made = download.Download(b"https://host/x", bytes(32), into, [], ["host:443"])
    made.discard()
    made.total = size
    return made


def store_and_read_back(made):
    for _ in made._store(Server(made.total)):
        pass
    for _ in made._rehash():
        pass


# A step is what 4 KiB more take, beyond opening and closing the file.
few, many = 4, 12
taken = [cycles(store_and_read_back, fetched(count * STEP)) for count in (few, many)]
show("download_4KiB_cycles", (taken[1] - taken[0]) // (many - few))
os.remove("/bench.log")
os.remove("/bench.bin")
