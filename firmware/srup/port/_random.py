"""Random bytes from a source that is mixed and watched."""

from srup.errors import SrupError

_SAMPLE = 64
_DISTINCT = 16  # a good source has fewer distinct bytes in a sample once in 10^40 samples


class StuckRandom(SrupError):
    """The source of randomness repeats itself: nothing secret can be made."""

    reason = "random"


class Random:
    """random(n): n bytes. Every 32 of them take a fresh sample of the source, hashed together with all samples before.

    read(n): raw bytes, perhaps biased: RP2040's ring oscillator, ESP32's noise while its radio is off.
    sha256: hash constructor. personal: bytes that differ from board to board.
    """

    def __init__(self, read, sha256, personal):
        self._read = read
        self._sha256 = sha256
        self._pool = sha256(personal).digest()
        self._last = b""

    def __call__(self, n):
        out = b""
        while len(out) < n:
            self._pool = self._hash(self._pool, self._sample())
            out += self._hash(self._pool, b"out")
        return out[:n]

    def _hash(self, first, second):
        hashed = self._sha256(first)
        hashed.update(second)
        return hashed.digest()

    def _sample(self):
        """Raises StuckRandom for the sample before once more, and for one of few values: constant, or a short cycle."""
        sample = self._read(_SAMPLE)
        if sample == self._last or len(sample) != _SAMPLE or len(set(sample)) < _DISTINCT:
            raise StuckRandom("the random source repeats itself")
        self._last = sample
        return sample
