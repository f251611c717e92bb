"""srup.p256 behind a pipe: a line `FUNCTION,HEX,HEX...` in, a line with the answer out. For CPython and MicroPython.

Arguments: `reference`, not to use a kernel where there is one; `tables FOLDER`, to verify with a table for each key, kept in
that folder; `memory FOLDER`, the same with the tables in memory.
"""

import sys

from srup import p256
from srup.errors import SrupError


def answer(question):
    """The result in hex, `ok` for a check that passed, or the name of the error."""
    function, *arguments = question.strip().split(",")
    try:
        result = FUNCTIONS.get(function, getattr(p256, function))(*map(bytes.fromhex, arguments))
    except SrupError as error:
        return type(error).__name__
    return result.hex() if isinstance(result, bytes) else "ok"


def verify_prepared(public_key, digest, signature):
    """With a table for the key, which is let go: there are more keys than there is room for tables."""
    p256.keep_tables(sys.argv[2], sys.argv[1] == "memory")
    p256.verify(public_key, digest, signature, p256.table(public_key))


FUNCTIONS = {"verify": verify_prepared} if len(sys.argv) > 2 else {}

if __name__ == "__main__":
    if "reference" in sys.argv:
        p256.p256_comb = None
    for line in sys.stdin:
        print(answer(line))
