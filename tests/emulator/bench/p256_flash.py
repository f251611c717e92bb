"""ECDSA over P-256 with the viper kernel and the rows of tables read from littlefs as they are needed: 100 random signatures.

The tables are there, as provisioning leaves them, so what stays in memory is what stays on a board.
"""

import gc
import os
from hashlib import sha256

from stopwatch import cycles, median, show

import srup.errors
import srup.limits  # noqa: F401 both are there anyway

gc.collect()
free = gc.mem_free()
from srup import p256

gc.collect()
show("p256_modules_heap", free - gc.mem_free())

TIMES = 100
private = sha256(b"bench").digest()
p256.keep_tables("/tables")
public = p256.public_key(private)
show("p256_open_table_cycles", cycles(p256.table, public))
table = p256.table(public)
signing, verifying = [], []
for i in range(TIMES):
    digest = sha256(b"%d" % i).digest()
    signature = p256.sign(private, digest)
    if i == 0:
        p256.verify(public, digest, signature, table)
    if i % 10 == 0:
        signing.append(cycles(p256.sign, private, digest, os.urandom))
    verifying.append(cycles(p256.verify, public, digest, signature, table))
show("p256_verify_flash_cycles", median(verifying))
show("p256_verify_flash_max_cycles", max(verifying))
show("p256_sign_flash_cycles", median(signing))
digest = signature = signing = verifying = None
gc.collect()
show("p256_resident_flash_heap", free - gc.mem_free())
