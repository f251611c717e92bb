"""A board's console, line by line: taken down in one thread, waited for in another."""

import threading
from collections.abc import Callable

Listener = Callable[[str], None]


class Console:
    """What a board that can be switched on has printed. Lines that begin with `---` are about its power."""

    running = False  # will it print more?

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._seen = 0  # lines that wait_for has passed

    def lines(self) -> list[str]:
        """All of the console so far."""
        with self._changed:
            return list(self._lines)

    def wait_for(self, text: str, timeout: float = 60) -> str:
        """The first line with `text` in it after the last one that was waited for.

        Raises TimeoutError, with the end of the console, if none comes in time or before the board is off for good.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._find(text) is not None or not self.running, timeout):
                raise TimeoutError(f"no {text!r} on the console in {timeout} s\n{self._tail()}")
            found = self._find(text)
            if found is None:
                raise TimeoutError(f"no {text!r} on the console, and the board is off\n{self._tail()}")
            self._seen = found + 1
            return self._lines[found]

    def _find(self, text: str) -> int | None:
        return next((n for n in range(self._seen, len(self._lines)) if text in self._lines[n]), None)

    def _tail(self) -> str:
        return "\n".join(self._lines[-30:])

    def _add(self, line: str, listener: Listener | None) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()
        if listener:
            listener(line)
