"""ECDSA over P-256 with the viper kernel and tables in memory: 100 random signatures, of 5 keys. And with none: the reference."""

import gc
import os
from hashlib import sha256

from stopwatch import cycles, median, show

from srup import p256

KEYS = 5
OF_EACH = 20

if not p256.KERNEL.startswith("viper"):
    raise RuntimeError(p256.KERNEL)


def number(*names):
    return sha256(repr(names).encode()).digest()


def heap(call, *arguments):
    gc.collect()
    gc.disable()
    free = gc.mem_free()
    call(*arguments)
    used = free - gc.mem_free()
    gc.enable()
    return used


os.mkdir("/tables")
signing, verifying, unknown = [], [], []
for key in range(KEYS):
    p256.keep_tables("/tables", in_memory=True)  # and let go of the last key's, for want of memory
    gc.collect()
    private = number("key", key)
    public = p256.public_key(private)
    if key == 0:
        show("p256_table_cycles", cycles(p256.table, public))  # made, written, read back
    table = p256.table(public)
    for i in range(OF_EACH):
        digest = number("digest", key, i)
        signature = p256.sign(private, digest, os.urandom)
        if i == 0:
            p256.verify(public, digest, signature, table)  # the very first makes its programs
        if i % 4 == 0:
            signing.append(cycles(p256.sign, private, digest, os.urandom))
        verifying.append(cycles(p256.verify, public, digest, signature, table))
    unknown.append(cycles(p256.verify, public, digest, signature))

show("p256_verify_cycles", median(verifying))
show("p256_verify_max_cycles", max(verifying))
show("p256_verify_unknown_cycles", median(unknown))
show("p256_sign_cycles", median(signing))
show("p256_sign_max_cycles", max(signing))
show("p256_verify_heap", heap(p256.verify, public, digest, signature, table))
show("p256_sign_heap", heap(p256.sign, private, digest, os.urandom))

p256.keep_tables("")
p256.p256_comb = None
p256.verify(public, digest, signature)  # the reference's own table of G is made
show("p256_verify_reference_cycles", median([cycles(p256.verify, public, digest, signature) for _ in range(3)]))
show("p256_sign_reference_cycles", median([cycles(p256.sign, private, digest) for _ in range(3)]))
