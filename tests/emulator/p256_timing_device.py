"""Runs on the chip, for test_p256_timing.py: prints how many cycles of the processor what handles a nonce took, for many nonces.

Interrupts are off meanwhile, and of a few runs the shortest counts: before and after the call the interpreter may still find
something that an earlier interrupt has left it to do.
"""

import gc
from array import array
from hashlib import sha256

import machine
import micropython

from srup import p256
from srup import p256_comb as comb
from srup import p256_kernel as kernel

ALL_ONES = (1 << 255) - 1
NONCES = [1 << 255, (1 << 200) + 1, comb.N - 2, comb.N // 2, ALL_ONES & ~(ALL_ONES << 128), ALL_ONES]
NONCES += [int.from_bytes(sha256(b"nonce %d" % i).digest(), "big") % comb.N for i in range(12)]


stamps = array("I", [0, 0])


@micropython.viper
def stamp(stamps: ptr32, at: int):  # noqa: F821
    """Without an object made, for which it may have to look for a place for long, or not."""
    stamps[at] = ptr32(0x40070000)[0]  # noqa: F821


def cycles(call, *arguments):
    taken = []
    for _ in range(4):
        gc.collect()
        interrupts = machine.disable_irq()
        stamp(stamps, 0)
        call(*arguments)
        stamp(stamps, 1)
        machine.enable_irq(interrupts)
        taken.append((stamps[1] - stamps[0]) & 0xFFFFFFFF)
    return min(taken)


def walk(nonce):
    """All positions but the first, after which the total is not infinity any more. Native code alone."""
    kernel.digits(nonce, comb.N, of_g.teeth, of_g.parts, of_g.digits)
    kernel.load(1, of_g.digits[0], table, comb.w)
    kernel.load(3, 0, comb.ONE, comb.w)
    steps = comb._formula("position", 2, 0)
    if viper:
        return cycles(kernel.walk, steps, 15, comb.w, (table, of_g.digits, 2), comb._NOTHING)
    thumb._place(thumb._digits, table, of_g.digits, 2)
    return cycles(thumb._run, steps, comb.w, 15, thumb._digits)


def division(number):
    if viper:
        state = bytearray(400)
        octets = number.to_bytes(34, "little") + comb.N.to_bytes(34, "little")
        return cycles(numbers.start, state, octets, 15439)
    limbs, negative_inverse, _ = thumb._MODULI[comb.N]
    taken = []
    for _ in range(2):  # each has to begin with the number, instead of which comes the result
        thumb._split(number.to_bytes(34, "little"), thumb._state, 20)
        taken.append(cycles(thumb._divsteps, thumb._state, limbs, negative_inverse))
    return min(taken)


viper = kernel.KERNEL.startswith("viper")
if viper:
    import p256_numbers as numbers
else:
    import p256_thumb as thumb
p256.keep_tables("/tables", True)
of_g = p256._comb(b"")
table = of_g.take(0)[0]
print("kernel", kernel.KERNEL)
walk(1)  # the first makes what is kept
print("walk", *[walk(nonce) for nonce in NONCES])
print("division", *[division(nonce) for nonce in NONCES])
