"""The application's hooks: called, and never trusted to come back well."""

import io
import sys


class Hooks:
    """log: called with a line of text."""

    def __init__(self, log):
        self._log = log
        self._hooks = {}

    def set(self, name, hook):
        self._hooks[name] = hook

    def clear(self):
        self._hooks.clear()

    def call(self, name, *arguments):
        """What the hook of this name says, as a bool; None where there is none."""
        return self.guard(name, self._hooks.get(name), *arguments)

    def guard(self, name, hook, *arguments):
        """The same of any callable of the application's. Its faults are its own: told, and counted as false."""
        if hook is None:
            return None
        try:
            return bool(hook(*arguments))
        except Exception as error:  # noqa: BLE001 - whatever an application may raise
            self._log("%s hook: %s" % (name, traceback(error)))
            return False


def traceback(error):
    """The exception as the REPL would print it."""
    out = io.StringIO()
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, out)
    else:
        import traceback as cpython

        cpython.print_exception(error, file=out)
    return out.getvalue()  # pyright: ignore[reportAttributeAccessIssue] - missing in the stubs
