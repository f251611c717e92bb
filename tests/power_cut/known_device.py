"""known.py on made-up boards, of which it is plain what they read. MicroPython runs this, and it prints `ok` for each story."""

from tests.power_cut.flash import BLOCK, ERASED, PAGE, Flash
from tests.power_cut.known import Known, Story


class World:
    def __init__(self, knows):
        self.knows = knows

    def save(self):
        return self.knows


class Board:
    boots = 0

    def __init__(self, image, knows=0):
        self.flash = Flash(image)
        self.server = World(knows)


def changed(image, block, at):
    other = bytearray(image[block])
    other[at] ^= 1
    return image[:block] + [other] + image[block + 1 :]


def known_after(known, life, *boards):
    """Is the last of these boards taken for a repetition of those before it?"""
    found = False
    for board in boards:
        story = Story(known, lambda: None)
        found = story.starting(board)
        if not found:
            life(board.flash)
        story.ended(board.server)
    return found


def reads_then_erases(flash):
    page = bytearray(PAGE)
    flash.readblocks(0, page, 512)
    flash.ioctl(6, 1)
    flash.readblocks(1, page, 0)
    flash.writeblocks(2, bytes(PAGE), 256)


IMAGE = [bytes(range(256)) * 16, b"\x55" * BLOCK, ERASED, ERASED]

# What was not read, or not before it was erased, may be otherwise.
for block, at in ((0, 511), (0, 768), (1, 0), (1, 4000), (2, 255), (3, 0)):
    assert known_after(Known(), reads_then_erases, Board(IMAGE), Board(changed(IMAGE, block, at))), (block, at)
print("ok")

# What was read may not, nor what was programmed; nor the world.
for block, at in ((0, 512), (0, 767), (2, 256), (2, 511)):
    assert not known_after(Known(), reads_then_erases, Board(IMAGE), Board(changed(IMAGE, block, at))), (block, at)
assert not known_after(Known(), reads_then_erases, Board(IMAGE), Board(IMAGE, 1))
print("ok")


# Where a later boot reads it, or an earlier one has erased it, that counts.
def two_boots(second):
    known, board = Known(), Board(IMAGE)
    story = Story(known, lambda: None)
    story.starting(board)
    reads_then_erases(board.flash)
    board.flash = Flash(board.flash.image())
    story.starting(board)
    second(board.flash)
    story.ended(board.server)
    return known


def reads_all(flash):
    for block in range(4):
        flash.readblocks(block, bytearray(BLOCK))


known = two_boots(reads_all)
assert known_after(known, reads_all, Board(changed(IMAGE, 1, 9)))  # erased by the first
assert not known_after(known, reads_all, Board(changed(IMAGE, 3, 9)))  # read by the second
print("ok")
