"""Step 7. The two slots in raw flash, on firmware that leaves room for them: a ROMFS image in each (srup_boot.region)."""

from srup import bundle, limits
from srup.backing import Backing
from srup.errors import UpdateFailed
from srup.limits import const
from srup.paths import remove
from srup.status import UPDATE_FAIL_SPACE, UPDATE_FAIL_STORAGE
from srup_boot.record import NONE
from srup_boot.region import header, verify_image
from srup_boot.slot import BadSlot

_PAGE = const(256)  # what NOR flash takes at a time


class PartitionSlots(Backing):
    """As Backing. contents: srup_boot.region.Regions, or what else has `regions`"""

    kinds = ("romfs",)

    def __init__(self, root, choice, contents):
        super().__init__(root, choice)
        self._contents = contents

    def manifest(self, slot):
        """The manifest of what is in `slot`; None if there is no slot, or no valid header in it."""
        if slot == NONE:
            return None
        try:
            return bundle.check_manifest(self._contents.regions[slot].header()[0])
        except (OSError, BadSlot, UpdateFailed):
            return None

    def sweep(self):
        """Generator: what is in raw flash is erased when it is written over."""
        remove(self._opened)
        yield

    def _clear(self, slot):
        region = self._contents.regions[slot]
        region.erase(region.room)

    def _fill(self, unpacker, file, opened, slot):
        region, manifest = self._contents.regions[slot], opened.manifest
        if manifest["size"] > region.room:  # 6 there is room
            raise UpdateFailed(UPDATE_FAIL_SPACE, "%d bytes, and room for %d" % (manifest["size"], region.room))
        old = self._contents.regions[self.running] if manifest["base"] else None
        chunks = self._checked(unpacker.image(file, manifest, old))
        yield from self._write(region, chunks)  # 7 it reads back, and is the one meant
        try:
            verify_image(region, manifest["size"], manifest["tree"])
            self._write_header(region, opened)  # 8 the last: now it is whole
        except BadSlot as fault:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "flash reads back differently: %s" % fault)

    def _checked(self, chunks):
        """Generator: the image's chunks, looked at as they pass."""
        return chunks

    def _write(self, region, chunks):
        """Generator: as pages into one block after the other, each erased before."""
        pages, at = _Pages(min(limits.CHUNK, region.block)), 0
        for chunk in chunks:
            for page in pages.of(chunk):
                at = _append(region, at, page)
                yield
        for page in pages.rest():
            at = _append(region, at, page)

    def _write_header(self, region, opened):
        data = header(opened.manifest_bytes, opened.signature)
        data += b"\xff" * (-len(data) % _PAGE)
        region.program(region.room, data)
        if region.header() != (opened.manifest_bytes, opened.signature):
            raise BadSlot("its header")


def _append(region, at, page):
    if at % region.block == 0:
        region.erase(at)
    region.program(at, page)
    return at + len(page)


class _Pages:
    """Chunks of any length made into full buffers, which begin and end where a page does."""

    def __init__(self, size):
        self._buffer = memoryview(bytearray(size))
        self._size = size
        self._filled = 0

    def of(self, chunk):
        """Generator of what is full now that this has come."""
        while chunk:
            count = min(len(chunk), self._size - self._filled)
            self._buffer[self._filled : self._filled + count] = chunk[:count]
            self._filled += count
            chunk = chunk[count:]
            if self._filled == self._size:
                self._filled = 0
                yield self._buffer

    def rest(self):
        """Generator of what is left, up to the end of its last page."""
        size = self._filled + -self._filled % _PAGE
        for at in range(self._filled, size):
            self._buffer[at] = 0xFF
        if size:
            yield self._buffer[:size]
