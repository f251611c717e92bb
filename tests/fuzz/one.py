"""One target under atheris: `python -m tests.fuzz.one TARGET [options of libFuzzer]`. Or, without atheris, what the corpus covers:
`python -m tests.fuzz.one TARGET --lines FOLDER`, where no device code has been imported before.
"""

import importlib.util
import sys
from pathlib import Path
from types import CodeType

from tests.fuzz import targets


def fuzz(target: targets.Target, options: list[str]) -> None:
    import atheris  # here: not installed everywhere

    with atheris.instrument_imports(include=[*target.modules]):
        function = target.function()
    again = f"{sys.executable} -m tests.fuzz.one {target.name}"  # libFuzzer's own processes: it hands this to a shell
    atheris.Setup([again, *options], function)
    atheris.Fuzz()


def lines(target: targets.Target, folder: str) -> str:
    """How many lines of the target's modules the inputs in a folder reach: `reached/all`."""
    files = {str(_source(module)): set() for module in target.modules}

    def trace(frame, event, _):
        found = files.get(frame.f_code.co_filename)
        if found is None:
            return None
        found.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    function = target.function()
    for path in sorted(Path(folder).iterdir()):
        function(path.read_bytes())
    sys.settrace(None)
    possible = {file: _lines_of(compile(Path(file).read_text("utf-8"), file, "exec")) for file in files}
    for file, reached in files.items():
        missed = sorted(possible[file] - reached)
        print(f"{Path(file).name} not reached: {missed}", file=sys.stderr)
    return f"{sum(len(files[file] & possible[file]) for file in files)}/{sum(map(len, possible.values()))}"


def _source(module: str) -> Path:
    found = importlib.util.find_spec(module)
    assert found and found.origin
    return Path(found.origin)


def _lines_of(code: CodeType) -> set[int]:
    found = {line for _, _, line in code.co_lines() if line}
    return found.union(*(_lines_of(each) for each in code.co_consts if isinstance(each, CodeType)))


if __name__ == "__main__":
    chosen = targets.named(sys.argv[1])
    if sys.argv[2:3] == ["--lines"]:
        print(lines(chosen, sys.argv[3]))
    else:
        fuzz(chosen, sys.argv[2:])
