"""MicroPython runs this: prints one JSON object of figures. Times are medians, in microseconds, and mean what they mean on this
machine only; bytes of heap are those of a 64-bit MicroPython, about twice a board's."""

import gc
import json
import sys
import time
from hashlib import sha256

figures = {}


def median_us(times, call):
    taken = []
    for _ in range(times):
        start = time.ticks_us()
        call()
        taken.append(time.ticks_diff(time.ticks_us(), start))
    return sorted(taken)[times // 2]


def heap_of(module):
    gc.collect()
    before = gc.mem_alloc()
    __import__(module)
    gc.collect()
    return gc.mem_alloc() - before


for name in ("limits", "errors", "port", "status", "tokens", "wire", "p256", "store", "keys", "auth", "clock", "replay",
             "update", "link", "download", "bundle", "slots", "reply", "transport", "config", "updater", "agent"):  # fmt: skip
    figures["heap " + name] = heap_of("srup." + name)

from srup import p256, wire
from tests.unit.server import DEVICE, Key, token
from tests.unit.test_trust import COMMAND, Board

digest = sha256(b"bench").digest()
key = Key("bench")
signature = p256.sign(key.private, digest)
figures["sign"] = median_us(21, lambda: p256.sign(key.private, digest))
figures["verify"] = median_us(21, lambda: p256.verify(key.public, digest, signature))
block = bytes(32_768)
figures["sha256 of 32 KiB"] = median_us(21, lambda: sha256(block).digest())

frames = [COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(nth=nth)) for nth in range(21)]
board = Board()
unverified = p256.verify
p256.verify = lambda *_: None  # the rest of the road, without the signature
figures["decode, authenticate and admit, without ECDSA"] = median_us(21, lambda: board.receive(frames.pop(0)))
p256.verify = unverified

gc.collect()
gc.disable()
before = gc.mem_alloc()
p256.verify(key.public, digest, signature)
figures["heap allocated and let go by a verify"] = gc.mem_alloc() - before
print(json.dumps(figures))
sys.exit(0)
