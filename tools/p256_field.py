"""Write native/p256_field.py: `python tools/p256_field.py > native/p256_field.py`. Its docstring, below, is the theory.

Why it is generated: unrolled, every limb has a name, and no index, test or jump is left. And why each line is as it is:
viper keeps a function's first two names in registers and the others on the stack, and it makes the least code of
`name = first * second + name` with `second` and `name` in registers: five instructions on ARM, and two to set `second`.
"""

from collections.abc import Callable, Iterable

Pair = tuple[str, str]  # names of two factors

LIMBS, BITS = 20, 13
SHIFTS = ((7, 5, "+"), (14, 10, "+"), (17, 3, "-"), (19, 9, "+"))  # of p + 1 = 2^96 + 2^192 - 2^224 + 2^256: limb, bit

HEADER = '''# ruff: noqa: F821, viper's types are names that only it knows
"""Arithmetic mod p = 2^256 - 2^224 + 2^192 + 2^96 - 1, of P-256, in MicroPython's viper. Made by tools/p256_field.py.

An element is 20 words of 32 bits, its limbs, least first, of 13 bits each; only the last may be larger. It stands for
the sum of limb[i] * 2^(13 i), which may be p or more. Up to 32 elements are in a workspace, an array('i'), numbered from
its beginning. A program is a list of operations on them, and `run` runs it:

    (MUL, r, a, b, s, c)    r = a * b / R + s * c       r, a, b, c: elements, r may be another one, too
    (SQR, r, a, 0, s, c)    r = a * a / R + s * c       s: a number, -8 to 8
    (LIN, r, a, t, s, c)    r = t * a + s * c           t: a number, 0 to 8

    Every operation takes elements below 4p, and makes one below 2.1p.

Products are Montgomery's, with R = 2^260: an x mod p is kept as x * R. The reduction makes the product's limbs zero one
after the other, from the least: it adds q * p * 2^(13 i), where q is limb i, as p is -1 mod 2^13. Because of the form of
p that is nothing for limb i but to vanish, and four shifted q's in the limbs above. What is left is below 2p.

So that s * c makes nothing negative, nor too large, f * p is subtracted and p added, where f is the result's bits from
256 up: its highest limb is known well enough from the highest limbs that go into it. What is left is p, and what was
below 2^256, and f * (2^256 - p), which is small, and what was wrong about the limb, which is less than 0.03p.

Sizes. A column of a product has at most 20 terms below 2^26, some q's below 2^23 and a carry below 2^19: less than
2^31. So 32-bit words will do; and on a 64-bit machine, where a word is loaded without its sign, words are never negative.

Nothing here branches on a value of an element, or uses one as an address: the time is the same for all.
The two arguments of an operation become its registers, once they are read: see the generator.
"""

from array import array

import micropython
from micropython import const

SIZE = const(80)  # bytes of an element
MUL = const(0)
SQR = const(1)
LIN = const(2)


def program(*operations):
    """Operations as above, the last arguments 0 if not given, for `run`: how many, then for each a word."""
    words = array("i", [len(operations)])
    for operation in operations:
        kind, r, a, b, s, c = (operation + (0, 0, 0, 0))[:6]
        words.append(kind | r << 2 | a << 7 | b << 12 | c << 17 | (s + 8) << 22)
    return words


@micropython.viper
def run(operations: ptr32, times: int, w: ptr32):
    """Run a program so many times on the workspace `w`."""
    address = int(w)
    do_mul = mul
    do_sqr = sqr
    do_lin = lin
    count = operations[0]
    while times > 0:
        i = 1
        while i <= count:
            operation = operations[i]
            kind = operation & 3
            if kind == 0:
                do_mul(operation, address)
            elif kind == 1:
                do_sqr(operation, address)
            else:
                do_lin(operation, address)
            i += 1
        times -= 1
'''

OPERATION = '''

@micropython.viper
def {}(acc: int, y: int):
    """{}. acc: the operation; y: the address of the workspace."""
'''

FOOTER = '''

@micropython.viper
def load(r: int, row: int, table: ptr16, w: ptr32):
    """Elements r and r + 1 = a row of `table`, which has 40 limbs of 16 bits in a row."""
    limbs = ptr16(int(table) + row * 80)
    elements = ptr32(int(w) + r * 80)
{load}


@micropython.viper
def save(row: int, a: int, table: ptr16, w: ptr32):
    """The opposite of `load`: a row of `table` = elements a and a + 1."""
    limbs = ptr16(int(table) + row * 80)
    elements = ptr32(int(w) + a * 80)
    i = 0
    while i < 40:
        limbs[i] = elements[i]
        i += 1


@micropython.viper
def columns(digits: ptr8, k: ptr8, spacing: int, flip: int):
    """Fill digits, `spacing` of them: of bits i, i + spacing ... of k (32 bytes, least first), the highest is the sign,
    1 for plus; the others, turned over if it is 0, are the row. digits[i] = row + 128 * sign, of the other sign if flip.
    """
    i = 0
    while i < spacing:
        row = 0
        bit = 0
        weight = 1
        j = i
        while j < 256:
            bit = (k[j >> 3] >> (j & 7)) & 1
            row += bit * weight
            weight += weight
            j += spacing
        digits[i] = ((row ^ (bit - 1)) & ((weight >> 1) - 1)) | ((bit ^ flip) << 7)
        i += 1


@micropython.viper
def pack(octets: ptr8, start: int, count: int, w: ptr32):
    """octets = the number of which w[start] and what follows, so many, are the limbs, least first, (13 count + 7) / 8."""
    acc = 0
    bits = 0
    i = 0
    octet = 0
    while i < count:
        acc |= w[start + i] << bits
        bits += 13
        i += 1
        while bits >= 8 or (i == count and bits > 0):
            octets[octet] = acc & 255
            acc >>= 8
            bits -= 8
            octet += 1


@micropython.viper
def unpack(octets: ptr8, start: int, count: int, w: ptr32):
    """The opposite of `pack`."""
    acc = 0
    bits = 0
    i = 0
    octet = 0
    while i < count:
        while bits < 13 and octet < (count * 13 + 7) >> 3:
            acc |= octets[octet] << bits
            octet += 1
            bits += 8
        w[start + i] = acc & 8191
        acc >>= 13
        bits -= 13
        i += 1


@micropython.viper
def divsteps(state: ptr32, modulus: ptr32, negative_inverse: int):
    """Bernstein and Yang's divisions (https://gcd.cr.yp.to): from f = the modulus, g = a number below it, d = 0, e = 1 to
    f = 1 or -1, g = 0, d = f / the number mod the modulus.

    All have 21 limbs of 13 bits, modulo 2^273, negative ones as in two's complement; f, g, d and e are in `state`, one
    after the other. modulus: odd, below 2^256. negative_inverse: -1 / modulus mod 2^13.
    A step makes f, g = g, (g - f)/2 if zeta < 0 and g is odd, else f, (g + f)/2 if g is odd, else f, g/2. 590 steps are
    enough for 256 bits if zeta, which counts along, begins at -1 (Wuille: the variant of libsecp256k1). 13 steps see no
    more than the lowest limbs, and make a matrix, of u, v, q and r. It is applied to f and g, which divides them by
    2^13, and to d and e, after a multiple of the modulus is added by which that comes out even: they stay below 47 times
    the modulus. 46 times, for all numbers, and without branches on what they are.
    """
    zeta = -1
    mask = 8191
    batch = 0
    while batch < 46:
        f = state[0]
        g = state[21]
        u = 1
        v = 0
        q = 0
        r = 1
        i = 0
        while i < 13:
            swap = zeta >> 31  # -1 if zeta < 0, else 0
            odd = 0 - (g & 1)
            g += ((f ^ swap) - swap) & odd
            q += ((u ^ swap) - swap) & odd
            r += ((v ^ swap) - swap) & odd
            swap &= odd
            zeta = (zeta ^ swap) - 1
            f += g & swap
            u += q & swap
            v += r & swap
            g >>= 1
            u += u
            v += v
            i += 1
        carry_f = 0
        carry_g = 0
        i = 0
        while i < 21:
            f = state[i]
            g = state[21 + i]
            if i == 20:
                f = (f ^ 4096) - 4096
                g = (g ^ 4096) - 4096
            carry_f += u * f + v * g
            carry_g += q * f + r * g
            if i > 0:
                state[i - 1] = carry_f & mask
                state[20 + i] = carry_g & mask
            carry_f >>= 13
            carry_g >>= 13
            i += 1
        state[20] = carry_f & mask
        state[41] = carry_g & mask
        f = state[42]
        g = state[63]
        add_d = (((u * f + v * g) & mask) * negative_inverse) & mask
        add_e = (((q * f + r * g) & mask) * negative_inverse) & mask
        carry_f = 0
        carry_g = 0
        i = 0
        while i < 21:
            f = state[42 + i]
            g = state[63 + i]
            if i == 20:
                f = (f ^ 4096) - 4096
                g = (g ^ 4096) - 4096
            carry_f += u * f + v * g + add_d * modulus[i]
            carry_g += q * f + r * g + add_e * modulus[i]
            if i > 0:
                state[41 + i] = carry_f & mask
                state[62 + i] = carry_g & mask
            carry_f >>= 13
            carry_g >>= 13
            i += 1
        state[62] = carry_f & mask
        state[83] = carry_g & mask
        batch += 1
'''


def line(text: str) -> None:
    print(f"    {text}")


def operation(name: str, contract: str, *pointers: str) -> None:
    """The head of an operation, which reads all of its arguments. pointers: names for r, a, b and c, or "" for none."""
    print(OPERATION.format(name, contract), end="")
    for place, pointer in zip((2, 7, 12, 17), pointers, strict=True):
        if pointer:
            line(f"{pointer} = ptr32(((acc >> {place}) & 31) * 80 + y)")
    line("s = (acc >> 22) - 8")
    line(f"mask = {2**BITS - 1}")


def add_multiples(k: int, name: str) -> None:
    """acc += what q * p * 2^(13 i), for all i, has in column k; the names of the q's are made of i."""
    for limb, bit, sign in SHIFTS:
        if 0 <= k - limb < LIMBS:
            q = name.format(k - limb)
            line(f"acc = ({q} << {bit}) + acc" if sign == "+" else f"acc = acc - ({q} << {bit})")


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


def column(pairs: Iterable[Pair], held: str) -> str:
    """acc += the products of a column, in the order that begins with the y that is held. Returns the y held then."""
    pairs = list(pairs)
    for first, second in pairs if pairs and pairs[0][1] == held else pairs[::-1]:
        if second != held:
            line(f"y = {second}")
        line(f"acc = {first} * y + acc")
        held = second
    return held


def montgomery(pairs_of: Callable[[int], list[Pair]], highest: str) -> None:
    """The columns of a product, with its reduction. pairs_of(k): names of the factors of column k."""
    line("acc = 0")
    held = ""
    for k in range(2 * LIMBS):
        if k == LIMBS:
            correction(f"({highest} >> {BITS}) + (q{LIMBS - 1} >> 4) + s * c[{LIMBS - 1}]")
        held = column(pairs_of(k), held)
        add_multiples(k, "q{}")
        if k < LIMBS:
            line(f"q{k} = acc & mask")
            line(f"acc = acc >> {BITS}")
        else:
            end_of_limb(k - LIMBS, ("s", "c"))
            held = ""


def mul() -> None:
    operation("mul", "r = a * b / R + s * c", "r", "a", "b", "c")
    for name in "ab":
        for i in range(LIMBS):
            line(f"{name}{i} = {name}[{i}]")
    montgomery(lambda k: [(f"a{i}", f"b{k - i}") for i in range(LIMBS) if 0 <= k - i < LIMBS], "(a19 * b19)")


def sqr() -> None:
    """Each product of two different limbs is there twice: d is twice a."""

    def pairs_of(k: int) -> list[Pair]:
        pairs = [(f"d{i}", f"a{k - i}") for i in range(LIMBS) if i < k - i < LIMBS]
        return pairs if k % 2 or k == 2 * LIMBS else [*pairs, (f"a{k // 2}", f"a{k // 2}")]

    operation("sqr", "r = a * a / R + s * c", "r", "a", "", "c")
    for i in range(LIMBS):
        line(f"y = a[{i}]")
        line(f"a{i} = y")
        if i < LIMBS - 1:
            line(f"d{i} = y + y")
    montgomery(pairs_of, "(a19 * a19)")


def lin() -> None:
    operation("lin", "r = t * a + s * c", "r", "a", "", "c")
    line("t = (acc >> 12) & 31")
    line("acc = 0")
    correction(f"t * a[{LIMBS - 1}] + s * c[{LIMBS - 1}]")
    for k in range(LIMBS):
        end_of_limb(k, ("t", "a"), ("s", "c"))


if __name__ == "__main__":
    print(HEADER, end="")
    mul()
    sqr()
    lin()
    copies = (f"    elements[{i}] = limbs[{i}]" for i in range(2 * LIMBS))
    print(FOOTER.format(load="\n".join(copies)), end="")
