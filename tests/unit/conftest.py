"""Every test in this folder runs twice: on CPython, collected by pytest itself, and in a MicroPython of its own."""

import re

import pytest

from tests.unit.on_micropython import ROOT, MicroPythonFailed, run

RUNNER = ROOT / "tests" / "unit" / "run_on_micropython.py"


def pytest_collect_file(file_path, parent):
    if file_path.match("test_*.py"):
        return MicroPythonModule.from_parent(parent, path=file_path)


class MicroPythonModule(pytest.File):
    def collect(self):
        for test in re.findall(r"^def (test_\w+)\(\)", self.path.read_text("utf-8"), re.MULTILINE):
            yield MicroPythonTest.from_parent(self, name=f"{test}[micropython]", test=test)


class MicroPythonTest(pytest.Item):
    def __init__(self, *, test, **kwargs):
        super().__init__(**kwargs)
        self.test = test

    def runtest(self):
        written = run(RUNNER, f"tests.unit.{self.path.stem}", self.test, native="p256" in self.path.stem)
        if f"ok {self.test}" not in written.splitlines():
            raise MicroPythonFailed(f"it left before the end\n{written}")

    def repr_failure(self, excinfo):
        return str(excinfo.value) if excinfo.errisinstance(MicroPythonFailed) else super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, self.name
