"""What an update wears the flash, on a board as large as a Pico W's, with an application of 40 KB. MicroPython runs this: `wear.py
RELEASES` prints {backing: {"update": ..., "second-update": ..., "action": ...}}, each with the pages programmed, the blocks
erased, how often the worst block was, and {block: erases}; the last includes the question after it, which every story ends with."""

import json
import sys

from srup import limits
from tests.power_cut import machine, scenarios

REAL = limits.CHUNK, limits.SYNC
machine.install()
limits.CHUNK, limits.SYNC = REAL
machine.BLOCKS = scenarios.BLOCKS = 212  # what MicroPython leaves of a Pico W's 2 MB

from tests.power_cut import backings, cuts

backings._RAW = 16  # blocks of a raw slot
for backing in (backings.Regions, backings.Firmwares):
    backing.blocks = 2 * 16 + (2 if backing is backings.Firmwares else 0)
scenarios.SCENARIOS["action"] = ("factory", (("action", 1),), "1.0")


def worn(run):
    erases = {}
    for block, _, data, *_ in run.points[:-1]:
        if data is None:
            erases[block] = erases.get(block, 0) + 1
    pages = len(run) - sum(erases.values())
    return {
        "pages": pages,
        "erases": sum(erases.values()),
        "worst": max(list(erases.values()) or [0]),
        "blocks": erases,
    }


found = {}
for name in sorted(backings.BACKINGS):
    stories = cuts.Stories(sys.argv[1], name)
    found[name] = {}
    for story in ("update", "second-update", "action"):
        found[name][story] = worn(cuts.Run(stories.checks(story), stories.image(story)))
print(json.dumps(found))
