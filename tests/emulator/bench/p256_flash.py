"""ECDSA over P-256 with the viper kernel and the rows of tables read from littlefs as they are needed: 100 random signatures,
of 5 keys.

The tables are there, as provisioning leaves them, so what stays in memory is what stays on a board.
"""

import gc
import os
from hashlib import sha256

from stopwatch import cycles, median, show

import srup.errors
import srup.limits  # noqa: F401 both are there anyway


def heap(call, *arguments):
    gc.collect()
    gc.disable()
    before = gc.mem_free()
    call(*arguments)
    used = before - gc.mem_free()
    gc.enable()
    return used


gc.collect()
free = gc.mem_free()
from srup import p256

gc.collect()
show("p256_modules_heap", free - gc.mem_free())

KEYS = 5
OF_EACH = 20


def open_table(key):
    p256.keep_tables("/tables")  # and let go of the last key's
    private = sha256(b"bench %d" % key).digest()
    public = p256.public_key(private)
    return private, public, cycles(p256.table, public)


private, public, opening = open_table(0)
show("p256_open_table_cycles", opening)
table = p256.table(public)
digest = sha256(b"0").digest()
p256.verify(public, digest, p256.sign(private, digest), table)  # all that is kept is made now
gc.collect()
show("p256_resident_flash_heap", free - gc.mem_free())

signing, verifying = [], []
for key in range(KEYS):
    private, public, _ = open_table(key)
    table = p256.table(public)
    for i in range(OF_EACH):
        digest = sha256(b"%d %d" % (key, i)).digest()
        signature = p256.sign(private, digest)
        if i % 4 == 0:
            signing.append(cycles(p256.sign, private, digest, os.urandom))
        verifying.append(cycles(p256.verify, public, digest, signature, table))
show("p256_verify_flash_cycles", median(verifying))
show("p256_verify_flash_max_cycles", max(verifying))
show("p256_sign_flash_cycles", median(signing))
show("p256_verify_flash_heap", heap(p256.verify, public, digest, signature, table))
