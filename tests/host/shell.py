"""The command `srup` in this process, as a shell would run it: arguments and stdin in; exit code, stdout and stderr out."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass

from srup_host.cli import main
from tests.host import spilled


@dataclass(frozen=True)
class Result:
    code: int
    out: bytes
    err: str

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        return json.loads(self.out)


def run(*arguments, stdin=b""):
    code, out, err, before = 0, io.BytesIO(), io.StringIO(), sys.stdin
    wrapper = io.TextIOWrapper(out, "utf-8", write_through=True)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(wrapper), contextlib.redirect_stderr(err):
            main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.stdin = before
    secrets = spilled.found_in(out.getvalue().decode(errors="replace") + err.getvalue())
    assert not secrets, f"srup {arguments[0]} says {secrets}"
    return Result(code, out.getvalue(), err.getvalue())


def srup(*arguments, stdin=b""):
    """Like `run`, and the command must succeed."""
    result = run(*arguments, stdin=stdin)
    assert result.code == 0, result.err
    return result


def failed(*arguments, stdin=b"", code=2):
    """The one line that a command fails with, and nothing on stdout."""
    result = run(*arguments, stdin=stdin)
    assert (result.code, result.out) == (code, b""), result
    lines = result.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.err
    return lines[0]
