"""An image on its way into a region of raw flash: page after page, such that after a power cut the flash itself says how far it is.

The block after the one that is written to is erased before, always. So the first erased block is where a cut came, or an image's own
0xFF, which costs fetching the rest once more. The block before that may be half written, or half erased: it is erased and
written again.
"""

from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BUNDLE

_PAGE = const(256)  # what NOR flash takes at a time


class RawImage:
    """region: srup_boot.region.Region · size: of the image, in bytes, not more than its room"""

    def __init__(self, region, size):
        self._region = region
        self._size = size
        self._page = memoryview(bytearray(_PAGE))
        self._filled = 0
        self._at = 0  # bytes programmed
        self.left = size  # bytes to come

    def begin(self):
        """From its beginning."""
        self._at, self._filled, self.left = 0, 0, self._size
        self._erase(0)
        self._erase(self._region.block)

    def kept(self, buffer, is_whole):
        """Generator of what is in flash of an image that was begun, in chunks (memoryview); None between. It is gone on with then.

        is_whole: it is known to be there to its end.
        """
        blocks = whole = -(-self._size // self._region.block)
        if not is_whole:
            whole = 0
            while whole < blocks and not self._is_erased(whole, buffer):
                whole += 1
                yield None
            whole = max(0, whole - 1)
        keep = min(whole * self._region.block, self._size)
        yield from chunks(self._region, keep, buffer)
        self._at, self._filled, self.left = whole * self._region.block, 0, self._size - keep
        if self.left:
            self._erase(self._at)

    def write(self, data):
        """Generator: the next bytes (memoryview). Raises UpdateFailed(UPDATE_FAIL_BUNDLE) for more than there should be."""
        if len(data) > self.left:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "an image larger than it says")
        self.left -= len(data)
        while data:
            if self._filled or len(data) < _PAGE:
                count = min(len(data), _PAGE - self._filled)
                self._page[self._filled : self._filled + count] = data[:count]
                self._filled += count
                if self._filled == _PAGE:
                    self._filled = 0
                    self._program(self._page)
            else:
                count = min(len(data) // _PAGE * _PAGE, self._region.block - self._at % self._region.block)
                self._program(data[:count])
            data = data[count:]
            yield 0
        if not self.left and self._filled:
            self._page[self._filled :] = b"\xff" * (_PAGE - self._filled)
            self._filled = 0
            self._program(self._page)

    def _program(self, pages):
        if self._at % self._region.block == 0:
            self._erase(self._at + self._region.block)
        self._region.program(self._at, pages)
        self._at += len(pages)

    def _erase(self, at):
        if at < self._region.room:
            self._region.erase(at)

    def _is_erased(self, block, buffer):
        self._region.seek(block * self._region.block)
        left = self._region.block
        while left:
            view = buffer[: min(left, len(buffer))]
            self._region.readinto(view)
            if any(byte != 0xFF for byte in view):
                return False
            left -= len(view)
        return True


def chunks(region, size, buffer):
    """Generator of the first bytes of a region, through the buffer (memoryview)."""
    at = 0
    while at < size:
        view = buffer[: min(size - at, len(buffer))]
        region.seek(at)
        region.readinto(view)
        yield view
        at += len(view)
