"""For the scripts in this folder: emulated cycles, of which a second has 125,000,000."""

import gc

import machine

_COUNTER = 0x40070000  # the emulator's; 32 bits, and so 34 seconds


def cycles(call, *arguments):
    """How many `call(*arguments)` takes, after a collection, so that no other falls into it that need not."""
    gc.collect()
    start = machine.mem32[_COUNTER]
    call(*arguments)
    return (machine.mem32[_COUNTER] - start) & 0xFFFFFFFF


def median(figures):
    return sorted(figures)[len(figures) // 2]


def show(name, value):
    print(name, value)
