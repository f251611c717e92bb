"""Step 7, the half that knows files: the body of a bundle into a folder, each file read back.

Everything here is a generator that yields after each chunk, file or record, so that whoever drives it stays responsive, and
works through one preallocated buffer. OSError passes through; what is wrong otherwise is UpdateFailed.
"""

import os
from binascii import hexlify

from srup import bundle, limits, port
from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BUNDLE, UPDATE_FAIL_STORAGE
from srup_boot.slot import is_folder

_OWN_FILES = const(3)  # of the slot: .index, .signature and .manifest


class Unpacker:
    """Where `file` is an argument, it is a bundle, binary, that stands at its body."""

    def __init__(self):
        self._buffer = memoryview(bytearray(limits.CHUNK))

    def check_body(self, file, manifest):
        """Raises UpdateFailed(UPDATE_FAIL_BUNDLE) unless it has the SHA-256 that the manifest says."""
        digest = port.sha256()
        for chunk in self._chunks(file, manifest["body_size"]):
            digest.update(chunk)
            yield
        if _hex(digest) != manifest["body"]:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "the body is another one")

    def measure(self, file, manifest, block):
        """Returns how many blocks of so many bytes the files may take; each record is checked on the way.

        A file takes its blocks and up to two more (rounding, and the file system's own words); a folder takes two.
        """
        need = 2 * _OWN_FILES + limits.INDEX // block
        last = ""
        for path, size, _ in bundle.records(file, manifest):
            need += size // block + 2 + 2 * _new_folders(path, last)
            last = path
            yield
        return need

    def unpack(self, file, manifest, folder):
        """Store every file, and the index of what was stored, which is to be the one that the manifest means."""
        tree = port.sha256()
        with open(folder + "/.index.new", "wb") as index:
            for path, size, data in bundle.records(file, manifest):
                digest = yield from self._store(data, size, folder, path)
                line = bundle.index_line(digest, size, path)
                index.write(line)
                tree.update(line)
        tree = _hex(tree)
        if tree != manifest["tree"]:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "the manifest means other files")
        yield from self._put_in_place(folder + "/.index", tree)

    def write(self, path, data):
        """Store a small file, bytes, all at once: it is there whole, or not at all."""
        with open(path + ".new", "wb") as file:
            file.write(data)
        yield from self._put_in_place(path, _hex(port.sha256(data)))

    def _store(self, data, size, folder, path):
        """One file, hashed as it comes; returns its SHA-256 in hex."""
        _make_folders(folder, path)
        path = folder + "/" + path
        digest = port.sha256()
        with open(path, "wb") as out:
            for chunk in self._chunks(data, size):
                out.write(chunk)
                digest.update(chunk)
                yield
        digest = _hex(digest)
        yield from self._read_back(path, digest)
        return digest

    def _put_in_place(self, path, expected):
        yield from self._read_back(path + ".new", expected)
        os.rename(path + ".new", path)

    def _read_back(self, path, expected):
        digest = port.sha256()
        with open(path, "rb") as file:
            for chunk in self._chunks(file, os.stat(path)[6]):
                digest.update(chunk)
                yield
        if _hex(digest) != expected:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "flash reads back differently")

    def _chunks(self, file, size):
        """Views of the next `size` bytes, or of as many as there are: their hash will tell."""
        while size:
            count = file.readinto(self._buffer[: min(size, limits.CHUNK)])
            if not count:
                return
            yield self._buffer[:count]
            size -= count


def exists(path):
    """True if there is a file or a folder."""
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def empty(folder):
    """Generator: remove all that is in a folder."""
    for name in os.listdir(folder):
        path = folder + "/" + name
        if is_folder(path):
            yield from empty(path)
            os.rmdir(path)
        else:
            os.remove(path)
        yield


def _make_folders(folder, path):
    """Those below `folder` that `path` is in. Raises UpdateFailed if the same bundle has one of them as a file."""
    at = path.find("/")
    while at > 0:
        parent = folder + "/" + path[:at]
        if not exists(parent):
            os.mkdir(parent)
        elif not is_folder(parent):
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "a file is a folder too")
        at = path.find("/", at + 1)


def _new_folders(path, last):
    """How many of the folders that `path` is in `last`, the path before it, is not in."""
    return sum(sign == "/" and not last.startswith(path[: at + 1]) for at, sign in enumerate(path))


def _hex(digest):
    return str(hexlify(digest.digest()), "ascii")
