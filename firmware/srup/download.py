"""Step 6. HTTPS -> flash: one file, hashed as it streams through one preallocated buffer, resumed where it broke off.

`Download.run` is a generator: each `next` moves at most one chunk, so that the application goes on. What an interruption
left in flash (a cut connection's, or a power cut's) is hashed again from there, which verifies it too, and the rest is asked
for with Range (RFC 9110, section 14). What goes wrong ends as UpdateFailed with the status that the paper's Table V and
protocol.md name for it.
"""

import os

from srup import limits, port, status
from srup.errors import NetworkError, TlsError, UpdateFailed
from srup.link import Link

_PREFIX = "https://"


def split_url(url, allowed):
    """(host, port, path) of an https url (bytes). Raises UpdateFailed(UPDATE_FAIL_URL) for any other, and for a host that is
    not in `allowed` (["host:port"])."""
    try:
        text = bytes(url).decode()
    except UnicodeError:
        raise UpdateFailed(status.UPDATE_FAIL_URL, "not UTF-8")
    authority, _, rest = text[len(_PREFIX) :].partition("/")
    if text[: len(_PREFIX)] != _PREFIX or any(sign in text for sign in "\\#\0\r\n\t ") or "@" in authority:
        raise UpdateFailed(status.UPDATE_FAIL_URL, "not a plain https url")
    host, colon, number = authority.partition(":")
    if not colon:
        number = "443"
    if "?" in authority or not number.isdigit() or "%s:%s" % (host, number) not in allowed:
        raise UpdateFailed(status.UPDATE_FAIL_URL, "host is not on the allow-list")
    return host, int(number), "/" + rest


class Download:
    """One file. url: bytes · digest: SHA-256, 32 bytes · path: where it goes · authorities: [DER bytes]

    allowed: ["host:port"] · most: bytes that fit · attempts: connections in a row that bring nothing before it is given up ·
    other_date: called when TLS fails; True where the clock has changed and it is worth one more try (Clock.other_date).
    """

    def __init__(
        self, url, digest, path, authorities, allowed, most, attempts=limits.DOWNLOAD_ATTEMPTS, other_date=lambda: False
    ):
        self._host, self._port, self._target = split_url(url, allowed)
        self._digest = digest
        self._path = path
        self._authorities = authorities
        self._most = most
        self._attempts = attempts
        self._other_date = other_date
        self._buffer = memoryview(bytearray(limits.CHUNK))
        self._hash = None
        self._answered = False  # the server has answered over a connection that we trust
        self.done = 0  # bytes in flash
        self.total = -1  # bytes of the whole file, once known

    def run(self):
        """Generator: yields between pieces of work, milliseconds to wait before the next. Returns when the file is whole."""
        yield from self._rehash()
        failures = 0
        redated = False
        while self.done != self.total:
            before = self.done
            try:
                yield from self._fetch()
            except TlsError as error:
                if redated or not self._other_date():
                    raise UpdateFailed(status.UPDATE_FAIL_SERVER, str(error))
                redated = True
            except NetworkError as error:
                failures = 1 if self.done > before else failures + 1
                if failures >= self._attempts:
                    raise UpdateFailed(self._gave_up(), str(error))
                yield min(limits.RETRY_PAUSE << failures, limits.RETRY_PAUSE_MOST)
        yield from self._check()

    def _gave_up(self):
        return status.UPDATE_FAIL_FILE if self._answered else status.UPDATE_FAIL_SERVER

    def _rehash(self):
        """Hash what is in flash already: `done` bytes of it."""
        self._hash = port.sha256()
        self.done = 0
        try:
            file = open(self._path, "rb")
        except OSError:
            return  # nothing yet
        with file:
            count = file.readinto(self._buffer)
            while count:
                self._hash.update(self._buffer[:count])
                self.done += count
                yield 0
                count = file.readinto(self._buffer)

    def _check(self):
        """The digest as it streamed, then what the flash reads back."""
        if self._hash.digest() != self._digest:
            self.discard()
            raise UpdateFailed(status.UPDATE_FAIL_DIGEST, "the file is another one")
        yield from self._rehash()
        if self._hash.digest() != self._digest:
            self.discard()
            raise UpdateFailed(status.UPDATE_FAIL_STORAGE, "flash reads back differently")

    def discard(self):
        """Forget what is in flash."""
        try:
            os.remove(self._path)
        except OSError:
            pass  # there is none
        self._hash = port.sha256()
        self.done = 0

    def _fetch(self):
        """One connection: ask for the rest and store what comes."""
        link = Link(self._host, self._port, self._authorities)
        try:
            while not link.step():
                yield 0
            link.send(self._request())
            while not link.flush():
                yield 0
            reader = _Reader(link, self._buffer)
            yield from self._accept(reader)
            yield from self._store(reader)
        finally:
            link.close()

    def _request(self):
        wanted = "Range: bytes=%d-\r\n" % self.done if self.done else ""
        return (
            "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: srup\r\nAccept-Encoding: identity\r\n%sConnection: close\r\n\r\n"
            % (self._target, self._host, self._port, wanted)
        ).encode()

    def _accept(self, reader):
        """Read the response's head; what is not the file we asked for, from where we asked, raises UpdateFailed."""
        line = yield from reader.line()
        self._answered = True
        code = _status_code(line)
        headers = yield from reader.headers()
        if code in (404, 410):
            raise UpdateFailed(status.UPDATE_FAIL_FILE, "HTTP %d" % code)
        if code == 416 and self.done:
            self._nothing_left(headers)
            return
        if code not in (200, 206) or "transfer-encoding" in headers or _encoded(headers):
            raise UpdateFailed(status.UPDATE_FAIL_HTTP, "HTTP %d" % code)
        length = _length(headers)
        if code == 200:
            self._start_again(length)
        elif _range(headers) != (self.done, self.done + length):
            raise UpdateFailed(status.UPDATE_FAIL_HTTP, "another range than was asked for")
        else:
            self.total = self.done + length
        if self.total > self._most:
            raise UpdateFailed(status.UPDATE_FAIL_SPACE, "%d bytes, and room for %d" % (self.total, self._most))

    def _nothing_left(self, headers):
        """416: what is in flash is the whole file, fetched before a power cut; or it is no part of it."""
        if headers.get("content-range") != "bytes */%d" % self.done:
            self._start_again(-1)
            raise NetworkError("range not satisfiable")
        self.total = self.done

    def _start_again(self, total):
        self.discard()
        self.total = total

    def _store(self, reader):
        """Append the body to the file; in flash, and so resumable, every SYNC bytes."""
        unsynced = 0
        with open(self._path, "ab") as file:
            while self.done < self.total:
                count = yield from reader.some(self.total - self.done)
                chunk = self._buffer[:count]
                self._hash.update(chunk)
                _write(file, chunk)
                self.done += count
                unsynced += count
                if unsynced >= limits.SYNC:
                    file.flush()
                    unsynced = 0
                yield 0


class _Reader:
    """Lines and then chunks of a response, through the download's buffer."""

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
                raise UpdateFailed(status.UPDATE_FAIL_HTTP, "header line too long")

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
                    raise UpdateFailed(status.UPDATE_FAIL_HTTP, name + " twice")
                found[name] = _ascii(value.strip())
        raise UpdateFailed(status.UPDATE_FAIL_HTTP, "too many headers")

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
        raise UpdateFailed(status.UPDATE_FAIL_HTTP, "header is not ASCII")
    return bytes(value).decode()


def _write(file, chunk):
    try:
        taken = file.write(chunk)
    except OSError as error:
        raise UpdateFailed(status.UPDATE_FAIL_STORAGE, "flash: %s" % error)
    if taken != len(chunk):
        raise UpdateFailed(status.UPDATE_FAIL_STORAGE, "flash took %s of %d bytes" % (taken, len(chunk)))


def _status_code(line):
    """Of `HTTP/1.1 206 Partial Content`."""
    parts = line.split(None, 2)
    if len(parts) < 2 or not line.startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise UpdateFailed(status.UPDATE_FAIL_HTTP, "not an HTTP response")
    return int(parts[1])


def _number(text):
    if not text.isdigit() or len(text) > 10:
        raise UpdateFailed(status.UPDATE_FAIL_HTTP, "not a length: " + text[:16])
    return int(text)


def _length(headers):
    if "content-length" not in headers:
        raise UpdateFailed(status.UPDATE_FAIL_HTTP, "no Content-Length")
    return _number(headers["content-length"])


def _encoded(headers):
    return headers.get("content-encoding", "identity") != "identity"


def _range(headers):
    """(first, total) of `bytes first-last/total`."""
    unit, _, rest = headers.get("content-range", "").partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    if unit != "bytes" or _number(last) + 1 != _number(total):
        raise UpdateFailed(status.UPDATE_FAIL_HTTP, "not a range to the end of the file")
    return _number(first), _number(total)
