"""Step 7. The two slots in raw flash, on firmware that leaves room for them: a ROMFS image in each (srup_boot.region)."""

from srup import bundle
from srup.backing import Backing
from srup.errors import UpdateFailed
from srup.limits import const
from srup.paths import remove
from srup.status import UPDATE_FAIL_SPACE, UPDATE_FAIL_STORAGE
from srup_boot.record import NONE
from srup_boot.region import header, image_of
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
        return self.described(slot)

    def described(self, slot):
        """What the header of its image says; None if there is none."""
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

    def into(self, keys, board, mpy):
        """As of Backing: an image of its own goes straight into its region."""
        from srup.straight import Straight  # now: an update may be a year away

        return Straight(self, self.room(), keys, board, mpy)

    def admits(self, manifest, board, mpy):
        """True if the image of this bundle, which a release key has signed, can go straight into its region; False where it has
        to be a file first. Raises UpdateFailed if it is for no slot of this device, or is too large."""
        if manifest["kind"] == "data":
            return False
        self.check(manifest, board, mpy)
        if manifest["base"] or manifest["kind"] == "app":
            return False
        self._check_size(manifest)
        return True

    def region(self):
        """Where the image of an update goes."""
        return self._contents.regions[self.other()]

    def files(self):
        """Where what comes after the image goes: of a set, the records of its files."""
        from srup.incoming import Incoming

        return Incoming(self.incoming + ".files", self.room())

    def install(self, unpacker, file, opened, board, mpy):
        """As of Backing. A file that is nothing but a header: the rest is in its region already."""
        if file.seek(0, 2) == opened.body_at:
            self.check(opened.manifest, board, mpy)
            yield from self._complete(unpacker, opened, self.other())
        else:
            file.seek(opened.body_at)
            yield from super().install(unpacker, file, opened, board, mpy)

    def _clear(self, slot):
        region = self._contents.regions[slot]
        region.erase(region.room)

    def _check_size(self, manifest):
        size, room = image_of(manifest)[0], self.region().room
        if size > room:
            raise UpdateFailed(UPDATE_FAIL_SPACE, "%d bytes, and room for %d" % (size, room))
        if manifest["image"]:
            self.files().check(manifest["expanded"] - size)

    def _fill(self, unpacker, file, opened, slot):
        manifest = opened.manifest
        self._check_size(manifest)  # 6 there is room
        yield from self._write(unpacker, file, manifest, self._contents.regions[slot])  # 7 it is the one meant
        yield from self._complete(unpacker, opened, slot)

    def _write(self, unpacker, file, manifest, region):
        """Generator: the image out of a bundle that is a file."""
        if manifest["base"]:
            from srup.raw_image import RawImage

            image = RawImage(region, image_of(manifest)[0])
            image.begin()
            for chunk in unpacker.image(file, manifest, self._contents.regions[self.running]):
                yield from image.write(chunk)
            return
        from srup.straight import Body

        body = Body(manifest, region, self.files())
        body.begin()
        try:
            for chunk in unpacker.chunks(file, manifest["body_size"]):
                yield from body.append(chunk)
        finally:
            body.close()
        body.finish()

    def _complete(self, unpacker, opened, slot):
        """Generator: the image reads back, and is whole; 8 then it has its header, and is a slot."""
        region, (size, tree) = self._contents.regions[slot], image_of(opened.manifest)
        yield from self._check_image(unpacker, region, size, tree)
        self._write_header(region, opened)

    def _check_image(self, unpacker, region, size, tree):
        yield from unpacker.read_back(region, size, tree)

    def _write_header(self, region, opened):
        data = header(opened.manifest_bytes, opened.signature)
        data += b"\xff" * (-len(data) % _PAGE)
        region.program(region.room, data)
        try:
            if region.header() == (opened.manifest_bytes, opened.signature):
                return
        except BadSlot:
            pass
        raise UpdateFailed(UPDATE_FAIL_STORAGE, "its header reads back differently")
