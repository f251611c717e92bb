"""Modules that are needed now and then: imported when they are, and let go afterwards.

On a board without much memory the modules themselves are most of what the agent takes: their bytecode, unless it is frozen
into the firmware, and the objects that they make. What stays of a module that was let go is its names, once: MicroPython
never forgets one.
"""

import gc
import sys

_PACKAGE = "srup."
_P256 = "p256"
_NATIVE = "p256_"  # modules that it brings which are not part of it


class Late:
    """names: the modules of this package to be imported, each after those that it imports itself."""

    def __init__(self, *names):
        self._names = names
        self._left = None  # names still to be imported; None before the first
        self._kept = ()  # what was there before, and so is not ours to let go

    def begun(self):
        """True from the first `load` on, until `let_go`."""
        return self._left is not None

    def load(self):
        """Import one more of them: on a chip that takes 20 to 100 ms. True once all are there. Raises MemoryError."""
        if self._left is None:
            self._left = list(self._names)
            self._kept = set(sys.modules)
        while self._left:
            name = _PACKAGE + self._left[0]
            if name not in sys.modules:
                gc.collect()  # or it would be put behind the garbage, and the free memory be in pieces afterwards
                __import__(name)
                return self._left.pop(0) == self._names[-1]
            self._left.pop(0)
        return True

    def let_go(self):
        """Forget these modules, and all others of the package that have come since the first `load`.

        Whoever holds something of a module still, a class or an instance, holds all of it.
        """
        for name in set(sys.modules) - set(self._kept):
            if name.startswith(_PACKAGE) or name.startswith(_NATIVE):  # noqa: PIE810 - no tuples on a board
                _forget(name)
        self._left = None
        gc.collect()


def meet(*names):
    """Import modules of the package that may be needed later, and let them go. Their names, which stay, are then where the modules
    were, and not in the middle of what is free when TLS asks for 17 KB in one piece. Raises MemoryError."""
    before = set(sys.modules)
    for name in names:
        gc.collect()
        __import__(_PACKAGE + name)
    for name in set(sys.modules) - before:
        if name.startswith(_PACKAGE):
            _forget(name)
    gc.collect()


def let_go_of_p256():
    """It is the largest part of the road, and most of an update does without: who needs it then imports it again."""
    if not hasattr(gc, "mem_free"):
        return  # a host, which has memory, and others that use the module
    for name in list(sys.modules):
        if name.startswith(_PACKAGE + _P256) or name.startswith(_NATIVE):  # noqa: PIE810 - as above
            _forget(name)


def _forget(name):
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, None)
        delattr(sys.modules[parent], last)
    sys.modules[name] = None  # pyright: ignore[reportArgumentType] - or its place in the dictionary goes on holding it
    del sys.modules[name]
