"""Modules imported late, and let go."""

import sys

import srup
from srup import errors, late
from tests.unit.check import raises

MODULES = ("srup.bundle", "srup.hooks")


class Absent:
    """`with Absent():` none of MODULES has been imported yet; afterwards those are back that were there before."""

    def __enter__(self):
        self._found = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}

    def __exit__(self, *_):
        for name, module in self._found.items():
            sys.modules[name] = module
            setattr(srup, name[5:], module)


def present():
    return [name for name in MODULES if name in sys.modules]


def test_one_module_at_a_time():
    with Absent():
        road = late.Late("errors", "bundle", "hooks")
        assert not road.begun()
        assert not road.load() and present() == ["srup.bundle"]  # errors was there
        assert road.begun() and road.load() and road.load() and present() == list(MODULES)
        road.let_go()


def test_what_is_let_go_is_gone_and_what_was_there_stays():
    with Absent():
        road = late.Late("errors", "bundle", "hooks")
        while not road.load():
            pass
        first = sys.modules["srup.hooks"]
        road.let_go()
        assert present() == [] and not road.begun() and not hasattr(srup, "hooks")
        assert sys.modules["srup.errors"] is errors is srup.errors
        while not road.load():
            pass
        assert sys.modules["srup.hooks"] is not first
        road.let_go()


def test_who_still_holds_the_topmost_holds_nothing_by_way_of_it():
    """A stale pointer does; and it must not keep all that there was."""
    with Absent():
        road = late.Late("bundle", "hooks")
        while not road.load():
            pass
        top, other = sys.modules["srup.hooks"], sys.modules["srup.bundle"]
        road.let_go("hooks")
        assert not [name for name in dir(top) if getattr(top, name) is not None and name[:2] != "__"]
        assert other.check_path, "what others may still need is whole"


def test_what_they_import_in_their_turn_is_let_go_with_them():
    with Absent():
        road = late.Late("bundle")
        road.load()
        from srup import hooks

        assert hooks is srup.hooks
        road.let_go()
        assert present() == []


class Full:
    """In place of `gc`, for a heap in which nothing is to be had."""

    def collect(self):
        raise MemoryError()


def test_an_import_that_fails_for_want_of_memory_is_tried_again():
    with Absent():
        road = late.Late("bundle", "hooks")
        road.load()
        real, late.gc = late.gc, Full()
        try:
            raises(MemoryError, road.load)
        finally:
            late.gc = real
        assert road.load() and present() == list(MODULES)
        road.let_go()


def test_what_is_wanted_once_is_there_for_its_caller_alone():
    with Absent():
        assert late.once("srup.bundle").MAGIC and present() == []
    assert late.once("srup.errors") is errors and "srup.errors" in sys.modules
