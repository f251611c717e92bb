"""A patch to a file, applied as it streams: the sequential patch of `detools`, without a compression of its own.

    0x00 | size of the new file | 0, then as often as it takes:
    size | bytes to add, each to the byte of the old file in its place | size | new bytes | how far to move on in the old file

Numbers: six bits, then seven in each further byte, the lowest first; 0x80 says that a byte follows, 0x40 of the first byte
that the number is negative. (https://detools.readthedocs.io, "Patch file format", "Sequential".)

Patches are deflated with the body they are in, so that bytes to add, which are mostly 0, cost next to nothing.
"""

from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BUNDLE

_PIECE = const(64)
_ZEROS = memoryview(bytes(_PIECE))
_DIGITS = const(5)  # of a number: 34 bits


class Patch:
    """The new file as a source; reading its last byte reads the patch to its end.

    body: Body, of which the next `length` bytes are the patch · old: the old file, with readinto and seek · size: of the new
    file, as the record has it. Raises UpdateFailed(UPDATE_FAIL_BUNDLE) for what is no patch to this file.
    """

    digest = None  # as for Body

    def __init__(self, body, length, old, size):
        self._body = body
        self._end = body.left - length  # what is left of the body after the patch
        self._old = old
        self._at = 0  # in the old file
        self._size = size  # to come
        self._part = 0  # bytes of the part we are in to come
        self._adding = None  # it is added to the old file: True, False, or None before the first part
        self._before = memoryview(bytearray(_PIECE))

    def readinto(self, buffer):
        """Read into the buffer (memoryview), at least a byte; returns how many."""
        if self._adding is None:
            self._begin()
        while not self._part:
            self._next_part()
        view = buffer[: min(len(buffer), self._part)]
        self._announce(len(view))
        count = self._body.readinto(view)
        if self._adding:
            self._add(view[:count])
        self._part -= count
        self._size -= count
        if not self._size:
            self._finish()
        return count

    def _begin(self):
        if self._byte() != 0 or self._number() != self._size or self._number() != 0:
            raise _bad("not a sequential patch for this file")
        self._start(True)

    def _next_part(self):
        if not self._adding:
            self._at += self._number()
        self._start(not self._adding)

    def _start(self, adding):
        self._adding = adding
        self._part = self._number()
        if not 0 <= self._part <= self._size:
            raise _bad("a part of a patch larger than its file")

    def _finish(self):
        if self._adding:
            self._start(False)  # which can only be empty
        self._number()
        if self._body.left != self._end:
            raise _bad("a patch longer than it says")

    def _add(self, view):
        """Add the next bytes of the old file to these."""
        if self._at < 0:
            raise _bad("a patch to before the old file")
        self._old.seek(self._at)
        for at in range(0, len(view), _PIECE):
            piece = view[at : at + _PIECE]
            before = self._before[: len(piece)]
            if self._old.readinto(before) != len(piece):
                raise _bad("a patch to beyond the old file")
            if piece == _ZEROS[: len(piece)]:
                piece[:] = before
            else:
                for place in range(len(piece)):
                    piece[place] = piece[place] + before[place] & 0xFF
        self._at += len(view)

    def _number(self):
        byte = self._byte()
        negative, number, shift = byte & 0x40, byte & 0x3F, 6
        while byte & 0x80:
            if shift > 6 + 7 * (_DIGITS - 2):
                raise _bad("a number in a patch too large")
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            shift += 7
        return -number if negative else number

    def _byte(self):
        self._announce(1)
        return self._body.number(1)

    def _announce(self, count):
        if self._body.left - count < self._end:
            raise _bad("a patch shorter than it says")


def _bad(why):
    return UpdateFailed(UPDATE_FAIL_BUNDLE, why)
