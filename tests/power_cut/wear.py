"""What an update and a command wear the flash, on a board as large as a Pico W's, with an application of 40 KB. MicroPython runs
this: `wear.py RELEASES` prints {backing: {"update": ..., "second-update": ..., "actions": ...}}, each with the pages programmed, the
blocks erased, how often the worst block was, and {block: erases}; `actions` is of ACTIONS commands, one after the other. Each
includes the question after it, which every story ends with."""

import json
import sys

from srup import limits
from tests.power_cut import machine, scenarios

ACTIONS = 200
REAL = limits.CHUNK, limits.SYNC, limits.UNPACK
machine.install()
limits.CHUNK, limits.SYNC, limits.UNPACK = REAL
machine.BLOCKS = scenarios.BLOCKS = 212  # what MicroPython leaves of a Pico W's 2 MB

from tests.power_cut import backings, cuts

backings._RAW = 16  # blocks of a raw slot
for backing in (backings.Regions, backings.Firmwares):
    backing.blocks = 2 * 16 + (2 if backing is backings.Firmwares else 0)
scenarios.SCENARIOS["actions"] = (
    "factory",
    tuple(("action", (number + 100) % 256) for number in range(ACTIONS)),
    "1.0",
)


class Wear:
    def __init__(self):
        self.pages = 0
        self.blocks = {}  # number: erases

    def record(self, board, block, offset, data):
        if data is None:
            self.blocks[block] = self.blocks.get(block, 0) + 1
        else:
            self.pages += 1

    def figures(self):
        erases = self.blocks.values()
        return {"pages": self.pages, "erases": sum(erases), "worst": max(erases), "blocks": self.blocks}


found = {}
for name in sorted(backings.BACKINGS):
    stories = cuts.Stories(sys.argv[1], name)
    found[name] = {"commands": ACTIONS}
    for story in ("update", "second-update", "actions"):
        wear, checks = Wear(), stories.checks(story)
        checks.run(stories.image(story), checks.server(), 0, wear.record)
        found[name][story] = wear.figures()
print(json.dumps(found))
