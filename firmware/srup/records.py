"""The body of a bundle of files: a stream of records, in the ascending order of their paths as bytes (docs/bundle.md).

    0x01 put    | L16 path | L32 size | the file
    0x02 keep   | L16 path | L16 count                       files of the base, from that path on, in the base's order
    0x03 patch  | L16 path | L32 size | L32 length | patch   a patch (srup.patch) to the base's file of that path

keep and patch are for a delta alone: the base is the slot that runs, and its index says what is in it. Files of the base
that no record names are not in the new slot.

Whatever is not exactly so raises UpdateFailed(UPDATE_FAIL_BUNDLE). No declared length is used for an allocation.
"""

from srup import bundle, limits, port
from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BUNDLE, UPDATE_FAIL_STORAGE

PUT = const(1)
KEEP = const(2)
PATCH = const(3)

_INDEX_LINE = const(67)  # digest, two spaces and the line's end
_LINE = const(256)  # longer than any line of an index
_EINVAL = const(22)  # what a stream that is no deflate raises


class Body:
    """The body, decoded, as a stream of exactly as many bytes as the manifest says.

    file: binary and seekable, standing at the body, which has the SHA-256 of the manifest. left: bytes to come.
    """

    digest = None  # of a file, known before it is read

    def __init__(self, file, manifest):
        self._file = file
        self._end = file.tell() + manifest["body_size"]
        self._source = port.inflate(file, manifest["window"]) if manifest["window"] else file
        self._few = memoryview(bytearray(limits.PATH))
        self.left = manifest["expanded"]

    def readinto(self, buffer):
        """Read into the buffer, at least a byte; returns how many. Never beyond the end, whatever follows there."""
        if len(buffer) > self.left:
            raise bad("ends too early")
        count = self._decode(buffer)
        if not count:
            raise bad("ends too early")
        self.left -= count
        return count

    def few(self, size):
        """The next `size` bytes, at most limits.PATH, as a view that the next call overwrites."""
        view = self._few[:size]
        at = 0
        while at < size:
            at += self.readinto(view[at:])
        return view

    def number(self, size):
        """The next `size` bytes as a number."""
        return int.from_bytes(self.few(size), "big")

    def skip_to(self, left):
        """Generator: read on, in pieces, until so many bytes are to come."""
        while self.left > left:
            self.readinto(self._few[: self.left - left])
            yield

    def end(self):
        """Nothing comes after what was announced, neither decoded nor in the file."""
        if self.left or (self._source is not self._file and self._decode(self._few[:1])):
            raise bad("more in the body than the manifest says")
        if self._file.tell() != self._end or self._file.read(1):
            raise bad("bytes after the body")

    def _decode(self, buffer):
        return decode(self._source, buffer)


def decode(stream, buffer):
    """`readinto` of a stream that may be port.inflate's."""
    try:
        return stream.readinto(buffer)
    except EOFError:
        raise bad("ends too early")
    except OSError as error:
        if error.errno != _EINVAL:
            raise
        raise bad("not deflate")


class Base:
    """The slot that runs, by its index. folder: of the slot. Each file is asked for once, in their order."""

    def __init__(self, folder):
        self._folder = folder
        self._index = open(folder + "/.index", "rb")

    def find(self, path):
        """(path, size, Kept) of a file; those before it are passed."""
        while True:
            found = self.next()
            if found[0] == path:
                return found
            if found[0].encode() > path.encode():
                raise bad("not in the base: " + path)

    def next(self):
        """(path, size, Kept) of the next file."""
        line = self._index.readline(_LINE)
        if not line:
            raise bad("not in the base")
        try:
            digest, size, path = str(line, "utf-8")[:-1].split(" ", 2)
            return path, int(size), Kept(self._folder + "/" + path, digest)
        except ValueError:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "the index of the slot that runs is damaged")

    def close(self):
        self._index.close()


class Kept:
    """A file of the base, opened when it is first read. digest: its SHA-256 in hex"""

    def __init__(self, path, digest):
        self._path = path
        self._file = None
        self.digest = digest

    def readinto(self, buffer):
        return self._opened().readinto(buffer)

    def seek(self, at):
        self._opened().seek(at)

    def close(self):
        if self._file:
            self._file.close()

    def _opened(self):
        self._file = self._file or open(self._path, "rb")
        return self._file


def records(body, manifest, base=None):
    """Generator of (path, size, source) for each file of the new slot: source.readinto gives its bytes.

    body: Body · base: Base, for a delta. Whoever takes a source reads all of `size` from it, or nothing: then it is passed
    over, and None comes between the pieces of that. Order, counts and sizes are checked on the way, and at the end that the
    manifest told the truth about them.
    """
    tally = _Tally()
    while body.left:
        for found in _record(body, base):
            if found:
                tally.add(found[0].encode(), found[1])
            yield found
    body.end()
    if (tally.files, tally.size) != (manifest["files"], manifest["size"]):
        raise bad("the manifest counts other files")


class _Tally:
    """What there was so far."""

    def __init__(self):
        self.files = self.size = self._index = 0
        self._last = b""

    def add(self, path, size):
        if path <= self._last:
            raise bad("paths out of order")
        self._last = path
        self.files += 1
        self.size += size
        self._index += _INDEX_LINE + len(str(size)) + len(path)
        if self.files > limits.FILES or self._index > limits.INDEX:
            raise bad("too many files")


def _record(body, base):
    op, path = body.number(1), _path(body)
    if op == PUT:
        size = body.number(4)
        yield from _whole(body, size, path, size, body)
    elif op == KEEP and base:
        yield from _keep(body.number(2), base, path)
    elif op == PATCH and base:
        yield from _patched(body, base, path)
    else:
        raise bad("not a record")


def _path(body):
    size = body.number(2)
    if size > limits.PATH:
        raise bad("path too long")
    try:
        path = str(body.few(size), "utf-8")
    except UnicodeError:
        raise bad("path is not UTF-8")
    bundle.check_path(path)
    return path


def _whole(body, length, path, size, source):
    """The next `length` bytes of the body are the source's: all of them, or else they are passed over."""
    before, after = body.left, body.left - length
    if after < 0:
        raise bad("a record longer than the body")
    yield path, size, source
    if body.left not in (before, after):
        raise bad("a record with more in it than its file needs")
    yield from body.skip_to(after)


def _keep(count, base, path):
    if not count:
        raise bad("keeps nothing")
    found = base.find(path)
    while True:
        try:
            yield found
        finally:
            found[2].close()
        count -= 1
        if not count:
            return
        found = base.next()


def _patched(body, base, path):
    from srup.patch import Patch  # now: most boards never meet one

    size, length = body.number(4), body.number(4)
    old = base.find(path)[2]
    try:
        yield from _whole(body, length, path, size, Patch(body, length, old, size))
    finally:
        old.close()


def bad(why):
    return UpdateFailed(UPDATE_FAIL_BUNDLE, why)
