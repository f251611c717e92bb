"""Modules that are needed now and then: imported when they are, and let go afterwards.

On a board without much memory the modules themselves are most of what the agent takes: their bytecode, unless it is frozen
into the firmware, and the objects that they make. What stays of a module that was let go is its names, once: MicroPython
never forgets one.
"""

import gc
import sys

from srup.limits import ROOM

_PACKAGE = "srup."
_BOOT = "srup_boot."
_HW = "srup_boot.hw"  # is always needed
_P256 = "p256"
_NATIVE = "p256_"  # modules that it brings which are not part of it


class Late:
    """names: the modules of this package to be imported, each after those that it imports itself."""

    def __init__(self, *names):
        self._names = names
        self._kept = None  # what was there before the first `load`, and so is not ours to let go

    def begun(self):
        """True from the first `load` on, until `let_go`."""
        return self._kept is not None

    def load(self):
        """Import one more of them: on a chip that takes 20 to 100 ms. True once all are there. Raises MemoryError."""
        if self._kept is None:
            self._kept = set(sys.modules)
        for name in self._names:
            if _PACKAGE + name not in sys.modules:
                gc.collect()  # or it would be put behind the garbage, and the free memory be in pieces afterwards
                __import__(_PACKAGE + name)
                return name == self._names[-1]
        return True

    def let_go(self, top=""):
        """Forget these modules, and all others of the package that have come since the first `load`.

        Whoever holds something of a module still, a class or an instance, holds all of it. top: the one of them that imports the
        others, and that none imports: it is emptied (see `empty`).
        """
        for name in set(sys.modules) - (self._kept or set(sys.modules)):
            if _is_ours(name):
                if name == _PACKAGE + top:
                    empty(sys.modules[name])
                _forget(name)
        self._kept = None
        gc.collect()


def empty(thing):
    """A module, or an instance: nothing is held by way of it any more. MicroPython's collector takes whatever looks like a pointer
    for one, and lwIP's sockets have in them what was in that place before: one such, to a generator that had ended, kept 19 KB for
    as long as a connection lasted."""
    for name in list(thing.__dict__):
        setattr(thing, name, None)


def short():
    """True where the heap has no room for all of the agent at once: what is not needed now is then let go for what is.

    False on a host, which has memory, and others that use its modules.
    """
    if not hasattr(gc, "mem_free"):
        return False
    gc.collect()
    return gc.mem_free() < ROOM


def meet(*names):
    """Import modules of the package that may be needed later, and let them go. Their names, which stay, are then where the modules
    were, and not in the middle of what is free when TLS asks for 17 KB in one piece. Raises MemoryError."""
    before = set(sys.modules)
    for name in names:
        gc.collect()
        __import__(_PACKAGE + name)
    for name in set(sys.modules) - before:
        if _is_ours(name):
            _forget(name)
    gc.collect()


def once(name):
    """A module of which nothing is to stay but what the caller holds; not even in a package's memory."""
    was_there = name in sys.modules
    __import__(name)
    module = sys.modules[name]
    if not was_there:
        _forget(name)
    return module


def let_go_of(*names):
    """Of these modules, where memory is short. Whoever needs one again imports it again."""
    if short():
        for name in names:
            if name in sys.modules:
                _forget(name)
        gc.collect()


def let_go_of_p256():
    """It is the largest part of the agent, and what obeys does without."""
    let_go_of(*[name for name in sys.modules if name.startswith(_PACKAGE + _P256) or name.startswith(_NATIVE)])  # noqa: PIE810


def let_go_of_boot():
    """What has chosen the slot is done, once and for all."""
    for name in list(sys.modules):
        if name.startswith(_BOOT) and name != _HW:
            _forget(name)


def _is_ours(name):
    return name.startswith(_PACKAGE) or name.startswith(_BOOT) or name.startswith(_NATIVE)  # noqa: PIE810 - no tuples on a board


def _forget(name):
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, None)
        delattr(sys.modules[parent], last)
    sys.modules[name] = None  # pyright: ignore[reportArgumentType] - or its place in the dictionary goes on holding it
    del sys.modules[name]
