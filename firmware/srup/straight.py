"""A bundle that goes straight into raw flash as it is downloaded, and so may be larger than the file system.

Its header comes first, into a file, and there the connection ends: the rest is asked for once a release key has signed the
manifest, and the manifest means this device. Then the other slot is none any more, and the image goes into its region as it comes.
One that is sent as it is goes on after a power cut (`srup.raw_image`); one that is deflated begins again. Of a set, the records of
its files come after the image, and go into a file. A bundle that is none of this becomes a file, as for any other slots.

Nothing of it is a slot before all of the file was what INITIATE names and has been read back: `PartitionSlots.install`.
"""

import os
from binascii import hexlify

from srup import auth, bundle, late, limits, port
from srup.errors import BadSignature, UpdateFailed
from srup.incoming import Incoming
from srup.limits import const
from srup.paths import exists
from srup.raw_image import RawImage
from srup.status import UPDATE_FAIL_BUNDLE
from srup_boot.region import image_of

_HEAD = const(75)  # magic, signature, and how long the manifest is


class Straight(Incoming):
    """As Incoming. slots: PartitionSlots · room: bytes that a file may have · keys, board, mpy: as for
    `Backing.stage`"""

    def __init__(self, slots, room, keys, board, mpy):
        super().__init__(slots.incoming, room)  # this file is there once its header has been looked at
        self._slots = slots
        self._head = Incoming(slots.incoming + ".head", limits.MANIFEST + _HEAD)
        self._who = keys, board, mpy
        self._seen = b""  # the first _HEAD bytes
        self._at = 0
        self._why = ""  # it is not looked at as a bundle before it is a file
        self._body = None  # where the rest goes, if not into the file
        self._judged = exists(self.path)
        self._resumed = self._judged  # and is to be judged once more

    def check(self, total):
        if self._body:
            self._body.check(total)
        elif self._judged:
            if self._why and total > self.room:
                raise UpdateFailed(UPDATE_FAIL_BUNDLE, self._why)
            super().check(total)

    def kept(self, buffer):
        resumed, self._resumed = self._resumed, False
        if resumed:
            yield from self._judge(self.path)
            if self._body and self._body.begins != os.stat(self.path)[6]:
                self.discard()  # an agent that made a file of everything has left it
        if not self._judged:
            self._head.discard()  # it was not all there
            return
        yield from super().kept(buffer)
        if self._body and resumed:
            yield from self._body.kept(buffer)

    def append(self, chunk):
        if self._judged:
            taker = self._body.append if self._body else super().append
            return (yield from taker(chunk))
        count = self._of_header(chunk)
        yield from self._head.append(chunk[:count])
        return count

    def _of_header(self, chunk):
        """How many of these bytes still belong to the header."""
        if self._at < _HEAD:
            self._seen += bytes(chunk[: _HEAD - self._at])
        count = len(chunk)
        if len(self._seen) == _HEAD:
            end = _HEAD + min(int.from_bytes(self._seen[-4:], "big"), limits.MANIFEST)
            count = min(count, end - self._at)
            self.pausing = self._at + count == end
        self._at += count
        return count

    def go_on(self):
        if self._judged:
            return
        self._head.close()
        if self.pausing:  # or it has ended within what should be its header
            yield from self._judge(self._head.path)
        if self._body:
            self._slots.discard_other()
            self._body.begin()
        os.rename(self._head.path, self.path)
        self._judged, self.pausing = True, False
        yield 0

    def _judge(self, path):
        """Generator: does it go straight in? Raises UpdateFailed if it is for no slot of this device."""
        keys, board, mpy = self._who
        try:
            with open(path, "rb") as file:
                opened = bundle.open_bundle(file)
            auth.check_release(keys, opened.signed(), opened.signature)
        except (BadSignature, UpdateFailed) as error:
            self._why = str(error)
            return
        finally:
            late.let_go_of_p256()
        yield 0
        if self._slots.admits(opened.manifest, board, mpy):
            self._body = Body(opened.manifest, self._slots.region(), self._slots.files())
            self.rereads = False
            self._body.begins = opened.body_at

    def finish(self):
        if self._body:
            self._body.finish()

    def close(self):
        self._head.close()
        if self._body:
            self._body.close()
        super().close()

    def discard(self):
        self.close()
        self._slots.drop_incoming()
        self._judged, self._at, self._seen, self._body, self._why = False, 0, b"", None, ""
        self.rereads, self.pausing = True, False


class Body:
    """The body of a bundle that is no delta, into a region, and what follows the image into a file.

    region: srup_boot.region.Region · rest: Incoming, for the records of a set's files
    """

    begins = 0  # offset in the file

    def __init__(self, manifest, region, rest):
        size, self._tree = image_of(manifest)
        self._manifest = manifest
        self._raw = RawImage(region, size)
        self._rest = rest
        self._served = self._digest = self._inflate = None
        self._left = 0  # of the body, as served

    def check(self, total):
        if total != self.begins + self._manifest["body_size"]:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "the body is another one")

    def begin(self):
        """From its beginning."""
        self._rest.discard()
        self._raw.begin()
        self._count()
        if self._manifest["window"]:
            from srup.inflate import Inflate  # now: not every image is deflated

            self._inflate = Inflate(self._manifest["window"], self._manifest["expanded"])

    def kept(self, buffer):
        """Generator, as of Incoming."""
        is_whole = exists(self._rest.path)
        if self._manifest["window"]:
            self.begin()
            return
        self._count()
        for chunk in self._raw.kept(buffer, is_whole):
            if chunk:
                self._digest.update(chunk)
                self._pass(chunk)
            yield chunk
        if is_whole:
            for chunk in self._rest.kept(buffer):
                self._pass(chunk)
                yield chunk

    def _count(self):
        self._served, self._digest = port.sha256(), port.sha256()
        self._left = self._manifest["body_size"]

    def _pass(self, chunk):
        self._served.update(chunk)
        self._left -= len(chunk)

    def append(self, chunk):
        """Generator, as of Incoming."""
        self._pass(chunk)
        if not self._inflate:
            yield from self._take(chunk)
        else:
            for piece in self._inflate.push(chunk, self._left == 0):
                yield from self._take(piece)
        return len(chunk)

    def finish(self):
        """Raise UpdateFailed(UPDATE_FAIL_BUNDLE) unless what came is what the manifest means."""
        if self._left or _hex(self._served) != self._manifest["body"] or _hex(self._digest) != self._tree:
            raise UpdateFailed(UPDATE_FAIL_BUNDLE, "the manifest means another body")

    def _take(self, data):
        """Generator: the next bytes, decoded."""
        image = data[: min(len(data), self._raw.left)]
        if image:
            self._digest.update(image)
            yield from self._raw.write(image)
        if len(data) > len(image) or (not self._raw.left and self._manifest["image"]):
            yield from self._rest.append(data[len(image) :])

    def close(self):
        self._rest.close()


def _hex(digest):
    return str(hexlify(digest.digest()), "ascii")
