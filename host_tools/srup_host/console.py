"""What a person sees: results on stdout, everything else on stderr, one line for what went wrong.

Colour and bars are rich's: they vanish when the output is piped and with NO_COLOR.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

REFUSED = 1  # exit code: what was looked at is not good
WRONG = 2  # exit code: what was asked for can't be done


class Failure(Exception):
    """Ends the command with one line: what is wrong, where, and (hint) what to do. `code` is the exit code."""

    def __init__(self, message: str, hint: str = "", code: int = WRONG):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def printable(text: str) -> str:
    """Text from elsewhere, safe on a terminal: control and other unprintable characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str) -> str:
    """The beginning of something that may be long, quoted."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def say(text: str, style: str = "") -> None:
    """A line of result."""
    out.print(Text(printable(text), style), soft_wrap=True)


def note(text: str, style: str = "") -> None:
    """A line for the person beside the result."""
    err.print(Text(printable(text), style), soft_wrap=True)


def warn(text: str) -> None:
    err.print(Text.assemble(("note: ", "yellow"), printable(text)), soft_wrap=True)


def report(failure: Failure) -> None:
    err.print(Text.assemble(("error: ", "bold red"), printable(str(failure))), soft_wrap=True)


def columns(rows: Iterable[Sequence[object]], styles: Sequence[str] = ()) -> None:
    """Rows in aligned columns. Never cut or wrapped, whatever the width, so that a pipe gets whole values."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]  # none for no rows
    padded_styles = [*styles, *[""] * (len(widths) - len(styles))]
    for row in cells:
        line = Text()
        for cell, width, style in zip(row, widths, padded_styles, strict=True):
            line.append(cell.ljust(width), style).append("  ")
        line.rstrip()
        out.print(line, soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON in ASCII, for scripts."""
    sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")


def size(count: int) -> str:
    """A number of bytes as people read it."""
    return f"{count:,} B" if count < 10_000 else f"{count / 1000:,.1f} kB"
