"""Step 7, the half that knows files: the body of a bundle into a folder, each file read back; or the image that it is.

Everything here is a generator that yields after each chunk, file or record, so that whoever drives it stays responsive, and
works through one preallocated buffer. OSError passes through; what is wrong otherwise is UpdateFailed.
"""

import os
from binascii import hexlify

from srup import bundle, limits, port, records
from srup.errors import UpdateFailed
from srup.limits import const
from srup.paths import exists
from srup.status import UPDATE_FAIL_BUNDLE, UPDATE_FAIL_STORAGE
from srup_boot.slot import is_folder

_OWN_FILES = const(3)  # of the slot: .index, .signature and .manifest
_WORDS = const(16)
_ENTRY = const(256)  # bytes: a name and a few words; and a folder's blocks may be half empty


class Unpacker:
    """Where `file` is an argument, it is a bundle, binary, that stands at its body; `base` is the folder of the slot that a
    delta applies to."""

    def __init__(self):
        self._buffer = memoryview(bytearray(limits.UNPACK))

    def check_body(self, file, manifest):
        """Raises UpdateFailed(UPDATE_FAIL_BUNDLE) unless it has the SHA-256 that the manifest says."""
        digest = port.sha256()
        for chunk in self.chunks(file, manifest["body_size"]):
            digest.update(chunk)
            yield
        if _hex(digest) != manifest["body"]:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "the body is another one")

    def measure(self, file, manifest, base, block):
        """Returns how many blocks of so many bytes the files may take; each record is checked on the way.

        A file takes its blocks, of which each begins with some words of littlefs, and an entry in its folder; a folder takes a
        pair of blocks for so many entries.
        """
        need = 2 * _OWN_FILES + limits.INDEX // block
        files, last = 0, ""
        for found in _records(file, manifest, base):
            if found:
                path, size, _ = found
                need += size // (block - _WORDS) + 1 + 2 * _new_folders(path, last)
                files, last = files + 1, path
            yield
        return need + 2 * (files * _ENTRY // block)

    def unpack(self, file, manifest, base, folder):
        """Store every file, and the index of what was stored, which is to be the one that the manifest means."""
        tree = port.sha256()
        with open(folder + "/.index.new", "wb") as index:
            for path, size, source in _records(file, manifest, base):
                digest = yield from self._store(source, size, folder, path)
                line = bundle.index_line(digest, size, path)
                index.write(line)
                tree.update(line)
        tree = _hex(tree)
        _check_result(tree, manifest)
        yield from self._put_in_place(folder + "/.index", tree)

    def image(self, file, manifest, old=None):
        """Generator of the image that the body is, or that it makes of the one that runs, in chunks (memoryview).

        old: the running image, with readinto and seek, for a delta. Raises UpdateFailed at its end unless it was the one that
        the manifest means.
        """
        body = source = records.Body(file, manifest)
        if manifest["base"]:
            from srup.patch import Patch

            source = Patch(body, body.left, old, manifest["size"])
        digest = port.sha256()
        for chunk in self.chunks(source, manifest["size"]):
            digest.update(chunk)
            yield chunk
        body.end()
        _check_result(_hex(digest), manifest)

    def write(self, path, data):
        """Store a small file, bytes, all at once: it is there whole, or not at all."""
        with open(path + ".new", "wb") as file:
            file.write(data)
        yield from self._put_in_place(path, _hex(port.sha256(data)))

    def _store(self, source, size, folder, path):
        """One file, hashed as it comes; returns its SHA-256 in hex."""
        _make_folders(folder, path)
        path = folder + "/" + path
        digest = port.sha256()
        with open(path, "wb") as out:
            for chunk in self.chunks(source, size):
                out.write(chunk)
                digest.update(chunk)
                yield
        digest = _hex(digest)
        if source.digest not in (None, digest):
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "the slot that runs is damaged: " + path)
        yield from self._read_back(path, digest)
        return digest

    def _put_in_place(self, path, expected):
        yield from self._read_back(path + ".new", expected)
        os.rename(path + ".new", path)

    def _read_back(self, path, expected):
        with open(path, "rb") as file:
            yield from self.read_back(file, os.stat(path)[6], expected)

    def read_back(self, file, size, expected):
        """Raises UpdateFailed(UPDATE_FAIL_STORAGE) unless so many bytes of a file, or a region, have this SHA-256 (hex)."""
        digest = port.sha256()
        file.seek(0)
        for chunk in self.chunks(file, size):
            digest.update(chunk)
            yield
        if _hex(digest) != expected:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "flash reads back differently")

    def chunks(self, file, size):
        """Views of the next `size` bytes, or of as many as there are: their hash will tell."""
        while size:
            count = file.readinto(self._buffer[: min(size, limits.UNPACK)])
            if not count:
                return
            yield self._buffer[:count]
            size -= count


def _records(file, manifest, base):
    """Generator: as `records.records`."""
    slot = records.Base(base) if manifest["base"] else None
    try:
        yield from records.records(records.Body(file, manifest), manifest, slot)
    finally:
        if slot:
            slot.close()


def _check_result(tree, manifest):
    if tree != manifest["tree"]:
        # The body is the one that was signed: then the base is not what it was.
        whose = UPDATE_FAIL_STORAGE if manifest["base"] else UPDATE_FAIL_BUNDLE
        raise UpdateFailed(whose, "the manifest means other files")


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
