"""An HTTP response, read through a buffer of the caller's: its head within limits, then its body (RFC 9112).

Generators that yield while nothing has come; what is not a response that we can take raises HttpError.
"""

from srup import limits, port
from srup.errors import HttpError, NetworkError


class Reader:
    """Lines and then chunks of a response, in their order."""

    def __init__(self, link, buffer):
        self._link = link
        self._buffer = buffer
        self._at = 0
        self._end = 0

    def _fill(self):
        """Wait for bytes, READ_TIMEOUT at most."""
        since = port.ticks_ms()
        self._at = self._end = 0
        while not self._end:
            self._end = self._link.read_into(self._buffer)
            if not self._end:
                if not port.within(limits.READ_TIMEOUT, since):
                    raise NetworkError("the server has gone quiet")
                yield 0

    def line(self):
        """One header line, without its CRLF, at most HTTP_LINE bytes."""
        out = bytearray()
        while True:
            if self._at == self._end:
                yield from self._fill()
            byte = self._buffer[self._at]
            self._at += 1
            if byte == 10:
                return bytes(out).rstrip(b"\r")
            out.append(byte)
            if len(out) > limits.HTTP_LINE:
                raise HttpError("header line too long")

    def headers(self):
        """{name in lower case: value} of the headers that matter here; at most HTTP_HEADERS lines."""
        found = {}
        for _ in range(limits.HTTP_HEADERS):
            line = yield from self.line()
            if not line:
                return found
            name, _, value = line.partition(b":")
            name = _ascii(name).lower()
            if name in _HEADERS:
                if name in found:
                    raise HttpError(name + " twice")
                found[name] = _ascii(value.strip())
        raise HttpError("too many headers")

    def some(self, most):
        """Bytes of the body now at the start of the buffer: 1...min(most, CHUNK)."""
        if self._at == self._end:
            yield from self._fill()
        count = min(self._end - self._at, most)
        if self._at:  # the body's first bytes came with the head: move them to the front
            self._buffer[:count] = bytes(self._buffer[self._at : self._at + count])
        self._at = self._end = 0  # what a server sends beyond the length that it named is not looked at
        return count


_HEADERS = ("content-length", "content-range", "content-encoding", "transfer-encoding")


def _ascii(value):
    if any(byte > 126 for byte in value):
        raise HttpError("header is not ASCII")
    return bytes(value).decode()


def status_code(line):
    """Of `HTTP/1.1 206 Partial Content`."""
    parts = line.split(None, 2)
    if len(parts) < 2 or not line.startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise HttpError("not an HTTP response")
    return int(parts[1])


def _number(text):
    if not text.isdigit() or len(text) > 10:
        raise HttpError("not a length: " + text[:16])
    return int(text)


def length(headers):
    if "content-length" not in headers:
        raise HttpError("no Content-Length")
    return _number(headers["content-length"])


def encoded(headers):
    return headers.get("content-encoding", "identity") != "identity"


def content_range(headers):
    """(first, total) of `bytes first-last/total`."""
    unit, _, rest = headers.get("content-range", "").partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    if unit != "bytes" or _number(last) + 1 != _number(total):
        raise HttpError("not a range to the end of the file")
    return _number(first), _number(total)
