"""FileSlots with something in them, and what the next start makes of that."""

import sys

from srup import slots
from srup_boot import record, start
from srup_boot.record import NONE
from tests.unit.boot_record import save
from tests.unit.bundles import ReleaseKeys, build
from tests.unit.scratch import write

KEYS = ReleaseKeys()
NEW = (("app.py", b"VERSION = 2\n"), ("lib/new.py", b"pass\n" * 600))
ON_NONE = start.Choice(NONE, False, None, "", NONE)
ON_A = start.Choice(0, False, None, "", NONE)
ON_B = start.Choice(1, False, None, "", NONE)


def stage(board, data, name="UNIX", mpy="6.3"):
    """Stage a bundle; the number of pieces that it came in."""
    write(board.incoming, data)
    return len(list(board.stage(KEYS, name, mpy)))


def with_slot_a(root, **fields):
    """FileSlots of a board whose slot a runs, with FILES in it."""
    stage(slots.FileSlots(root, ON_NONE), build())
    save(root, active=0, **fields)
    return slots.FileSlots(root, ON_A)


def boot(root):
    """What the next start of the board makes of it: FileSlots, and the Choice. It is a good start."""
    path = sys.path[:]
    arm, start.hw.arm = start.hw.arm, lambda seconds: None
    try:
        choice = start.choose(root)
    finally:
        sys.path[:] = path
        start.hw.arm = arm
    if not choice.trial:
        record.load(root).stable(choice.slot, root)
    return slots.FileSlots(root, choice), choice
