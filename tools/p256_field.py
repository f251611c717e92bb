"""Write native/p256_field.py: `python tools/p256_field.py > native/p256_field.py`. Its docstring, below, is the theory.

Why it is generated: unrolled, every limb has a name, and no index, test or jump is left. And why each line is as it is:
viper keeps a function's first two names in registers and the others on the stack, and it makes the least code of
`name = first * second + name` with `second` and `name` in registers: five instructions on ARM, and two to set `second`.
"""

from collections.abc import Iterable

Pair = tuple[str, str]  # names of two factors

LIMBS, BITS = 20, 13
HALF = LIMBS // 2
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
SHIFTS = ((7, 5, "+"), (14, 10, "+"), (17, 3, "-"), (19, 9, "+"))  # of p + 1: limb, bit

HEADER = '''# ruff: noqa: F821, viper's types are names that only it knows
"""Arithmetic mod p = 2^256 - 2^224 + 2^192 + 2^96 - 1, of P-256, in MicroPython's viper. Made by tools/p256_field.py.

An element is 20 words of 32 bits, its limbs, least first, of 13 bits each; only the last may be larger. It stands for
the sum of limb[i] * 2^(13 i), which may be p or more. Up to 31 elements are in a workspace, an array('i'), numbered from
1; before them is a scratch of the same size. A program is a list of operations on them, and `walk` runs it:

    (MUL, r, a, b, s, c)    r = a * b / R + s * c       r, a, b, c: elements, r may be another one, too
    (SQR, r, a, 0, s, c)    r = a * a / R + s * c       s: a number, -8 to 8; it takes as long as MUL
    (LIN, r, a, t, s, c)    r = t * a + s * c           t: a number, 0 to 8
    (LOAD, r, which)        r, r + 1 = the next row of comb u, if `which` is 0, or v, if it is 1: see `walk`

    The first three take elements below 4p, and make one below 2.1p; those of a row are below p.

Products are Montgomery's, with R = 2^260: an x mod p is kept as x * R. The reduction makes the product's limbs zero one
after the other, from the least: it adds q * p * 2^(13 i), where q is limb i, as p is -1 mod 2^13. Because of the form of
p that is nothing for limb i but to vanish, and four shifted q's in the limbs above. What is left is below 2p.

A product of two elements is three of their halves (Karatsuba): with a = a' + x a", b = b' + x b", x = 2^130,

    a b = a'b' + x (a'b' + a"b" + (a' - a")(b" - b')) + x^2 a"b"

So that s * c makes nothing negative, nor too large, f * p is subtracted and p added, where f is the result's bits from
256 up: its highest limb is known well enough from the highest limbs that go into it. What is left is p, and what was
below 2^256, and f * (2^256 - p), which is small, and what was wrong about the limb, which is less than 0.03p.

Sizes. A column of a product is at any time the sum of at most 30 terms below 2^26, some q's below 2^23 and a carry below
2^19: less than 2^31. So 32-bit words will do; and on a 64-bit machine, where a word is loaded without its sign, words in
memory are never negative.

Nothing here branches on a value of an element, or uses one as an address: the time is the same for all.
"""

from array import array

import micropython
from micropython import const

KERNEL = "viper"
MUL = const(0)
SQR = const(1)
LIN = const(2)
LOAD = const(3)


def workspace(count):
    """Elements 1 to `count`."""
    return array("i", bytes(80 * (count + 1)))


def program(*operations):
    """Operations as above, the last arguments 0 if not given, for `walk`: a word for each, then 0. From a place in it on, as a
    memoryview, it is a program as well."""
    words = array("i")
    for operation in operations:
        kind, r, a, b, s, c = (operation + (0, 0, 0, 0))[:6]
        if kind == SQR:
            kind, b = MUL, a
        words.append(kind | r << 2 | a << 7 | b << 12 | c << 17 | (s + 8) << 22)
    words.append(0)
    return words


@micropython.viper
def walk(operations: ptr32, times: int, w: ptr32, comb_u, comb_v):
    """Run a program so many times on the workspace `w`.

    A comb is (table, digits, at): an array('H') of arguments for `load`, taken one after the other from `at` on.
    """
    address = abs(int(w))  # as Python's number, made once and not for each call
    do_mul = mul
    do_lin = lin
    do_load = load
    table_u = comb_u[0]
    table_v = comb_v[0]
    digits_u = ptr16(int(ptr16(comb_u[1])) + 2 * int(comb_u[2]))
    digits_v = ptr16(int(ptr16(comb_v[1])) + 2 * int(comb_v[2]))
    while times > 0:
        i = 0
        while True:
            operation = operations[i]
            if operation == 0:
                break
            kind = operation & 3
            w[0] = operation
            if kind == 0:
                do_mul(address)
            elif kind == 2:
                do_lin(address)
            elif operation & 128:
                do_load(operation >> 2 & 31, digits_v[0], table_v, address)
                digits_v = ptr16(int(digits_v) + 2)
            else:
                do_load(operation >> 2 & 31, digits_u[0], table_u, address)
                digits_u = ptr16(int(digits_u) + 2)
            i += 1
        times -= 1


def run(operations, times, w):
    """`walk`, for a program that loads nothing."""
    walk(operations, times, w, _NOTHING, _NOTHING)


_NOTHING = b"", array("H"), 0
'''

OPERATION = '''

@micropython.viper
def {}(y: int):
    """{}. y: the address of the workspace, whose first word is the operation."""
'''


def line(text: str) -> None:
    print(f"    {text}")


def operation(name: str, contract: str, *pointers: str) -> None:
    """The head of an operation, which reads all of its arguments. pointers: names for r, a, b and c, or "" for none."""
    print(OPERATION.format(name, contract), end="")
    line("acc = ptr32(y)[0]")
    for place, pointer in zip((2, 7, 12, 17), pointers, strict=True):
        if pointer:
            line(f"{pointer} = ptr32(((acc >> {place}) & 31) * 80 + y)")
    line("s = (acc >> 22) - 8")
    line(f"mask = {2**BITS - 1}")


def add_multiples(k: int) -> None:
    """acc += what q_i * p * 2^(13 i), for all i, has in column k."""
    for limb, bit, sign in SHIFTS:
        if 0 <= k - limb < LIMBS:
            shifted = f"(q{k - limb} << {bit})"
            line(f"acc = {shifted} + acc" if sign == "+" else f"acc = acc - {shifted}")


def correction(highest: str) -> None:
    """n = 1 - f. highest: the highest limb, about."""
    line(f"n = 1 - (({highest}) >> {256 - BITS * (LIMBS - 1)})")
    line("acc = acc - n")


def end_of_limb(k: int, *terms: Pair) -> None:
    """r[k] = what is in acc, with limb k of n * p and of the terms: pairs of a factor's and a pointer's name."""
    for factor, pointer in terms:
        line(f"y = {pointer}[{k}]")
        line(f"acc = {factor} * y + acc")
    for limb, bit, sign in SHIFTS:
        if limb == k:
            line(f"acc = (n << {bit}) + acc" if sign == "+" else f"acc = acc - (n << {bit})")
    line(f"r[{k}] = acc & mask" if k < LIMBS - 1 else f"r[{k}] = acc")
    if k < LIMBS - 1:
        line(f"acc = acc >> {BITS}")


class Columns:
    """Sums of products, in an order of the factors in which y has to be set as seldom as possible."""

    def __init__(self) -> None:
        self.held = ""

    def add(self, pairs: Iterable[Pair], empty: bool = False) -> None:
        """acc += the products, or = if it is empty. They begin with the y that is held."""
        pairs = list(pairs)
        for first, second in pairs if pairs and pairs[0][1] == self.held else pairs[::-1]:
            if second != self.held:
                line(f"y = {second}")
            line(f"acc = {first} * y" if empty else f"acc = {first} * y + acc")
            self.held, empty = second, False


def column_of(k: int, first: str, second: str, start: int = 0) -> list[Pair]:
    """The pairs of column k of a half times a half."""
    return [(f"{first}{start + i}", f"{second}{start + k - i}") for i in range(HALF) if 0 <= k - i < HALF]


def mul() -> None:
    """low: a'b', high: a"b", each column by column; mid: what of both goes into the columns between."""
    operation("mul", "r = a * b / R + s * c", "r", "a", "b", "c")
    for name, difference in (("a", "acc - y"), ("b", "y - acc")):
        for i in range(HALF):
            line(f"acc = {name}[{i}]")
            line(f"y = {name}[{HALF + i}]")
            line(f"{name}{i} = acc")
            line(f"{name}{HALF + i} = y")
            line(f"d{name}{i} = {difference}")
    columns = Columns()
    for j in range(HALF):
        for name, pairs in (
            ("low", column_of(j, "a", "b")),
            ("mid", column_of(HALF + j, "a", "b") + column_of(j, "a", "b", HALF)),
            ("high", column_of(HALF + j, "a", "b", HALF)),
        ):
            if pairs:
                columns.add(pairs, empty=True)
                line(f"{name}{j} = acc")

    line("acc = 0")
    for k in range(2 * LIMBS):
        if k == LIMBS:
            correction("(a19 * b19 >> 13) + (q19 >> 4) + s * c[19]")
        part, j = divmod(k, HALF)
        for name in (("low",), ("mid", "low"), ("mid", "high"), ("high",))[part]:
            if name != "high" or j < HALF - 1:
                line(f"acc = {name}{j} + acc")
        if part in (1, 2):
            columns.add(column_of(k - HALF, "da", "db"))
        add_multiples(k)
        if k < LIMBS:
            line(f"q{k} = acc & mask")
            line(f"acc = acc >> {BITS}")
        else:
            end_of_limb(k - LIMBS, ("s", "c"))
            columns.held = ""


TURN = 4  # limbs in a turn of the loop of `lin`


def lin() -> None:
    """A loop, as it takes little of the time, and would be a kilobyte longer without."""
    operation("lin", "r = t * a + s * c", "r", "a", "", "c")
    line("t = (acc >> 12) & 31")
    line("p = ptr16(_P)")
    line(f"n = 1 - ((t * a[{LIMBS - 1}] + s * c[{LIMBS - 1}]) >> {256 - BITS * (LIMBS - 1)})")
    line(f"end = int(r) + {4 * LIMBS}")
    line("acc = 0")
    line("while int(r) < end:")
    for k in range(TURN):
        for factor, pointer in (("t", "a"), ("s", "c"), ("n", "p")):
            line(f"    y = {pointer}[{k}]")
            line(f"    acc = {factor} * y + acc")
        line(f"    r[{k}] = acc & mask")
        line(f"    acc = acc >> {BITS}")
    for pointer, size in (("r", 4), ("a", 4), ("c", 4), ("p", 2)):
        line(f"    {pointer} = ptr{8 * size}(int({pointer}) + {size * TURN})")
    line("r = ptr32(int(r) - 4)")
    line(f"r[0] = (acc << {BITS}) + r[0]")


ROWS = '''

@micropython.viper
def load(acc: int, y: int, table: ptr8, w: ptr32):
    """Elements r and r + 1 = a row of `table`: two numbers below p, 32 bytes each, least first. acc: r; y: the row; with
    0x8000 added to it, the second number is to become p minus it, and that takes the same time.

    The numbers are read 16 bits at a time. Minus y is 1 and all bits of y turned over: minus is 0xFFFF for that, else 0.
    """
    limbs = ptr32(acc * 80 + int(w))
    octets = ptr16(int(table) + ((y & 0x7FFF) << 6))
    sign = y >> 15
    minus = 0
    half = 0
    while half < 2:
        p = ptr16(_P16)
        last = int(limbs) + 76
        acc = minus & 1
        bits = 0
        while int(limbs) < last:
            if bits < 13:
                y = octets[0] ^ minus
                acc = (y + (p[0] & minus) << bits) + acc
                octets = ptr16(int(octets) + 2)
                p = ptr16(int(p) + 2)
                bits += 16
            limbs[0] = acc & 8191
            acc = acc >> 13
            bits -= 13
            limbs = ptr32(int(limbs) + 4)
        limbs[0] = acc & 511
        limbs = ptr32(int(limbs) + 4)
        minus = 0xFFFF * sign
        half += 1


@micropython.viper
def save(row: int, a: int, table: ptr8, w: ptr32):
    """The opposite of `load`: a row of `table` = elements a and a + 1, below 3p, which are made less than p."""
    p = ptr16(_P)
    octets = ptr8(int(table) + row * 64)
    element = ptr32(a * 80 + int(w))
    last = int(element) + 80
    turn = 0
    while turn < 4:
        acc = 0
        i = 0
        while i < 20:
            acc += element[i] - p[i]
            w[i] = acc & 8191
            acc >>= 13
            i += 1
        # acc is 0, or -1 where the difference is negative
        i = 0
        while i < 20:
            element[i] = w[i] ^ ((w[i] ^ element[i]) & acc)
            i += 1
        turn += 1
        if turn & 1 == 0:
            bits = 0
            acc = 0
            i = 0
            octet = 0
            while octet < 32:
                if bits < 8:
                    acc |= element[i] << bits
                    bits += 13
                    i += 1
                octets[octet] = acc & 255
                acc >>= 8
                bits -= 8
                octet += 1
            octets = ptr8(int(octets) + 32)
            element = ptr32(last)


_P = array("H", [{limbs}])
_P16 = array("H", [{words}])
'''


def parts_of_p(bits: int) -> str:
    return ", ".join(str(P >> i & 2**bits - 1) for i in range(0, 256, bits))


if __name__ == "__main__":
    print(HEADER, end="")
    mul()
    lin()
    print(ROWS.format(limbs=parts_of_p(BITS), words=parts_of_p(16)), end="")
