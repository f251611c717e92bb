"""MicroPython runs this, with a kernel for P-256 installed: one JSON object of medians, in microseconds."""

import json
import os
import time
from hashlib import sha256

from srup import p256
from tests.unit.scratch import Scratch


def median_us(times, call, *arguments):
    taken = []
    for _ in range(times):
        start = time.ticks_us()
        call(*arguments)
        taken.append(time.ticks_diff(time.ticks_us(), start))
    return sorted(taken)[times // 2]


private, digest = sha256(b"bench").digest(), sha256(b"message").digest()
public, signature = p256.public_key(private), p256.sign(private, digest)
figures = {}
with Scratch() as root:
    p256.keep_tables(root, True)
    table = p256.table(public)
    p256.verify(public, digest, signature, table)
    name = p256.KERNEL
    figures["verify, " + name + ", with a table"] = median_us(51, p256.verify, public, digest, signature, table)
    figures["verify, " + name + ", of an unknown key"] = median_us(21, p256.verify, public, digest, signature)
    figures["sign, " + name] = median_us(51, p256.sign, private, digest, os.urandom)
p256.p256_comb = None
p256.verify(public, digest, signature)
figures["verify, reference"] = median_us(21, p256.verify, public, digest, signature)
figures["sign, reference"] = median_us(21, p256.sign, private, digest, os.urandom)
print(json.dumps(figures))
