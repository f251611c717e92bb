"""srup.p256 behind a pipe: a line `FUNCTION,HEX,HEX...` in, a line with the answer out. For CPython and MicroPython.

Arguments: `reference`, not to use srup.p256_comb where it is there; `prepared`, to verify with a table for each key.
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
    p256.verify(public_key, digest, signature, p256.open_table(public_key, p256.prepare(public_key)))


FUNCTIONS = {"verify": verify_prepared} if "prepared" in sys.argv else {}

if __name__ == "__main__":
    if "reference" in sys.argv:
        p256._comb = None
    for line in sys.stdin:
        print(answer(line))
