"""An ESP32 firmware image, checked as it streams by (Espressif, "esptool: Firmware Image Format").

    0xE9 | segments (1) | ... 24 bytes in all, of which 12 and 13: chip id, little-endian; 23: 1, a SHA-256 is appended
    segments, checksum | SHA-256 of all before it (32)

The ROM checks it at every start; here it is checked before it is written to the end, and before it is started at all.
"""

from srup import port
from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_BUNDLE

_MAGIC = const(0xE9)
_HEADER = const(24)
_SEGMENTS = const(16)
_TRAILER = const(32)


class EspImage:
    """An image that comes in chunks. chip: the id that it must have, None for any; once the header has come, the one it has."""

    def __init__(self, chip=None):
        self.chip = chip
        self._hash = port.sha256()
        self._tail = b""  # the last bytes so far: they may be the trailer
        self._begun = False

    def update(self, chunk):
        """The next chunk. Raises UpdateFailed: UPDATE_FAIL_BUNDLE for what is no image, UPDATE_FAIL_BOARD for another chip's."""
        both = self._tail + bytes(chunk) if len(chunk) < _TRAILER or not self._begun else chunk
        if not self._begun and len(both) >= _HEADER:
            self._begin(both)
        if both is chunk:
            self._hash.update(self._tail)
        self._hash.update(both[:-_TRAILER])
        self._tail = bytes(both[-_TRAILER:])

    def finish(self):
        """Raises UpdateFailed(UPDATE_FAIL_BUNDLE) unless what came ended with the SHA-256 of all before."""
        if not self._begun or self._hash.digest() != self._tail:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "its SHA-256 does not match")

    def _begin(self, head):
        if head[0] != _MAGIC or not 1 <= head[1] <= _SEGMENTS:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "no image")
        if head[23] != 1:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "no SHA-256 is appended")
        if self.chip not in (None, _chip(head)):
            raise UpdateFailed(UPDATE_FAIL_BOARD, "for another chip")
        self.chip = _chip(head)
        self._begun = True


def chip_of(file):
    """The chip id of the image in a file, or None if there is none."""
    head = bytearray(_HEADER)
    file.seek(0)
    file.readinto(head)
    return _chip(head) if head[0] == _MAGIC else None


def _chip(head):
    return head[12] | head[13] << 8
