"""Deflate that is pushed in, as it comes off the network, where the decoder wants to pull, byte by byte, from a file.

The decoder can't be told to wait in the middle of a symbol. So it is asked for a piece at a time, and only while more lies ready than
the piece can take: at most two bytes for each of its own, and the descriptions of two codes. All of it through two buffers of a
fixed size.
"""
# The stubs have io.BytesIO without its methods.
# pyright: reportAttributeAccessIssue=false

import io

from srup import port, records
from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BUNDLE

_PIECE = const(256)
_AHEAD = const(1152)
_SIZE = const(2048)


class Inflate:
    """window: as a power of two · expanded: bytes, decoded, that there are to be"""

    def __init__(self, window, expanded):
        self._source = io.BytesIO(bytes(_SIZE))  # what is ready lies at its end
        self._source.seek(_SIZE)
        self._stream = port.inflate(self._source, window)
        self._out = memoryview(bytearray(_PIECE))
        self._left = expanded

    def push(self, chunk, last):
        """Generator of what these bytes (memoryview) decode to, in views that the next one overwrites. last: no more come.

        Raises UpdateFailed(UPDATE_FAIL_BUNDLE) for what is no deflate of exactly so many bytes.
        """
        while chunk:
            rest = self._source.read()
            count = min(len(chunk), _SIZE - len(rest))
            begin = _SIZE - len(rest) - count
            for at, data in ((begin, rest), (begin + len(rest), chunk[:count])):
                self._source.seek(at)
                self._source.write(data)
            self._source.seek(begin)
            chunk = chunk[count:]
            while self._left and _SIZE - self._source.tell() > _AHEAD:
                yield self._decode()
        while last and self._left:
            yield self._decode()
        if last:
            self._end()

    def _decode(self):
        view = self._out[: min(self._left, _PIECE)]
        count = records.decode(self._stream, view)
        if not count:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "ends too early")
        self._left -= count
        return view[:count]

    def _end(self):
        if records.decode(self._stream, self._out[:1]) or self._source.read(1):
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "more in the body than the manifest says")
