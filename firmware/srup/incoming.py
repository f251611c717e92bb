"""The file that a bundle is downloaded to. `srup.straight` is for raw slots, with the same methods and names."""

from srup.errors import UpdateFailed
from srup.limits import SYNC
from srup.paths import remove
from srup.status import UPDATE_FAIL_SPACE, UPDATE_FAIL_STORAGE


class Incoming:
    """room: bytes that it may have altogether

    pausing: True where nothing more is taken before `go_on` · rereads: what was taken can be read again as it came
    """

    pausing = False
    rereads = True

    def __init__(self, path, room):
        self.path = path
        self.room = room
        self._file = None
        self._unsynced = 0

    def check(self, total):
        """Raise UpdateFailed if a file of so many bytes is not taken."""
        if total > self.room:
            raise UpdateFailed(UPDATE_FAIL_SPACE, "%d bytes, and room for %d" % (total, self.room))

    def kept(self, buffer):
        """Generator of what is in flash already, through the buffer (memoryview), in chunks; None between."""
        try:
            file = open(self.path, "rb")
        except OSError:
            return  # nothing yet
        with file:
            count = file.readinto(buffer)
            while count:
                yield buffer[:count]
                count = file.readinto(buffer)

    def append(self, chunk):
        """Generator: take the next bytes (memoryview); returns how many. In flash, and so resumable, every SYNC bytes."""
        try:
            self._file = self._file or open(self.path, "ab")
            taken = self._file.write(chunk)
            self._unsynced += len(chunk)
            if self._unsynced >= SYNC:
                self._file.flush()
                self._unsynced = 0
        except OSError as error:
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "flash: %s" % error)
        if taken != len(chunk):
            raise UpdateFailed(UPDATE_FAIL_STORAGE, "flash took %s of %d bytes" % (taken, len(chunk)))
        yield 0
        return taken

    def go_on(self):
        """Generator: what is to be done while `pausing`, before more is taken."""
        yield 0

    def close(self):
        """No more comes for a while. Raises OSError."""
        file, self._file, self._unsynced = self._file, None, 0
        if file:
            file.close()

    def finish(self):
        """All of it has come, and has the digest that it should have. Raises UpdateFailed."""

    def discard(self):
        """Forget what is there."""
        self.close()
        remove(self.path)
