"""Runs on the chip, for test_p256_thumb.py: srup.p256 on what is in the files /cases and /messages.

cases: 162 bytes each, public key, digest, signature, 1 if it is good, ordered by key. messages: 64 bytes each,
private key and digest. Prints the kernel, then a line for each message, `signed` and the signature, and before these
for each case that turned out wrong.
"""

import os

from srup import p256
from srup.errors import BadSignature


def verifies(*arguments):
    try:
        p256.verify(*arguments)
    except BadSignature:
        return False
    return True


print("kernel", p256.KERNEL)
os.mkdir("/tables")
last = table = None
with open("/cases", "rb") as cases:
    while case := cases.read(162):
        if case[:65] != last:
            last = case[:65]
            p256.keep_tables("/tables", in_memory=True)
            table = p256.table(last)
        if verifies(last, case[65:97], case[97:161], table) != case[161]:
            print("wrong", case.hex())
with open("/messages", "rb") as messages:
    while message := messages.read(64):
        print("signed", p256.sign(message[:32], message[32:], os.urandom).hex())
