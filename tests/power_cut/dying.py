"""Is a cut made from the record of a run what a device leaves that dies there? MicroPython runs this: `dying.py RELEASES BACKING
SCENARIO STEP` lets one die at every STEP-th operation, compares flash and world, and prints how many it was."""

import sys

from tests.power_cut import machine
from tests.power_cut.cuts import Run, Stories
from tests.power_cut.machine import PowerCut

machine.install()
path, backing, scenario, step = sys.argv[1:]
stories = Stories(path, backing)
checks, image = stories.checks(scenario), stories.image(scenario)
died = 0
for number, pattern, expected, saved in Run(checks, image).cuts(0, lambda number: number % int(step) == 0):
    if pattern != "before":
        continue
    board = stories.board(image, checks.server(), dies_at=number)
    try:
        board.run()
        raise AssertionError(f"it outlived operation {number}")
    except PowerCut:
        died += 1
    if any(bytes(one) != bytes(other) for one, other in zip(board.flash.image(), expected)):
        raise AssertionError(f"another flash at operation {number}")
    if repr(board.server.save()) != repr(saved):
        raise AssertionError(f"another world at operation {number}")
print("died", died)
