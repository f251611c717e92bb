"""How often somebody may try: a bucket of tokens for each name, in memory."""

import math
import time
from collections.abc import Callable

from srup_host.server.errors import TooMany

_MOST = 10_000  # names that are remembered; then the full buckets are forgotten, and after them all


class Rate:
    """`burst` tries at once and then one each `seconds`. now: seconds, monotonic."""

    def __init__(self, burst: int, seconds: float, now: Callable[[], float] = time.monotonic):
        self._burst = burst
        self._seconds = seconds
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}  # name: (tokens, at)

    def check(self, name: str) -> None:
        """Take one token. Raises TooMany where there is none."""
        left = self._left(name)
        if left < 1:
            raise TooMany(math.ceil((1 - left) * self._seconds))
        if len(self._buckets) >= _MOST and name not in self._buckets:
            self._forget()
        self._buckets[name] = (left - 1, self._now())

    def _left(self, name: str) -> float:
        tokens, at = self._buckets.get(name, (float(self._burst), self._now()))
        return min(self._burst, tokens + (self._now() - at) / self._seconds)

    def _forget(self) -> None:
        kept = {name: bucket for name, bucket in self._buckets.items() if self._left(name) < self._burst}
        self._buckets = kept if len(kept) < _MOST else {}
