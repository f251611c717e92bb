"""Step 6. HTTPS -> flash: one file, hashed as it streams through one preallocated buffer, resumed where it broke off.

`Download.run` is a generator: each `next` moves at most one chunk, so that the application goes on. What an interruption
left in flash (a cut connection's, or a power cut's) is hashed again from there, which verifies it too, and the rest is asked
for with Range (RFC 9110, section 14). What goes wrong ends as UpdateFailed with the status that the paper's Table V and
protocol.md name for it.
"""

from srup import http, limits, port, status
from srup.errors import HttpError, NetworkError, TlsError, UpdateFailed
from srup.limits import const
from srup.link import Link

_PREFIX = "https://"
_ROUND = const(1000)  # milliseconds


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
    """One file. url: bytes · digest: SHA-256, 32 bytes · into: where it goes, as Incoming · authorities: [DER bytes]

    allowed: ["host:port"] · attempts: connections in a row that bring nothing before it is given up · other_date: called when TLS
    fails; True where the clock has changed and it is worth one more try (Clock.other_date) · log: called with a line of text about
    each connection that failed and is tried again.
    """

    def __init__(
        self,
        url,
        digest,
        into,
        authorities,
        allowed,
        attempts=limits.DOWNLOAD_ATTEMPTS,
        other_date=lambda: False,
        log=lambda text: None,
    ):
        self._host, self._port, self._target = split_url(url, allowed)
        self._digest = digest
        self._into = into
        self._authorities = authorities
        self._attempts = attempts
        self._other_date = other_date
        self._log = log
        self._buffer = memoryview(bytearray(limits.CHUNK))
        self._hash = None
        self._skip = 0  # bytes of the body that are in flash already
        self._answered = False  # the server has answered over a connection that we trust
        self._restarts = 0  # how often the server has had it begin again
        self._patience = limits.PATIENCE  # milliseconds that the network may still take; each byte brings some
        self.done = 0  # bytes in flash
        self.total = -1  # bytes of the whole file, once known

    def run(self):
        """Generator: yields between pieces of work, milliseconds to wait before the next. Returns when the file is whole."""
        yield from self._rehash()
        failures = 0
        redated = False
        while self.done != self.total:
            before = self.done
            fetching = self._fetch()
            try:
                since = port.ticks_ms()
                for pause in fetching:
                    yield pause
                    since = self._wait(since)
                yield from self._into.go_on()
            except TlsError as error:
                if redated or not self._other_date():
                    raise UpdateFailed(status.UPDATE_FAIL_SERVER, str(error))
                redated = True
                self._log("download: %s; again with another date" % error)
            except NetworkError as error:
                failures = 1 if self.done > before else failures + 1
                if failures >= self._attempts:
                    raise UpdateFailed(self._gave_up(), str(error))
                self._log("download: %s; again, attempt %d of %d" % (error, failures + 1, self._attempts))
                pause = min(limits.RETRY_PAUSE << failures, limits.RETRY_PAUSE_MOST)
                self._patience -= pause
                yield pause
            except HttpError as error:
                raise UpdateFailed(status.UPDATE_FAIL_HTTP, str(error))
            finally:
                fetching.close()
        yield from self._check()

    def _wait(self, since):
        """Some time has passed since ticks `since`; the ticks of now. Raises UpdateFailed when that is too much altogether. A second
        counts at most: an application that calls us once a minute makes no server slow."""
        now = port.ticks_ms()
        self._patience -= min(max(port.ticks_diff(now, since), 0), _ROUND)
        if self._patience < 0:
            raise UpdateFailed(self._gave_up(), "%d bytes, and too slow" % self.done)
        return now

    def _gave_up(self):
        return status.UPDATE_FAIL_FILE if self._answered else status.UPDATE_FAIL_SERVER

    def _rehash(self):
        """Hash what is in flash already: `done` bytes of it."""
        self._hash = port.sha256()
        self.done = 0
        for chunk in self._into.kept(self._buffer):
            if chunk:
                self._hash.update(chunk)
                self.done += len(chunk)
            yield 0

    def _check(self):
        """The digest as it streamed, then what the flash reads back."""
        if self._hash.digest() != self._digest:
            self.discard()
            raise UpdateFailed(status.UPDATE_FAIL_DIGEST, "the file is another one")
        self._into.finish()
        if not self._into.rereads:
            return
        yield from self._rehash()
        if self._hash.digest() != self._digest:
            self.discard()
            raise UpdateFailed(status.UPDATE_FAIL_STORAGE, "flash reads back differently")

    def discard(self):
        """Forget what is in flash."""
        self._into.discard()
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
            reader = http.Reader(link, self._buffer)
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
        code = http.status_code(line)
        headers = yield from reader.headers()
        if code in (404, 410):
            raise UpdateFailed(status.UPDATE_FAIL_FILE, "HTTP %d" % code)
        if code == 416 and self.done:
            self._nothing_left(headers)
            return
        if code not in (200, 206) or "transfer-encoding" in headers or http.encoded(headers):
            raise UpdateFailed(status.UPDATE_FAIL_HTTP, "HTTP %d" % code)
        length = http.length(headers)
        self._skip = 0
        if code == 200 and length >= self.done:  # of all of it, by a server that knows no ranges
            self.total, self._skip = length, self.done
        elif code == 200:
            self._start_again(length)
        elif http.content_range(headers) != (self.done, self.done + length):
            raise UpdateFailed(status.UPDATE_FAIL_HTTP, "another range than was asked for")
        else:
            self.total = self.done + length
        self._into.check(self.total)

    def _nothing_left(self, headers):
        """416: what is in flash is the whole file, fetched before a power cut; or it is no part of it."""
        if headers.get("content-range") != "bytes */%d" % self.done:
            self._start_again(-1)
            raise NetworkError("range not satisfiable")
        self.total = self.done

    def _start_again(self, total):
        self._restarts += 1
        if self._restarts > self._attempts:  # a byte of progress between two of them would have it go on for ever
            raise UpdateFailed(status.UPDATE_FAIL_FILE, "the server has it begin again and again")
        self.discard()
        self.total = total

    def _store(self, reader):
        """Have the body taken, until it ends or its taker has something else to do first."""
        try:
            if not self.total:
                yield from self._into.append(self._buffer[:0])  # an empty file is one, too
            while self.done < self.total and not self._into.pausing:
                count = yield from reader.some(self.total - self.done)
                if self._skip:  # what we have
                    passed = min(self._skip, count)
                    self._skip -= passed
                    self._buffer[: count - passed] = bytes(self._buffer[passed:count])
                    count -= passed
                if count:
                    count = yield from self._into.append(self._buffer[:count])
                self._hash.update(self._buffer[:count])
                self.done += count
                self._patience += count * limits.PATIENCE_BYTE
                yield 0
        finally:
            self._into.close()
