"""Write native/p256_thumb.py: `python tools/p256_thumb.py > native/p256_thumb.py`. Its docstring, below, is the theory.

The long pieces (product, square, reduction, ...) are written here as operations on named words; thumb_registers.py
finds the registers. The short ones, which have loops, are written as they will be. What MicroPython's assembler has
no name for becomes data(2, opcode), with its name in a comment. Instructions and their cycles: ARMv6-M Architecture
Reference Manual, and the Cortex-M0+ Technical Reference Manual, section 3.3: 1 each, a product too; 2 for a load or
store, 1 and one for each word if they are many; 2 for a jump, 3 for `bl`, which here is but a jump that reaches far.
"""

from itertools import pairwise
from typing import Any

from thumb_registers import Code, Line, Value

Words = list[Value]

# The stack frame of `run`, in words. RESULT and C: where they are.
PROGRAM, NEXT, TIMES, WORKSPACE, DIGITS, RESULT, C = range(7)
SCRATCH = 8
FRAME = 50
COPY = 24  # 16 words, of a row

HEADER = '''# ruff: noqa: F821, labels and registers are names that only the assembler knows
"""Arithmetic mod p = 2^256 - 2^224 + 2^192 + 2^96 - 1, of P-256, for a Cortex-M0+. Made by tools/p256_thumb.py.

The other kernel, native/p256_field.py, has the same names, and they do the same. This one is for a processor that can
multiply 32 bits in a cycle, but keeps only the lower 32 of the result: RP2040.

An element is 32 bytes, the least first: x * R mod p for an x mod p, R = 2^256, plus p where that is still below 2^256.
Up to 2,000 elements are in a workspace, a bytearray, numbered from 1. A program is a list of operations on them:

    (MUL, r, a, b, s, c)    r = a * b / R + s * c       r, a, b, c: elements, r may be another one, too
    (SQR, r, a, 0, s, c)    r = a * a / R + s * c       s: a number, -8 to 8
    (LIN, r, a, t, s, c)    r = t * a + s * c           t: a number, 0 to 8
    (LOAD, r, which)        r, r + 1 = x, y of a row    the next digit's, of comb u if `which` is 0, v if it is 1

The assembler has a * b - c, a * a - c, a + b, a + 2b and a - b; `program` makes of these what it is given.

Products. 32 bits times 32 bits are four products of 16 bits times 16 bits. From there on it is Karatsuba's method,
three times, to 256 bits: (a + b W) (c + d W) = ac + (ac + bd + (b - a) (c - d)) W + bd W^2, with the absolute values
of the differences, and their signs in a mask, -1 or 0. That takes 27 products of 32 bits, of 17 cycles each, and a
square 27 of 9.

Reduction (Montgomery's). p is -1 mod 2^96, so the multiple q of p that makes a number T divisible by R is found word by
word: each word q[i] makes word i vanish and is added again at i + 3 and i + 6, taken off at i + 7, added at i + 8. With
words of 32 bits: q[i] = T[i] + q[i - 3] + q[i - 6] - q[i - 7].

Normalizing. After each operation there is a number w + t * 2^256, w below 2^256 and t, from -1 to 2, the sum of
carries. f * p is subtracted, where f is t, or one more if w[7] + t, the highest word, is more than 32 bits have, or
one less if it is negative. Then it is in [0, 2^256): f * p is f * 2^256, and -f * 2^224 but for a little, and of that
little the highest word is sure to have enough left.

Nothing here branches on a value of an element, or uses one as an address: the time is the same for all.
"""

from array import array

import micropython
from micropython import const

KERNEL = "thumb"
MUL = const(0)
SQR = const(4)
LIN = const(1)
LOAD = const(2)

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SCALE = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF0000000000000000000000010  # 2^260 mod P

# The operations of `_run`: where they are in its table.
_ADD = const(8)
_SUB = const(12)
_ADD_TWICE = const(16)
_LEAST = const(20)
_ROW = const(24)
_END = const(28)

# A workspace begins with 4 elements that programs can't name.
FIRST = const(3)  # what is to be added to the number of any other
_ZERO = const(0)
_260 = const(1)  # _SCALE, as it is
_S0 = const(2)
_S1 = const(3)

_digits = array("I", bytes(20))  # for LOAD, of u and of v: addresses of a table, and of the next digit; then one digit
'''

PROGRAMS = '''

def workspace(count):
    """Elements 1 to `count`, all of them 0."""
    w = bytearray(32 * (FIRST + 1 + count))
    w[32 * _260 : 32 * _260 + 32] = _SCALE.to_bytes(32, "little")
    return w


def program(*operations):
    """Operations as above, the last arguments 0 if not given, for `run`."""
    words = array("H")
    for operation in operations:
        kind, r, a, b, s, c = (operation + (0, 0, 0, 0))[:6]
        if kind == LOAD:
            _write(words, _ROW, r + FIRST, 0, 0)
            words[-3] = 8 * a
        elif kind == LIN:
            _linear(words, r + FIRST, a + FIRST, b, s, c + FIRST)
        else:
            _product(words, kind, r + FIRST, a + FIRST, b + FIRST, s, c + FIRST)
    _write(words, _END, 0, 0, 0)
    return words


def run(program, times, w):
    """Run a program so many times on the workspace `w`."""
    if times > 0:
        _run(program, w, times, _digits)


def load(r, row, table, w):
    """Elements r and r + 1 = a row of `table`: x and y, times 2^260 mod p, 32 bytes each, the least first. A row number
    with bit 15 set is the row without it, and p - y for y."""
    _digits[4] = row
    _place(_digits, table, _digits, 8)
    _LOAD[1] = 32 * (r + FIRST)
    _run(_LOAD, w, 1, _digits)


def save(row, a, table, w):
    """The opposite of `load`: a row of `table` = elements a and a + 1."""
    _SAVE[2] = 32 * (a + FIRST)
    _SAVE[7] = 32 * (a + FIRST + 1)
    _run(_SAVE, w, 1, _digits)
    _copy(table, w, 64 * row)


def walk(program, times, w, comb_u, comb_v):
    """`run`, of a program with LOAD. comb: (table, digits, at), digits an array('H') of row numbers as for `load`,
    which are used from number `at` on."""
    table, digits, at = comb_u
    _place(_digits, table, digits, at)
    table, digits, at = comb_v
    _place(_digits, table, digits, at | 1 << 16)
    if times > 0:
        _run(program, w, times, _digits)


def inverse(number, modulus):
    """1 / number mod N or P, whichever is `modulus`, for a number in [1, modulus - 1]. The same operations for all."""
    limbs, negative_inverse, _ = _MODULI[modulus]
    _split(number.to_bytes(34, "little"), _state, 20)
    _divsteps(_state, limbs, negative_inverse)
    _finish(_result, _state, limbs)
    return int.from_bytes(_result, "little")


_state = bytearray(304)  # f, g, d and e of `_divsteps`; there is a word before each
_result = bytearray(32)


def digits(k, n, teeth, parts, found):
    """`found`, an array('H'), = the digits of k, for 0 <= k < n and an odd n, in the order in which `walk` takes
    them, of a comb as in srup.p256_comb: teeth a power of 2, parts up to 256 / teeth. The same for all k.
    """
    form = 256 // teeth // parts << 16 | 33 - teeth << 8 | 32 // teeth
    _columns(k.to_bytes(32, "little"), found, form, _MODULI[n][2])


def _write(words, kind, r, a, b, c=_ZERO):
    words.extend(array("H", (kind, 32 * r, 32 * a, 32 * b, 32 * c)))


def _product(words, kind, r, a, b, s, c):
    if s > 0:
        _write(words, _SUB, _S1, _ZERO, _multiple(words, s, c, _S1))
        c = _S1
    elif s < 0:
        c = _multiple(words, -s, c, _S1)
    _write(words, kind, r, a, b, c if s else _ZERO)


def _linear(words, r, a, t, s, c):
    if not s:  # t a is (t - s) a + s a
        s, c = t - 1 if t & 1 else t >> 1, a
        t -= s
    if t == -s and t > 1:  # t (a - c)
        _write(words, _SUB, _S1, a, c)
        _linear(words, r, _S1, t, 0, 0)
        return
    x = _multiple(words, t, a, _S0)
    scratch = _S1 if t > 1 else _S0  # `a` may be _S1
    if s > 0 and not s & 1:
        _write(words, _ADD_TWICE, r, x, _multiple(words, s >> 1, c, scratch))
    else:
        y = _multiple(words, abs(s), c, scratch)
        _write(words, _SUB if s < 0 else _ADD, r, x, y)


def _multiple(words, t, a, to):
    """Write what makes t * a, in `to` if need be; returns where it is."""
    if t < 2:
        return a if t else _ZERO
    half = _multiple(words, t >> 1, a, to)
    if t & 1:
        _write(words, _ADD_TWICE, to, a, half)
    else:
        _write(words, _ADD, to, half, half)
    return to


def _operations(*operations):
    words = array("H")
    for operation in operations:
        _write(words, *operation)
    _write(words, _END, 0, 0, 0)
    return words


_LOAD = _operations((_ROW, 0, 0, 0))
_SAVE = _operations((MUL, _S0, 0, _260), (MUL, _S1, 0, _260), (_LEAST, _S0, _S0, 0), (_LEAST, _S1, _S1, 0))


@micropython.viper
def _split(octets: ptr8, limbs: ptr32, i: int):
    """limbs[i] and what follows = the number that is in `octets`, 34 of them, least first, as 18 limbs of 15 bits."""
    acc = 0
    bits = 0
    octet = 0
    end = i + 18
    while i < end:
        while bits < 15:
            acc |= octets[octet] << bits
            octet += 1
            bits += 8
        limbs[i] = acc & 32767
        acc >>= 15
        bits -= 15
        i += 1


@micropython.viper
def _finish(octets: ptr8, state: ptr32, modulus: ptr32):
    """octets = d / f mod the modulus, 32 of them, least first, of what `_divsteps` has left: f is 1 or -1.

    The modulus is taken off as often as the highest limb says, but once: what is left is below three times the modulus.
    """
    sign = 1 - ((state[18] >> 31 & 1) << 1)
    times = 1 - (sign * state[56] >> 1)
    acc = 0
    i = 0
    while i < 18:
        acc = (acc >> 15) + sign * state[39 + i] + times * modulus[i]
        state[39 + i] = acc & 32767
        i += 1
    times = 0
    while times < 2:
        acc = 0
        i = 0
        while i < 18:
            acc = (acc >> 15) + state[39 + i] - modulus[i]
            i += 1
        sign = (acc >> 31) ^ -1  # -1 if it is not less than the modulus, else 0
        acc = 0
        i = 0
        while i < 18:
            acc = (acc >> 15) + state[39 + i] - (modulus[i] & sign)
            state[39 + i] = acc & 32767
            i += 1
        times += 1
    acc = 0
    bits = 0
    i = 39
    octet = 0
    while octet < 32:
        if bits < 8:
            acc |= state[i] << bits
            bits += 15
            i += 1
        octets[octet] = acc & 255
        acc >>= 8
        bits -= 8
        octet += 1
'''

RUN = '''

@micropython.asm_thumb
def _run(r0, r1, r2, r3):
    """Run a program (r0) on a workspace (r1) so many times (r2), at least once. r3: what is called _digits above.

    An operation is five halfwords: its place in the table of jumps, and where r, a, b and c are in the workspace, in
    bytes.
    """
'''

PLACE = '''

@micropython.asm_thumb
def _place(r0, r1, r2, r3):
    """In r0, _digits: the address of the table (r1), and of digit number r3 of r2. Bit 16 of r3: of comb v."""
'''

COPY_ROW = '''

@micropython.asm_thumb
def _copy(r0, r1, r2):
    """Copy _S0 and _S1 of a workspace (r1) to byte r2 of r0, and what follows."""
'''

COLUMNS = '''

@micropython.asm_thumb
def _columns(r0, r1, r2, r3):
    """Fill r1, halfwords, with digits, for k (r0) below n (r3), 32 bytes each, the least first. r2: 32 / teeth, 33 -
    teeth in bits 8 to 15, how many positions there are in bits 16 and up.

    An even k becomes n - k, and bits of (k + 2^256 - 1) / 2 are collected: for each position, from the highest down
    to 0, and each part, bits position + positions * part + 256 / teeth * tooth. The highest of them is the sign, 1
    for plus; the others, turned over if it is 0, are the row in the part's table. A digit is that row, and bit 15,
    set for minus; or for plus if k was even.
    """
'''

DIVSTEPS = '''

@micropython.asm_thumb
def _divsteps(r0, r1, r2):
    """Bernstein and Yang's divisions (https://gcd.cr.yp.to), as in native/p256_numbers.py: from f = the modulus, g =
    a number below it, d = 0, e = 1 to f = 1 or -1, g = 0, d = f / the number mod the modulus. r0: the four of them,
    of which only g has to be there, each 18 limbs of 15 bits, only the last with a sign, and a word before them. r1:
    limbs of the modulus. r2: -1 / the modulus mod 2^15. 40 times, 15 steps become a matrix u, v, q, r; during the
    steps u and v, and q and r, are in a word, added and doubled as one: u + 2^16 v. As |u| + |v| and |q| + |r| are at
    most 2^15, u d + v e, a multiple of the modulus's limb and a carry are below 2^31.
    """
'''


# Numbers of 1, 2, 4 or 8 words, the least first ----------------------------------------------------------------------


def product(f: Code, a: Words, b: Words) -> Words:
    """a * b, of twice as many words."""
    n = len(a) // 2
    if not n:
        return _product_of_words(f, a[0], b[0])
    low = product(f, a[:n], b[:n]) if n == 1 else []  # earlier or later: what needs least registers
    d, sign = distance(f, a[n:], a[:n])
    e, other = distance(f, b[:n], b[n:])
    sign = f.two("eor", sign, other)
    middle = product(f, d, e)
    low = low or product(f, a[:n], b[:n])
    high = product(f, a[n:], b[n:])
    return combine(f, low, high, middle, sign)


def _product_of_words(f: Code, a: Value, b: Value) -> Words:
    """17 cycles. Each product of two halves in the middle is added in two parts."""
    a0, b0 = f.uxth(a), f.uxth(b)
    a1, b1 = f.shift("lsr", a, 16), f.shift("lsr", b, 16)
    words = [f.two("mul", a0, b0)]
    middle = f.two("mul", a0, b1), f.two("mul", b0, a1)
    words.append(f.two("mul", a1, b1))
    for term in middle:
        words = f.chain("add", words, [f.shift("lsl", term, 16), f.shift("lsr", term, 16)])
    return words


def square(f: Code, a: Words) -> Words:
    n = len(a) // 2
    if not n:
        a0, a1 = f.uxth(a[0]), f.shift("lsr", a[0], 16)
        middle, words = f.two("mul", a0, a1), [f.two("mul", a0, a0), f.two("mul", a1, a1)]
        return f.chain("add", words, [f.shift("lsl", middle, 17), f.shift("lsr", middle, 15)])
    d, _ = distance(f, a[n:], a[:n])
    middle = square(f, d)
    return combine(f, square(f, a[:n]), square(f, a[n:]), middle, None)


def distance(f: Code, a: Words, b: Words) -> tuple[Words, Value]:
    """|a - b|, and a mask, -1 if a < b."""
    difference = f.chain("sub", a, b)
    sign = f.borrow()
    return f.chain("sub", [f.two("eor", word, sign) for word in difference], [sign] * len(a)), sign


def combine(f: Code, low: Words, high: Words, middle: Words, sign: Value | None, parked: bool = False) -> Words:
    """low + (low + high + middle) W + high W^2.

    sign: a mask, -1 if it is to be - middle; None if it always is. What low and high have in common, the upper half of
    one and the lower of the other, is added up once. parked: low and middle are on the stack.
    """
    n = len(high) // 2
    zero = Value(0)
    if parked:
        f.fetch(low[n:])
    common = f.chain("add", low[n:], high[:n])
    top = f.chain("add", high[n:], [zero] * n, begin=False)
    if parked:
        f.fetch(low[:n])
    words = f.chain("add", common, low[:n])
    words += f.chain("add", common, top, begin=False)
    words += f.chain("add", top, [zero] * n, begin=False)
    if parked:
        f.fetch(middle[:n])
    if sign:
        f.set_carry(sign)
    made = []
    for i, word in enumerate(words):
        if parked and i == n:
            f.fetch(middle[n:])
        if sign:
            made.append(f.two("adc", word, f.two("eor", middle[i], sign) if i < 2 * n else sign))
        else:
            made.append(f.two("sbc" if i else "sub", word, middle[i] if i < 2 * n else zero))
    return low[:n] + made


# The pieces of `run` --------------------------------------------------------------------------------------------------


def load_parked(f: Code, pointer: Value, slot: int) -> tuple[Words, Words]:
    """The lower and the upper four words of an element, which are kept on the stack, too."""
    halves = []
    for at in (slot, slot + 4):
        halves.append(f.load(pointer, 4))
        f.park(halves[-1], at)
    return halves[0], halves[1]


def multiply() -> Code:
    """The result = a * b / R - c mod p. r1, r2: where a and b are."""
    a_at, b_at, d_at, e_at, middle_at, low_at = (SCRATCH + i for i in (0, 8, 16, 20, 24, 16))
    f = Code([1, 2], slot=SCRATCH + 32)
    a0, a1 = load_parked(f, f.inputs[1], a_at)
    d, sign = distance(f, a1, a0)
    f.park(d, d_at)
    b0, b1 = load_parked(f, f.inputs[2], b_at)
    e, other = distance(f, b0, b1)
    sign = f.two("eor", sign, other)
    f.park(e, e_at)
    f.fetch(d)
    middle = product(f, d, e)
    f.park(middle, middle_at)
    f.fetch(a0)
    f.fetch(b0)
    low = product(f, a0, b0)
    f.park(low, low_at)
    f.fetch(a1)
    f.fetch(b1)
    reduce(f, combine(f, low, product(f, a1, b1), middle, sign, parked=True))
    return f.compile()


def multiply_by_itself() -> Code:
    """The result = a * a / R - c mod p. r1: where a is."""
    a_at, middle_at, low_at = (SCRATCH + i for i in (0, 16, 8))
    f = Code([1], slot=SCRATCH + 24)
    a0, a1 = load_parked(f, f.inputs[1], a_at)
    d, _ = distance(f, a1, a0)
    middle = square(f, d)
    f.park(middle, middle_at)
    f.fetch(a0)
    low = square(f, a0)
    f.park(low, low_at)
    f.fetch(a1)
    reduce(f, combine(f, low, square(f, a1), middle, None, parked=True))
    return f.compile()


def reduce(f: Code, words: Words) -> None:
    """The result = words / R - c mod p.

    The multiple of p is added in three rows: q * 2^96, q * 2^192 and -q * 2^224. Below 2^256, where they make up q
    itself, q is added up as in the docstring; above, the rows go on, with their carries, and there are q * 2^256 and
    -c * 2^256. They do so in two halves of four words, as there are no registers for all.
    """
    zero = Value(0)
    q = [*words[:3], f.two("add", words[3], words[0])]
    q += f.chain("add", words[4:6], q[1:3], begin=False)
    rest = f.chain("add", words[6:8], q[3:5], begin=False)
    carries = {3: f.carry()}  # of the row that adds q[i + ...]
    rest = f.chain("add", rest, q[:2])
    carries[6] = f.carry()
    q += [rest[0], f.two("sub", rest[1], q[0])]
    carries[7] = f.borrow()
    q += [zero] * 8

    result = []
    top = zero
    c_at = f.read(C)
    for half in (0, 4):
        part = words[8 + half : 12 + half]
        for row, kind in ((9, "sub"), (8, "add"), (3, "add"), (6, "add"), (7, "sub")):  # 9: c
            begin = row not in carries
            terms = f.load(c_at, 4) if row == 9 else q[8 + half - row : 12 + half - row]
            if not begin:
                (f.set_borrow if kind == "sub" else f.set_carry)(carries[row])
            part = f.chain(kind, part, terms, begin)
            if not half:
                carries[row] = f.borrow() if kind == "sub" else f.carry()
            elif row == 9:
                top = f.borrow()
            else:
                top = f.two("sbc" if kind == "sub" else "adc", top, zero)
        result += part
    normalize(f, result, top)


def normalize(f: Code, words: Words, top: Value) -> None:
    """The result = words + top * 2^256 - f * p. See the docstring.

    What is added is f - f * 2^96 - f * 2^192 + f * 2^224, with its sign in two's complement: s, g, h are what is
    carried.
    """
    sign = f.shift("asr", top, 31)
    f.two("add", words[7], top)
    m = f.two("adc", top, sign)
    s = f.shift("asr", m, 31)
    g = f.two("sub", s, m)
    t = f.shift("asr", g, 31)
    h = f.two("sub", t, m)
    multiple = [m, s, s, g, t, t, h, f.two("add", m, f.shift("asr", h, 31))]
    pointer = f.read(RESULT)
    for half in (0, 4):
        f.store(pointer, f.chain("add", words[half : half + 4], multiple[half : half + 4], begin=not half))


def sum_or_difference(kind: str) -> Code:
    """The result = a + b ("add"), a - b ("sub") or a + 2b ("add_twice"). r1, r2: where a and b are."""
    f = Code([1, 2], slot=SCRATCH)
    zero = Value(0)
    words, carry, other = [], None, None
    for half in (0, 4):
        b = f.load(f.inputs[2], 4)
        a = f.load(f.inputs[1], 4)
        if carry:
            (f.set_borrow if kind == "sub" else f.set_carry)(carry)
        a = f.chain(kind[:3], a, b, begin=not half)
        carry = f.borrow() if kind == "sub" else f.carry()
        if kind == "add_twice":
            if other:
                f.set_carry(other)
            a = f.chain("add", a, b, begin=not half)
            if half:
                carry = f.two("adc", carry, zero)
            else:
                other = f.carry()
        words += a
    normalize(f, words, carry)
    return f.compile()


def least() -> Code:
    """The result = the element at r1, mod p. p is subtracted, and added again where it was too much."""
    f = Code([1], slot=SCRATCH)
    words = f.load(f.inputs[1], 4) + f.load(f.inputs[1], 4)
    zero, one = Value(0), Value(1)
    words = f.chain("sub", words, p_times(f.neg(one), zero, one))
    mask = f.borrow()
    words = f.chain("add", words, p_times(mask, zero, f.shift("lsr", mask, 31)))
    f.store(f.read(RESULT), words)
    return f.compile()


def p_times(mask: Value, zero: Value, bit: Value) -> Words:
    """p, if the mask is -1 and the bit 1, or 0, if they are 0."""
    return [mask, mask, mask, zero, zero, zero, bit, mask]


def convert_row() -> Code:
    """Elements r and r + 1 = x and y of a row, over 16 (mod p), for it has R = 2^260. r0: where it is; r1: -1 for p -
    y, else 0. As p is -1 mod 16, the multiple of p that makes a number divisible by 16 is the number's lowest 4
    bits."""
    f = Code([0, 1], slot=SCRATCH)
    row, minus = f.inputs[0], f.inputs[1]
    zero = Value(0)
    pointer = f.read(RESULT)
    for coordinate in "xy":
        words = f.load(row, 4)
        q = f.two("and_", words[0], Value(15))
        words[3] = f.two("add", words[3], q)
        words += f.load(row, 4)
        words[4:] = f.chain("add", [*words[4:], zero], [zero, zero, q, zero, q], begin=False)
        words[7:] = f.chain("sub", words[7:], [q, zero])
        shifted = [f.two("orr", f.shift("lsr", low, 4), f.shift("lsl", high, 28)) for low, high in pairwise(words)]
        if coordinate == "y":  # p + 1 + ~y, or y
            one = f.shift("lsr", minus, 31)
            shifted = [f.two("eor", word, minus) for word in shifted]
            f.set_carry(minus)
            shifted = f.chain("add", shifted, p_times(minus, zero, one), begin=False)
        f.store(pointer, shifted)
    return f.compile()


def enter(frame: int) -> list[Line]:
    """Keep r8 to r11, as MicroPython has done with r4 to r7, and make room for a frame."""
    lines: list[Line] = [("mov", 4 + i, 8 + i) for i in range(4)]
    return [*lines, ("push", (4, 5, 6, 7)), ("sub_sp", frame)]


def leave(frame: int) -> list[Line]:
    lines: list[Line] = [("add_sp_sp", frame), ("pop", (4, 5, 6, 7))]
    return lines + [("mov", 8 + i, 4 + i) for i in range(4)]


TABLE = ("mul", "sqr", "add", "sub", "add_twice", "least", "row", "end")


def run() -> list[Line]:
    """The first instruction of each piece follows its label; the pieces end with a jump to the next operation."""
    code: list[Line] = [
        *enter(FRAME),
        *[("str_sp", register, slot) for register, slot in ((0, PROGRAM), (1, WORKSPACE), (2, TIMES), (3, DIGITS))],
        ("label", "again"),
        ("ldr_sp", 7, PROGRAM),
        ("str_sp", 7, NEXT),
        ("label", "next"),
        ("ldr_sp", 7, NEXT),
        ("ldr_sp", 6, WORKSPACE),
        ("ldrh", 4, 7, 8),
        ("add", 4, 4, 6),
        ("str_sp", 4, C),
        ("ldrh", 3, 7, 2),
        ("add", 3, 3, 6),
        ("str_sp", 3, RESULT),
        ("ldrh", 1, 7, 4),
        ("add", 1, 1, 6),
        ("ldrh", 2, 7, 6),
        ("add", 2, 2, 6),
        ("ldrh", 0, 7, 0),
        ("add_number", 7, 10),
        ("str_sp", 7, NEXT),
        ("add_pc", 0),
        ("nop",),  # what is added to is the address of the table
        *[("bl", name) for name in TABLE],
        ("label", "end"),
        ("ldr_sp", 0, TIMES),
        ("sub_number", 0, 1),
        ("str_sp", 0, TIMES),
        ("bne", "again"),
        *leave(FRAME),
        ("bl", "done"),
        ("label", "row"),  # a is 0 or 8: which comb's
        ("sub", 1, 1, 6),
        ("ldr_sp", 4, DIGITS),
        ("add", 1, 1, 4),
        ("ldr", 4, 1, 0),
        ("ldr", 5, 1, 4),
        ("ldrh", 0, 5, 0),
        ("add_number", 5, 2),
        ("str", 5, 1, 4),
        ("lsr", 1, 0, 15),
        ("neg", 1, 1),
        ("lsl", 0, 0, 17),
        ("lsr", 0, 0, 11),
        ("add", 0, 0, 4),
        ("lsl", 2, 0, 30),
        ("beq", "aligned"),
        ("add_sp", 2, COPY),  # copy the row, byte by byte
        ("mov_number", 4, 64),
        ("label", "copy"),
        ("sub_number", 4, 1),
        ("ldrb_indexed", 3, 0, 4),
        ("strb_indexed", 3, 2, 4),
        ("bne", "copy"),
        ("mov", 0, 2),
        ("label", "aligned"),
        *convert_row().lines,
        ("bl", "next"),
    ]
    for name in ("add", "sub", "add_twice"):
        code += [("label", name), *sum_or_difference(name).lines, ("bl", "next")]
    code += [("label", "least"), *least().lines, ("bl", "next")]
    return [
        *code,
        ("label", "sqr"),
        *multiply_by_itself().lines,
        ("bl", "next"),
        ("label", "mul"),
        *multiply().lines,
        ("bl", "next"),
        ("label", "done"),
    ]


# The digits of a comb ------------------------------------------------------------------------------------------------

POSITION, POSITIONS, FLIP, SHIFT, ROWS, PART, DIGITS_AT, FORM = range(8)
OCTETS = 8  # 8 words
COLUMNS_FRAME = 24


def make_odd() -> Code:
    """OCTETS = (k + 2^256 - 1) / 2, or (n - k + 2^256 - 1) / 2 if k is even: bit 0 of FLIP. r0: k, r3: n."""
    f = Code([0, 3], slot=OCTETS + 8)
    one = Value(1)
    k = f.load(f.inputs[0], 4) + f.load(f.inputs[0], 4)
    f.park(k, OCTETS)
    even = f.two("sub", f.two("and_", k[0], one), one)  # -1 or 0
    f.write(FLIP, even)
    n = f.load(f.inputs[3], 4)
    other = f.chain("sub", n, k[:4])
    other += f.chain("sub", f.load(f.inputs[3], 4), k[4:], begin=False)
    chosen = [f.two("eor", x, f.two("and_", f.two("eor", x, y), even)) for x, y in zip(k, other, strict=True)]
    halves = [f.two("orr", f.shift("lsr", low, 1), f.shift("lsl", high, 31)) for low, high in pairwise([*chosen, one])]
    f.store(f.address(OCTETS), halves)
    return f.compile()


def columns() -> list[Line]:
    """r0: the octets, r8: their end, r1: the next digit, r2: one tooth further, in bytes, r4: bit, r5: where it is,
    r6: bit & 7, r7: a column of bits, shifted in at the top."""
    return [
        *enter(COLUMNS_FRAME),
        ("str_sp", 1, DIGITS_AT),
        ("str_sp", 2, FORM),
        *make_odd().lines,
        ("add_sp", 0, OCTETS),
        ("add_sp", 3, OCTETS + 8),
        ("mov", 8, 3),
        ("ldr_sp", 1, DIGITS_AT),
        ("ldr_sp", 2, FORM),
        ("lsr", 3, 2, 16),
        ("str_sp", 3, POSITION),
        ("str_sp", 3, POSITIONS),
        ("lsl", 3, 2, 16),
        ("lsr", 3, 3, 24),
        ("str_sp", 3, SHIFT),
        ("mov_number", 4, 0),
        ("mvn", 4, 4),
        ("lsr_by", 4, 3),
        ("str_sp", 4, ROWS),  # in a part, less one
        ("lsl", 2, 2, 24),
        ("lsr", 2, 2, 24),
        ("label", "position"),
        ("ldr_sp", 4, POSITION),
        ("sub_number", 4, 1),
        ("str_sp", 4, POSITION),
        ("bmi", "columns_end"),
        ("mov_number", 3, 0),
        ("str_sp", 3, PART),  # its first row
        ("label", "part"),
        ("lsr", 5, 4, 3),
        ("add", 5, 5, 0),
        ("mov_number", 6, 7),
        ("and_", 6, 4),
        ("mov_number", 7, 0),
        ("label", "tooth"),
        ("ldrb", 3, 5, 0),
        ("lsr_by", 3, 6),
        ("lsl", 3, 3, 31),
        ("lsr", 7, 7, 1),
        ("orr", 7, 3),
        ("add", 5, 5, 2),
        ("cmp_r8", 5),
        ("bcc", "tooth"),
        ("asr", 3, 7, 31),  # -1 for plus
        ("mvn", 5, 3),
        ("eor", 7, 5),
        ("lsl", 7, 7, 1),
        ("ldr_sp", 6, SHIFT),
        ("lsr_by", 7, 6),
        ("ldr_sp", 6, PART),
        ("add", 7, 7, 6),
        ("ldr_sp", 3, FLIP),
        ("eor", 5, 3),
        ("lsl", 5, 5, 31),
        ("lsr", 5, 5, 16),
        ("orr", 7, 5),
        ("strh", 7, 1, 0),
        ("add_number", 1, 2),
        ("ldr_sp", 3, ROWS),
        ("add", 6, 6, 3),
        ("add_number", 6, 1),
        ("str_sp", 6, PART),
        ("ldr_sp", 3, POSITIONS),
        ("add", 4, 4, 3),
        ("lsl", 3, 2, 3),  # 256 / teeth
        ("cmp", 4, 3),
        ("bcc", "part"),
        ("b", "position"),
        ("label", "columns_end"),
        *leave(COLUMNS_FRAME),
    ]


def place() -> list[Line]:
    return [
        ("lsr", 4, 3, 16),
        ("lsl", 4, 4, 3),
        ("add", 0, 0, 4),
        ("lsl", 3, 3, 16),
        ("lsr", 3, 3, 15),
        ("add", 2, 2, 3),
        ("str", 1, 0, 0),
        ("str", 2, 0, 4),
    ]


def copy_row() -> list[Line]:
    return [
        ("add", 0, 0, 2),
        ("add_number", 1, 64),  # _S0 is element 2
        ("mov_number", 2, 64),
        ("label", "copy"),
        ("sub_number", 2, 1),
        ("ldrb_indexed", 3, 1, 2),
        ("strb_indexed", 3, 0, 2),
        ("bne", "copy"),
    ]


# Divisions ------------------------------------------------------------------------------------------------------------

LIMBS, BITS, BATCHES = 18, 15, 40
AT_ONCE = 3  # limbs
STATE, MODULUS, INVERSE, BATCH, ZETA, LIMBS_END = range(6)
NEXT_NUMBER = 4 * (LIMBS + 1)  # bytes from a limb of f to that of g


def steps() -> list[Line]:
    """15 steps. r0: f, r1: g, r2: u and v, r3: q and r, r4: zeta, r5: swap, r6: odd, r8: how many are left."""
    code: list[Line] = [("ldr_sp", 7, STATE), ("ldr", 0, 7, 4), ("ldr", 1, 7, 4 + NEXT_NUMBER)]
    code += [("mov_number", 2, 1), ("lsl", 3, 2, 16), ("ldr_sp", 4, ZETA), ("mov_number", 5, BITS), ("mov", 8, 5)]
    code += [("label", "step"), ("asr", 5, 4, 31), ("lsl", 6, 1, 31), ("asr", 6, 6, 31)]
    for first, second in ((0, 1), (2, 3)):  # g += f or -f if odd, q and r likewise
        code += [("mov", 7, first), ("eor", 7, 5), ("sub", 7, 7, 5), ("and_", 7, 6), ("add", second, second, 7)]
    code += [("and_", 5, 6), ("eor", 4, 5), ("sub_number", 4, 1)]
    for first, second in ((0, 1), (2, 3)):  # f += g if odd and to be swapped, u and v likewise
        code += [("mov", 7, second), ("and_", 7, 5), ("add", first, first, 7)]
    code += [("asr", 1, 1, 1), ("add", 2, 2, 2)]
    code += [("mov", 7, 8), ("sub_number", 7, 1), ("mov", 8, 7), ("bne", "step"), ("str_sp", 4, ZETA)]
    for pair, low, high in (
        (2, 8, 9),
        (3, 10, 11),
    ):  # u, v, q, r to r8 to r11; the lower one may be 2^15, but not -2^15
        code += [("sub_number", pair, 1), ("lsl", 4, pair, 16), ("asr", 4, 4, 16)]
        code += [("sub", 5, pair, 4), ("asr", 5, 5, 16), ("mov", high, 5)]
        code += [("add_number", 4, 1), ("mov", low, 4)]
    return code


def apply(name: str, first: int, with_modulus: bool) -> list[Line]:
    """(x, y) = (u x + v y + r12 modulus, q x + r y + r14 modulus) / 2^15, x at byte `first` of the state.

    r0: a word before the limb of x; r1, r2: carries; r3, r4: limbs; r6: where the modulus's are; r7: one of them."""
    code: list[Line] = [("ldr_sp", 0, STATE), ("add_number", 0, first), ("mov", 7, 0), ("add_number", 7, 4 * LIMBS)]
    code += [("str_sp", 7, LIMBS_END), ("mov_number", 1, 0), ("mov_number", 2, 0)]
    code += [("ldr_sp", 6, MODULUS)] * with_modulus
    code += [("label", name)]
    terms = [(8, 3, 1), (9, 4, 1), (10, 3, 2), (11, 4, 2)] + [(12, 7, 1), (14, 7, 2)] * with_modulus
    for at in range(0, 4 * AT_ONCE, 4):
        code += [("ldr", 3, 0, at + 4), ("ldr", 4, 0, at + 4 + NEXT_NUMBER)] + [("ldm", 6, (7,))] * with_modulus
        for factor, limb, carry in terms:
            code += [("mov", 5, factor), ("mul", 5, limb), ("add", carry, carry, 5)]
        for carry, to in ((1, at), (2, at + NEXT_NUMBER)):
            code += [*lowest_bits(5, carry), ("str", 5, 0, to), ("asr", carry, carry, BITS)]
    code += [("add_number", 0, 4 * AT_ONCE), ("ldr_sp", 5, LIMBS_END), ("cmp", 0, 5), ("bne", name)]
    return [*code, ("str", 1, 0, 0), ("str", 2, 0, NEXT_NUMBER)]


def lowest_bits(to: int, register: int) -> list[Line]:
    return [("lsl", to, register, 32 - BITS), ("lsr", to, to, 32 - BITS)]


def find_multiples(first: int) -> list[Line]:
    """r12, r14: how often to add the modulus to u d + v e, and to q d + r e, for their lowest 15 bits to be 0."""
    code: list[Line] = [
        ("ldr_sp", 0, STATE),
        ("add_number", 0, first),
        ("ldr", 3, 0, 4),
        ("ldr", 4, 0, 4 + NEXT_NUMBER),
    ]
    code.append(("ldr_sp", 6, INVERSE))
    for u, v, to in ((8, 9, 12), (10, 11, 14)):
        code += [("mov", 5, u), ("mul", 5, 3), ("mov", 7, v), ("mul", 7, 4), ("add", 5, 5, 7)]
        code += [("mul", 5, 6), *lowest_bits(5, 5), ("mov", to, 5)]
    return code


def divsteps() -> list[Line]:
    return [
        *enter(6),
        *[("str_sp", register, slot) for register, slot in ((0, STATE), (1, MODULUS), (2, INVERSE))],
        ("mov_number", 3, 4 * LIMBS),  # f, d and e
        ("mov_number", 4, 0),
        ("label", "begin"),
        ("sub_number", 3, 4),
        ("ldr_indexed", 5, 1, 3),
        ("add", 6, 0, 3),
        ("str", 5, 6, 4),
        ("add_number", 6, 4 + 2 * NEXT_NUMBER),
        ("str", 4, 6, 0),
        ("str", 4, 6, NEXT_NUMBER),
        ("cmp", 3, 4),
        ("bne", "begin"),
        ("mov_number", 5, 1),
        ("str", 5, 6, NEXT_NUMBER),
        ("mov_number", 0, BATCHES),
        ("str_sp", 0, BATCH),
        ("mov_number", 0, 1),
        ("neg", 0, 0),
        ("str_sp", 0, ZETA),
        ("label", "batch"),
        *steps(),
        *apply("limb_of_f", 0, False),
        *find_multiples(2 * NEXT_NUMBER),
        *apply("limb_of_d", 2 * NEXT_NUMBER, True),
        ("ldr_sp", 0, BATCH),
        ("sub_number", 0, 1),
        ("str_sp", 0, BATCH),
        ("beq", "end"),
        ("bl", "batch"),
        ("label", "end"),
        *leave(6),
    ]


# Text -----------------------------------------------------------------------------------------------------------------

REGISTERS = {"mov", "add", "sub", "adc", "sbc", "mul", "and_", "orr", "eor", "neg", "mvn", "cmp"}
SHIFTS = {"lsl", "lsr", "asr"}
JUMPS = {"label", "b", "bl", "beq", "bne", "bmi", "bcc"}


def text(line: Line) -> str:
    """A line in MicroPython's assembler."""
    name, *x = line
    if name in REGISTERS:
        return f"{name}({', '.join(f'r{register}' for register in x)})"
    if name in SHIFTS:
        return f"{name}(r{x[0]}, r{x[1]}, {x[2]})"
    if name in JUMPS:
        return f"{name}({x[0]})"
    if name.endswith("_by"):
        return f"{name[:3]}(r{x[0]}, r{x[1]})"
    if name in ("ldr", "str", "ldrh", "strh", "ldrb"):
        return f"{name}(r{x[0]}, [r{x[1]}, {x[2]}])"
    if name.endswith("_number"):
        return f"{name[:3]}(r{x[0]}, {x[1]})"
    opcode, comment = raw(name, *x)
    return f"data(2, 0x{opcode:04X})  # {comment}"


def raw(name: str, *x: Any) -> tuple[int, str]:
    """An opcode that the assembler has no name for, and its name."""
    if name in ("ldm", "stm"):
        registers = ", ".join(f"r{register}" for register in x[1])
        opcode = {"ldm": 0xC800, "stm": 0xC000}[name] | x[0] << 8
        return opcode | bits(x[1]), f"{name} r{x[0]}!, {{{registers}}}"
    if name in ("push", "pop"):
        return {"push": 0xB400, "pop": 0xBC00}[name] | bits(x[0]), f"{name} {{r{x[0][0]}-r{x[0][-1]}}}"
    if name in ("ldr_sp", "str_sp"):
        return {"ldr_sp": 0x9800, "str_sp": 0x9000}[name] | x[0] << 8 | x[1], f"{name[:3]} r{x[0]}, [sp, {4 * x[1]}]"
    if name.endswith("_indexed"):
        opcode = {"ldr_indexed": 0x5800, "ldrb_indexed": 0x5C00, "strb_indexed": 0x5400}[name]
        return opcode | x[2] << 6 | x[1] << 3 | x[0], f"{name[:-8]} r{x[0]}, [r{x[1]}, r{x[2]}]"
    return {
        "uxth": lambda to, register: (0xB280 | register << 3 | to, f"uxth r{to}, r{register}"),
        "add_sp": lambda to, slot: (0xA800 | to << 8 | slot, f"add r{to}, sp, {4 * slot}"),
        "sub_sp": lambda words: (0xB080 | words, f"sub sp, {4 * words}"),
        "add_sp_sp": lambda words: (0xB000 | words, f"add sp, {4 * words}"),
        "cmp_r8": lambda register: (0x4540 | register, f"cmp r{register}, r8"),
        "add_pc": lambda register: (0x4487 | register << 3, f"add pc, r{register}"),
        "nop": lambda: (0x46C0, "nop"),
    }[name](*x)


def bits(registers: tuple[int, ...]) -> int:
    return sum(1 << register for register in registers)


MODULI = """

def _limbs(number):
    limbs = bytearray(72)
    _split(number.to_bytes(34, "little"), limbs, 0)
    return limbs


# What `inverse` and `digits` need of a modulus: the limbs; -1 / modulus mod 2^15; 32 bytes.
_MODULI = {P: (_limbs(P), 1, P.to_bytes(32, "little")), N: (_limbs(N), 15439, N.to_bytes(32, "little"))}
"""


def main() -> None:
    print(HEADER + PROGRAMS, end="")
    for head, lines in (
        (RUN, run()),
        (PLACE, place()),
        (COPY_ROW, copy_row()),
        (COLUMNS, columns()),
        (DIVSTEPS, divsteps()),
    ):
        print(head, end="")
        print("\n".join(f"    {text(line)}" for line in lines))
    print(MODULI, end="")


if __name__ == "__main__":
    main()
