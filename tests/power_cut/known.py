"""What has been run already need not be run again. Runs on MicroPython.

A board that starts has nothing but its flash and the world that it is in (fresh.py). So what it does follows from what it reads
of its flash, and from what the world answers. If a second board starts in the same world, and its flash holds the same bytes
in each page that the first one read before it had erased the block, up to the end of its story, then the second does
exactly what the first did, and ends as that ended. Its flash may differ in all else: in the torn page of a block that
no file has, say, which is erased before anyone looks at it.

Known remembers the boots of the latest boards that ended well. With `distrust` it is put to the test: what is known is run
all the same, and must end as foretold.
"""

from hashlib import sha256

import micropython

from tests.power_cut.flash import PAGES, READ, UNTOUCHED

KEPT = 48  # boots that are remembered
LONGEST = 40  # boots until a board is quiet; more are a loop


class Known:
    """Of one scenario. distrust: leave nothing out, and raise Wrong where that shows that it would have been wrong to"""

    def __init__(self, distrust=False):
        self.distrust = distrust
        self.met = 0  # boards that were not run to their end, or would not have been
        self._boots = {}  # world: [_Boot]
        self._order = []  # the worlds of them all, the latest last

    def find(self, world, image, boots_left):
        """The boot that this one is a repetition of, or None. boots_left: that it may take to the end"""
        for boot in self._boots.get(world, ()):
            if boot.boots <= boots_left and _agree(image, boot):
                return boot
        return None

    def keep(self, world, boot):
        self._boots.setdefault(world, []).append(boot)
        self._order.append(world)
        if len(self._order) > KEPT:
            oldest = self._order.pop(0)
            self._boots[oldest].pop(0)
            if not self._boots[oldest]:
                del self._boots[oldest]


class Story:
    """Of one board: its boots. known: Known, or None to remember nothing · what: callable giving what counts for it besides the
    flash and the world"""

    def __init__(self, known, what):
        self._known = known
        self._what = what
        self._boots = []  # (world, flash)
        self._met = None

    def starting(self, board):
        """Of machine.Board: True if what comes now is known to end well."""
        if not self._known:
            return False
        world = _digest((self._what(), board.server.save()))
        found = self._known.find(world, board.flash.began, LONGEST - board.boots)
        if found and not self._met:
            self._met = found
            self._known.met += 1
        if self._met and not self._known.distrust:
            return True
        self._boots.append((world, board.flash))
        return False

    def is_known(self):
        """Was the end of it left out?"""
        return self._met is not None and not self._known.distrust

    def ended(self, server):
        """And well. Raises Wrong."""
        if not self._known:
            return
        met = self._met
        if self._known.distrust and met and met.end != _digest(server.save()):
            raise Wrong("a board that was taken for a repetition of another one has ended otherwise")
        rest = met if self.is_known() else None
        needed = bytearray(rest.needed if rest else len(self._boots[-1][1].pages))
        boots, end = (rest.boots, rest.end) if rest else (0, _digest(server.save()))
        for world, flash in reversed(self._boots):
            _before(flash.pages, needed, len(needed))
            boots += 1
            self._known.keep(world, _Boot(flash.began, bytes(needed), boots, end))


class Wrong(Exception):
    pass


class _Boot:
    """image: that it started with · needed: for each page of it, was it read before it was erased, up to the end of the story?
    boots: up to there · end: what it ended with"""

    def __init__(self, image, needed, boots, end):
        self.image = image
        self.needed = needed
        self.boots = boots
        self.end = end


def _digest(what):
    return sha256(repr(what).encode()).digest()


def _agree(image, boot):
    for block, (one, other) in enumerate(zip(image, boot.image)):
        if one is not other and not _same(one, other, boot.needed, block * PAGES):
            return False
    return True


@micropython.viper
def _same(one: ptr8, other: ptr8, needed: ptr8, first: int) -> bool:  # noqa: F821 - viper's types
    """Are the pages of a block the same, as far as they are needed?"""
    words, others = ptr32(one), ptr32(other)  # noqa: F821
    for page in range(16):
        if needed[first + page]:
            at = page << 6
            end = at + 64
            while at < end:
                if words[at] != others[at]:
                    return False
                at += 1
    return True


@micropython.viper
def _before(pages: ptr8, needed: ptr8, count: int):  # noqa: F821
    """needed: by what comes after a boot; then by that boot and what comes after it. pages: Flash.pages at its end."""
    read, untouched = int(READ), int(UNTOUCHED)
    for page in range(count):
        if pages[page] == read:
            needed[page] = 1
        elif pages[page] != untouched:
            needed[page] = 0
