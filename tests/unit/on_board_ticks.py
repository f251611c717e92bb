"""A stopwatch in place of the machine's: it wraps round as a board's does, after twelve days, and stands still between."""

from srup import port

_PERIOD = 1 << 30
_NAMES = ("ticks_ms", "ticks_add", "ticks_diff")


class Ticks:
    """`with Ticks() as ticks:` then `ticks.pass_ms(1000)`."""

    def __enter__(self):
        self._real = [(name, getattr(port, name)) for name in _NAMES]
        self._now = _PERIOD - 5000
        port.ticks_ms = lambda: self._now
        port.ticks_add = lambda ticks, ms: (ticks + ms) % _PERIOD
        port.ticks_diff = lambda later, earlier: (later - earlier + _PERIOD // 2) % _PERIOD - _PERIOD // 2
        return self

    def __exit__(self, *_):
        for name, real in self._real:
            setattr(port, name, real)

    def pass_ms(self, ms):
        self._now = (self._now + ms) % _PERIOD
