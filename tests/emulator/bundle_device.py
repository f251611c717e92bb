"""The emulated RP2040 runs this: stage the bundle that lies in flash, beside the slot that runs, and print `staged_cycles N`: without
the release signature, of which tests/emulator/bench/p256.py says what it takes; with all that the flash takes."""

import machine

from srup import auth, slots
from srup_boot import record, slot, start

ROOT = "/srup-data"
COUNTER = 0x40070000  # the emulator's cycles; 32 bits, and so 34 seconds


def staging():
    state = record.Record()
    state.active = 0
    state.save(ROOT)
    board = slots.FileSlots(ROOT, start.Choice(0, False, state, "", record.NONE))
    auth.check_release = lambda *_: None
    return board.stage(None, "RPI_PICO_W", "6.3")


total, before = 0, machine.mem32[COUNTER]
for _ in staging():
    now = machine.mem32[COUNTER]
    total += (now - before) & 0xFFFFFFFF
    before = now
slot.verify(ROOT, 1)
print("staged_cycles", total)
