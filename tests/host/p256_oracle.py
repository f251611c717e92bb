"""srup.p256 behind a pipe: a line `FUNCTION,HEX,HEX...` in, a line with the answer out. For CPython and MicroPython."""

import sys

from srup import p256
from srup.errors import SrupError


def answer(question):
    """The result in hex, `ok` for a check that passed, or the name of the error."""
    function, *arguments = question.strip().split(",")
    try:
        result = getattr(p256, function)(*[bytes.fromhex(argument) for argument in arguments])
    except SrupError as error:
        return type(error).__name__
    return result.hex() if isinstance(result, bytes) else "ok"


if __name__ == "__main__":
    for line in sys.stdin:
        print(answer(line))
