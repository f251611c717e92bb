"""ECDSA over P-256 with native/p256_thumb.py, and tables in memory: 100 random signatures, of 5 keys."""

import gc
import os
from hashlib import sha256

from stopwatch import cycles, median, show

gc.collect()
free = gc.mem_free()
import p256_thumb as kernel

gc.collect()
show("p256_asm_module_heap", free - gc.mem_free())
show("p256_asm_file_bytes", os.stat(kernel.__file__)[6])

from srup import p256

KEYS = 5
OF_EACH = 20

if not p256.KERNEL.startswith("thumb"):
    raise RuntimeError(p256.KERNEL)


def steps(name, operation):
    """Of one operation, out of eleven."""
    w = kernel.workspace(4)
    once, often = kernel.program(operation), kernel.program(*[operation] * 11)
    kernel.run(once, 1, w)
    show(name, (cycles(kernel.run, often, 1, w) - cycles(kernel.run, once, 1, w)) // 10)


def heap(call, *arguments):
    gc.collect()
    gc.disable()
    free = gc.mem_free()
    call(*arguments)
    used = free - gc.mem_free()
    gc.enable()
    return used


def number(*names):
    return sha256(repr(names).encode()).digest()


steps("p256_asm_product_cycles", (kernel.MUL, 1, 2, 3, -1, 4))
steps("p256_asm_square_cycles", (kernel.SQR, 1, 2, 0, -1, 4))
steps("p256_asm_sum_cycles", (kernel.LIN, 1, 2, 1, 1, 3))
show("p256_asm_inverse_cycles", cycles(kernel.inverse, p256.N >> 1, p256.N))

os.mkdir("/tables")
signing, verifying, unknown = [], [], []
table = None
for key in range(KEYS):
    table = None  # let go of the last key's, for want of memory
    p256.keep_tables("/tables", in_memory=True)
    gc.collect()
    private = number("key", key)
    public = p256.public_key(private)
    if key == 0:
        show("p256_asm_table_cycles", cycles(p256.table, public))
    table = p256.table(public)
    for i in range(OF_EACH):
        digest = number("digest", key, i)
        signature = p256.sign(private, digest)
        if i == 0:
            p256.verify(public, digest, signature, table)  # the very first makes its programs
        if i % 4 == 0:
            signing.append(cycles(p256.sign, private, digest))
        verifying.append(cycles(p256.verify, public, digest, signature, table))
    unknown.append(cycles(p256.verify, public, digest, signature))

show("p256_verify_asm_cycles", median(verifying))
show("p256_verify_asm_max_cycles", max(verifying))
show("p256_verify_asm_unknown_key_cycles", median(unknown))
show("p256_sign_asm_cycles", median(signing))
show("p256_verify_asm_heap", heap(p256.verify, public, digest, signature, table))
