# ruff: noqa: F821, labels and registers are names that only the assembler knows
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


@micropython.asm_thumb
def _run(r0, r1, r2, r3):
    """Run a program (r0) on a workspace (r1) so many times (r2), at least once. r3: what is called _digits above.

    An operation is five halfwords: its place in the table of jumps, and where r, a, b and c are in the workspace, in
    bytes.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    data(2, 0xB4F0)  # push {r4-r7}
    data(2, 0xB0B2)  # sub sp, 200
    data(2, 0x9000)  # str r0, [sp, 0]
    data(2, 0x9103)  # str r1, [sp, 12]
    data(2, 0x9202)  # str r2, [sp, 8]
    data(2, 0x9304)  # str r3, [sp, 16]
    label(again)
    data(2, 0x9F00)  # ldr r7, [sp, 0]
    data(2, 0x9701)  # str r7, [sp, 4]
    label(next)
    data(2, 0x9F01)  # ldr r7, [sp, 4]
    data(2, 0x9E03)  # ldr r6, [sp, 12]
    ldrh(r4, [r7, 8])
    add(r4, r4, r6)
    data(2, 0x9406)  # str r4, [sp, 24]
    ldrh(r3, [r7, 2])
    add(r3, r3, r6)
    data(2, 0x9305)  # str r3, [sp, 20]
    ldrh(r1, [r7, 4])
    add(r1, r1, r6)
    ldrh(r2, [r7, 6])
    add(r2, r2, r6)
    ldrh(r0, [r7, 0])
    add(r7, 10)
    data(2, 0x9701)  # str r7, [sp, 4]
    data(2, 0x4487)  # add pc, r0
    data(2, 0x46C0)  # nop
    bl(mul)
    bl(sqr)
    bl(add)
    bl(sub)
    bl(add_twice)
    bl(least)
    bl(row)
    bl(end)
    label(end)
    data(2, 0x9802)  # ldr r0, [sp, 8]
    sub(r0, 1)
    data(2, 0x9002)  # str r0, [sp, 8]
    bne(again)
    data(2, 0xB032)  # add sp, 200
    data(2, 0xBCF0)  # pop {r4-r7}
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)
    bl(done)
    label(row)
    sub(r1, r1, r6)
    data(2, 0x9C04)  # ldr r4, [sp, 16]
    add(r1, r1, r4)
    ldr(r4, [r1, 0])
    ldr(r5, [r1, 4])
    ldrh(r0, [r5, 0])
    add(r5, 2)
    str(r5, [r1, 4])
    lsr(r1, r0, 15)
    neg(r1, r1)
    lsl(r0, r0, 17)
    lsr(r0, r0, 11)
    add(r0, r0, r4)
    lsl(r2, r0, 30)
    beq(aligned)
    data(2, 0xAA18)  # add r2, sp, 96
    mov(r4, 64)
    label(copy)
    sub(r4, 1)
    data(2, 0x5D03)  # ldrb r3, [r0, r4]
    data(2, 0x5513)  # strb r3, [r2, r4]
    bne(copy)
    mov(r0, r2)
    label(aligned)
    data(2, 0x9A05)  # ldr r2, [sp, 20]
    data(2, 0xC878)  # ldm r0!, {r3, r4, r5, r6}
    mov(r7, 15)
    and_(r7, r3)
    add(r6, r6, r7)
    mov(r8, r1)
    mov(r9, r2)
    mov(r10, r6)
    mov(r11, r5)
    data(2, 0xC866)  # ldm r0!, {r1, r2, r5, r6}
    mov(r12, r0)
    mov(r0, 0)
    adc(r1, r0)
    adc(r2, r0)
    adc(r5, r7)
    adc(r6, r0)
    adc(r0, r7)
    sub(r6, r6, r7)
    mov(r7, 0)
    sbc(r0, r7)
    lsr(r3, r3, 4)
    lsl(r7, r4, 28)
    orr(r3, r7)
    lsr(r4, r4, 4)
    mov(r7, r11)
    mov(r14, r3)
    lsl(r3, r7, 28)
    orr(r4, r3)
    lsr(r3, r7, 4)
    mov(r7, r10)
    mov(r11, r4)
    lsl(r4, r7, 28)
    orr(r3, r4)
    lsr(r4, r7, 4)
    lsl(r7, r1, 28)
    orr(r4, r7)
    lsr(r1, r1, 4)
    lsl(r7, r2, 28)
    orr(r1, r7)
    lsr(r2, r2, 4)
    lsl(r7, r5, 28)
    orr(r2, r7)
    lsr(r5, r5, 4)
    lsl(r7, r6, 28)
    orr(r5, r7)
    lsr(r6, r6, 4)
    lsl(r0, r0, 28)
    orr(r6, r0)
    mov(r0, r9)
    mov(r7, r14)
    mov(r10, r1)
    mov(r1, r11)
    data(2, 0xC080)  # stm r0!, {r7}
    data(2, 0xC01A)  # stm r0!, {r1, r3, r4}
    mov(r1, r10)
    data(2, 0xC066)  # stm r0!, {r1, r2, r5, r6}
    mov(r1, r12)
    data(2, 0xC93C)  # ldm r1!, {r2, r3, r4, r5}
    mov(r6, 15)
    and_(r6, r2)
    add(r5, r5, r6)
    mov(r9, r0)
    mov(r10, r5)
    mov(r11, r4)
    data(2, 0xC9B1)  # ldm r1!, {r0, r4, r5, r7}
    mov(r1, 0)
    adc(r0, r1)
    adc(r4, r1)
    adc(r5, r6)
    adc(r7, r1)
    adc(r1, r6)
    sub(r6, r7, r6)
    mov(r7, 0)
    sbc(r1, r7)
    lsr(r2, r2, 4)
    lsl(r7, r3, 28)
    orr(r2, r7)
    lsr(r3, r3, 4)
    mov(r7, r11)
    mov(r12, r2)
    lsl(r2, r7, 28)
    orr(r3, r2)
    lsr(r2, r7, 4)
    mov(r7, r10)
    mov(r11, r3)
    lsl(r3, r7, 28)
    orr(r2, r3)
    lsr(r3, r7, 4)
    lsl(r7, r0, 28)
    orr(r3, r7)
    lsr(r0, r0, 4)
    lsl(r7, r4, 28)
    orr(r0, r7)
    lsr(r4, r4, 4)
    lsl(r7, r5, 28)
    orr(r4, r7)
    lsr(r5, r5, 4)
    lsl(r7, r6, 28)
    orr(r5, r7)
    lsr(r6, r6, 4)
    lsl(r1, r1, 28)
    orr(r6, r1)
    mov(r1, r8)
    lsr(r7, r1, 31)
    mov(r10, r7)
    mov(r7, r12)
    eor(r1, r7)
    mov(r7, r11)
    mov(r12, r1)
    mov(r1, r8)
    eor(r1, r7)
    mov(r7, r8)
    eor(r2, r7)
    eor(r3, r7)
    eor(r0, r7)
    eor(r4, r7)
    eor(r5, r7)
    eor(r6, r7)
    mov(r11, r6)
    lsr(r6, r7, 1)
    mov(r6, r12)
    adc(r7, r6)
    mov(r6, r8)
    adc(r1, r6)
    adc(r2, r6)
    mov(r6, 0)
    adc(r3, r6)
    adc(r0, r6)
    adc(r6, r4)
    mov(r4, r10)
    adc(r5, r4)
    mov(r4, r8)
    mov(r10, r0)
    mov(r0, r11)
    adc(r0, r4)
    mov(r4, r9)
    data(2, 0xC480)  # stm r4!, {r7}
    data(2, 0xC40E)  # stm r4!, {r1, r2, r3}
    mov(r1, r10)
    data(2, 0xC442)  # stm r4!, {r1, r6}
    data(2, 0xC420)  # stm r4!, {r5}
    data(2, 0xC401)  # stm r4!, {r0}
    bl(next)
    label(add)
    data(2, 0xCA39)  # ldm r2!, {r0, r3, r4, r5}
    mov(r8, r2)
    mov(r9, r5)
    data(2, 0xC9E4)  # ldm r1!, {r2, r5, r6, r7}
    add(r0, r2, r0)
    adc(r5, r3)
    adc(r6, r4)
    mov(r2, r9)
    adc(r7, r2)
    mov(r2, 0)
    adc(r2, r2)
    mov(r3, r8)
    mov(r9, r7)
    mov(r10, r6)
    mov(r11, r5)
    data(2, 0xCBF0)  # ldm r3!, {r4, r5, r6, r7}
    mov(r8, r0)
    mov(r12, r7)
    mov(r14, r6)
    data(2, 0xC9C9)  # ldm r1!, {r0, r3, r6, r7}
    lsr(r1, r2, 1)
    adc(r0, r4)
    adc(r3, r5)
    mov(r1, r14)
    adc(r6, r1)
    mov(r1, r12)
    adc(r7, r1)
    mov(r1, 0)
    adc(r1, r1)
    asr(r2, r1, 31)
    add(r4, r7, r1)
    adc(r1, r2)
    asr(r2, r1, 31)
    sub(r4, r2, r1)
    asr(r5, r4, 31)
    data(2, 0x9708)  # str r7, [sp, 32]
    sub(r7, r5, r1)
    mov(r12, r6)
    asr(r6, r7, 31)
    add(r6, r1, r6)
    data(2, 0x9609)  # str r6, [sp, 36]
    data(2, 0x9E05)  # ldr r6, [sp, 20]
    mov(r14, r7)
    mov(r7, r8)
    add(r1, r7, r1)
    mov(r7, r11)
    adc(r7, r2)
    mov(r8, r3)
    mov(r3, r10)
    adc(r2, r3)
    mov(r3, r9)
    adc(r4, r3)
    data(2, 0xC682)  # stm r6!, {r1, r7}
    data(2, 0xC614)  # stm r6!, {r2, r4}
    adc(r0, r5)
    mov(r1, r8)
    adc(r5, r1)
    mov(r1, r14)
    mov(r2, r12)
    adc(r2, r1)
    data(2, 0x9909)  # ldr r1, [sp, 36]
    data(2, 0x9B08)  # ldr r3, [sp, 32]
    adc(r3, r1)
    data(2, 0xC621)  # stm r6!, {r0, r5}
    data(2, 0xC60C)  # stm r6!, {r2, r3}
    bl(next)
    label(sub)
    data(2, 0xCA39)  # ldm r2!, {r0, r3, r4, r5}
    mov(r8, r2)
    mov(r9, r5)
    data(2, 0xC9E4)  # ldm r1!, {r2, r5, r6, r7}
    sub(r0, r2, r0)
    sbc(r5, r3)
    sbc(r6, r4)
    mov(r2, r9)
    sbc(r7, r2)
    sbc(r2, r2)
    mov(r3, r8)
    mov(r9, r7)
    mov(r10, r6)
    mov(r11, r5)
    data(2, 0xCBF0)  # ldm r3!, {r4, r5, r6, r7}
    mov(r8, r0)
    mov(r12, r7)
    mov(r14, r6)
    data(2, 0xC9C9)  # ldm r1!, {r0, r3, r6, r7}
    neg(r1, r2)
    sbc(r0, r4)
    sbc(r3, r5)
    mov(r1, r14)
    sbc(r6, r1)
    mov(r1, r12)
    sbc(r7, r1)
    sbc(r1, r1)
    asr(r2, r1, 31)
    add(r4, r7, r1)
    adc(r1, r2)
    asr(r2, r1, 31)
    sub(r4, r2, r1)
    asr(r5, r4, 31)
    data(2, 0x9708)  # str r7, [sp, 32]
    sub(r7, r5, r1)
    mov(r12, r6)
    asr(r6, r7, 31)
    add(r6, r1, r6)
    data(2, 0x9609)  # str r6, [sp, 36]
    data(2, 0x9E05)  # ldr r6, [sp, 20]
    mov(r14, r7)
    mov(r7, r8)
    add(r1, r7, r1)
    mov(r7, r11)
    adc(r7, r2)
    mov(r8, r3)
    mov(r3, r10)
    adc(r2, r3)
    mov(r3, r9)
    adc(r4, r3)
    data(2, 0xC682)  # stm r6!, {r1, r7}
    data(2, 0xC614)  # stm r6!, {r2, r4}
    adc(r0, r5)
    mov(r1, r8)
    adc(r5, r1)
    mov(r1, r14)
    mov(r2, r12)
    adc(r2, r1)
    data(2, 0x9909)  # ldr r1, [sp, 36]
    data(2, 0x9B08)  # ldr r3, [sp, 32]
    adc(r3, r1)
    data(2, 0xC621)  # stm r6!, {r0, r5}
    data(2, 0xC60C)  # stm r6!, {r2, r3}
    bl(next)
    label(add_twice)
    data(2, 0xCA39)  # ldm r2!, {r0, r3, r4, r5}
    mov(r8, r2)
    mov(r9, r5)
    data(2, 0xC9E4)  # ldm r1!, {r2, r5, r6, r7}
    add(r2, r2, r0)
    adc(r5, r3)
    adc(r6, r4)
    mov(r10, r1)
    mov(r1, r9)
    adc(r7, r1)
    mov(r1, 0)
    adc(r1, r1)
    add(r0, r2, r0)
    adc(r5, r3)
    adc(r6, r4)
    mov(r2, r9)
    adc(r7, r2)
    mov(r2, 0)
    adc(r2, r2)
    mov(r3, r8)
    data(2, 0x9708)  # str r7, [sp, 32]
    mov(r9, r6)
    mov(r11, r5)
    data(2, 0xCBF0)  # ldm r3!, {r4, r5, r6, r7}
    mov(r3, r10)
    mov(r8, r0)
    mov(r12, r2)
    mov(r14, r7)
    mov(r10, r6)
    data(2, 0xCBC5)  # ldm r3!, {r0, r2, r6, r7}
    lsr(r1, r1, 1)
    adc(r0, r4)
    adc(r2, r5)
    mov(r1, r10)
    adc(r6, r1)
    mov(r3, r14)
    adc(r7, r3)
    mov(r3, 0)
    adc(r3, r3)
    mov(r1, r12)
    lsr(r1, r1, 1)
    adc(r0, r4)
    adc(r2, r5)
    mov(r1, r10)
    adc(r6, r1)
    mov(r1, r14)
    adc(r7, r1)
    mov(r1, 0)
    adc(r3, r1)
    asr(r1, r3, 31)
    add(r4, r7, r3)
    adc(r3, r1)
    asr(r1, r3, 31)
    sub(r4, r1, r3)
    asr(r5, r4, 31)
    data(2, 0x9709)  # str r7, [sp, 36]
    sub(r7, r5, r3)
    mov(r10, r6)
    asr(r6, r7, 31)
    add(r6, r3, r6)
    mov(r12, r6)
    data(2, 0x9E05)  # ldr r6, [sp, 20]
    mov(r14, r7)
    mov(r7, r8)
    add(r3, r7, r3)
    mov(r7, r11)
    adc(r7, r1)
    mov(r8, r2)
    mov(r2, r9)
    adc(r1, r2)
    data(2, 0x9A08)  # ldr r2, [sp, 32]
    adc(r4, r2)
    data(2, 0xC688)  # stm r6!, {r3, r7}
    data(2, 0xC612)  # stm r6!, {r1, r4}
    adc(r0, r5)
    mov(r1, r8)
    adc(r5, r1)
    mov(r1, r14)
    mov(r2, r10)
    adc(r2, r1)
    mov(r1, r12)
    data(2, 0x9B09)  # ldr r3, [sp, 36]
    adc(r3, r1)
    data(2, 0xC621)  # stm r6!, {r0, r5}
    data(2, 0xC60C)  # stm r6!, {r2, r3}
    bl(next)
    label(least)
    data(2, 0xC91D)  # ldm r1!, {r0, r2, r3, r4}
    mov(r8, r4)
    data(2, 0xC9F0)  # ldm r1!, {r4, r5, r6, r7}
    mov(r1, 1)
    mov(r9, r7)
    neg(r7, r1)
    sub(r0, r0, r7)
    sbc(r2, r7)
    sbc(r3, r7)
    mov(r10, r3)
    mov(r3, 0)
    mov(r11, r2)
    mov(r2, r8)
    sbc(r2, r3)
    sbc(r4, r3)
    sbc(r5, r3)
    sbc(r6, r1)
    mov(r1, r9)
    sbc(r1, r7)
    sbc(r7, r7)
    mov(r8, r1)
    lsr(r1, r7, 31)
    add(r0, r0, r7)
    mov(r9, r0)
    mov(r0, r11)
    adc(r0, r7)
    mov(r11, r0)
    mov(r0, r10)
    adc(r0, r7)
    adc(r2, r3)
    adc(r4, r3)
    adc(r3, r5)
    adc(r6, r1)
    mov(r1, r8)
    adc(r7, r1)
    data(2, 0x9905)  # ldr r1, [sp, 20]
    mov(r5, r9)
    mov(r8, r3)
    mov(r3, r11)
    data(2, 0xC120)  # stm r1!, {r5}
    data(2, 0xC108)  # stm r1!, {r3}
    data(2, 0xC105)  # stm r1!, {r0, r2}
    mov(r5, r8)
    data(2, 0xC1F0)  # stm r1!, {r4, r5, r6, r7}
    bl(next)
    label(sqr)
    data(2, 0xC91D)  # ldm r1!, {r0, r2, r3, r4}
    data(2, 0xAD08)  # add r5, sp, 32
    data(2, 0xC51D)  # stm r5!, {r0, r2, r3, r4}
    data(2, 0xC9F0)  # ldm r1!, {r4, r5, r6, r7}
    data(2, 0xA90C)  # add r1, sp, 48
    data(2, 0xC1F0)  # stm r1!, {r4, r5, r6, r7}
    sub(r1, r4, r0)
    sbc(r5, r2)
    sbc(r6, r3)
    data(2, 0x9C0B)  # ldr r4, [sp, 44]
    sbc(r7, r4)
    sbc(r0, r0)
    eor(r1, r0)
    eor(r5, r0)
    eor(r6, r0)
    eor(r7, r0)
    sub(r1, r1, r0)
    sbc(r5, r0)
    sbc(r6, r0)
    sbc(r7, r0)
    sub(r0, r6, r1)
    mov(r2, r7)
    sbc(r2, r5)
    sbc(r3, r3)
    eor(r0, r3)
    eor(r2, r3)
    sub(r0, r0, r3)
    sbc(r2, r3)
    sub(r3, r2, r0)
    sbc(r4, r4)
    eor(r3, r4)
    sub(r3, r3, r4)
    data(2, 0xB29C)  # uxth r4, r3
    lsr(r3, r3, 16)
    mov(r8, r6)
    mov(r6, r4)
    mul(r6, r3)
    mul(r4, r4)
    mul(r3, r3)
    mov(r9, r7)
    lsl(r7, r6, 17)
    lsr(r6, r6, 15)
    add(r4, r4, r7)
    adc(r3, r6)
    data(2, 0xB286)  # uxth r6, r0
    lsr(r0, r0, 16)
    mov(r7, r6)
    mul(r7, r0)
    mul(r6, r6)
    mul(r0, r0)
    mov(r10, r1)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r6, r1)
    adc(r0, r7)
    data(2, 0xB296)  # uxth r6, r2
    lsr(r2, r2, 16)
    mov(r7, r6)
    mul(r7, r2)
    mul(r6, r6)
    mul(r2, r2)
    mov(r11, r5)
    lsl(r5, r7, 17)
    lsr(r7, r7, 15)
    add(r5, r6, r5)
    adc(r2, r7)
    add(r0, r0, r5)
    mov(r5, 0)
    adc(r2, r5)
    add(r6, r0, r1)
    adc(r0, r2)
    adc(r2, r5)
    sub(r4, r6, r4)
    sbc(r0, r3)
    sbc(r2, r5)
    mov(r3, r11)
    mov(r5, r10)
    sub(r6, r3, r5)
    sbc(r7, r7)
    eor(r6, r7)
    sub(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    lsr(r6, r6, 16)
    data(2, 0x9220)  # str r2, [sp, 128]
    mov(r2, r7)
    mul(r2, r6)
    mul(r7, r7)
    mul(r6, r6)
    data(2, 0x9021)  # str r0, [sp, 132]
    lsl(r0, r2, 17)
    lsr(r2, r2, 15)
    add(r0, r7, r0)
    adc(r6, r2)
    data(2, 0xB2AA)  # uxth r2, r5
    lsr(r5, r5, 16)
    mov(r7, r2)
    mul(r7, r5)
    mul(r2, r2)
    mul(r5, r5)
    mov(r10, r4)
    lsl(r4, r7, 17)
    lsr(r7, r7, 15)
    add(r2, r2, r4)
    adc(r5, r7)
    data(2, 0xB29C)  # uxth r4, r3
    lsr(r3, r3, 16)
    mov(r7, r4)
    mul(r7, r3)
    mul(r4, r4)
    mul(r3, r3)
    mov(r11, r1)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r4, r1)
    adc(r3, r7)
    add(r1, r5, r1)
    mov(r4, 0)
    adc(r3, r4)
    add(r5, r1, r2)
    adc(r1, r3)
    adc(r3, r4)
    sub(r0, r5, r0)
    sbc(r1, r6)
    sbc(r3, r4)
    mov(r4, r9)
    mov(r5, r8)
    sub(r6, r4, r5)
    sbc(r7, r7)
    eor(r6, r7)
    sub(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    lsr(r6, r6, 16)
    mov(r12, r0)
    mov(r0, r7)
    mul(r0, r6)
    mul(r7, r7)
    mul(r6, r6)
    mov(r14, r2)
    lsl(r2, r0, 17)
    lsr(r0, r0, 15)
    add(r2, r7, r2)
    adc(r6, r0)
    data(2, 0xB2A8)  # uxth r0, r5
    lsr(r5, r5, 16)
    mov(r7, r0)
    mul(r7, r5)
    mul(r0, r0)
    mul(r5, r5)
    mov(r8, r3)
    lsl(r3, r7, 17)
    lsr(r7, r7, 15)
    add(r0, r0, r3)
    adc(r5, r7)
    data(2, 0xB2A3)  # uxth r3, r4
    lsr(r4, r4, 16)
    mov(r7, r3)
    mul(r7, r4)
    mul(r3, r3)
    mul(r4, r4)
    mov(r9, r1)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r3, r1)
    adc(r4, r7)
    add(r1, r5, r1)
    mov(r3, 0)
    adc(r4, r3)
    add(r5, r1, r0)
    adc(r1, r4)
    adc(r4, r3)
    sub(r2, r5, r2)
    sbc(r1, r6)
    sbc(r4, r3)
    mov(r3, r9)
    add(r0, r3, r0)
    mov(r3, r8)
    adc(r2, r3)
    mov(r3, 0)
    adc(r1, r3)
    adc(r4, r3)
    mov(r5, r14)
    add(r6, r0, r5)
    mov(r7, r12)
    adc(r7, r2)
    adc(r0, r1)
    adc(r2, r4)
    adc(r1, r3)
    adc(r4, r3)
    mov(r5, r11)
    sub(r5, r6, r5)
    mov(r6, r10)
    sbc(r7, r6)
    data(2, 0x9E21)  # ldr r6, [sp, 132]
    sbc(r0, r6)
    data(2, 0x9E20)  # ldr r6, [sp, 128]
    sbc(r2, r6)
    sbc(r1, r3)
    sbc(r4, r3)
    data(2, 0xAB18)  # add r3, sp, 96
    mov(r6, r14)
    data(2, 0xC3F7)  # stm r3!, {r0, r1, r2, r4, r5, r6, r7}
    mov(r0, r12)
    data(2, 0xC301)  # stm r3!, {r0}
    data(2, 0xAC08)  # add r4, sp, 32
    data(2, 0xCC1E)  # ldm r4!, {r1, r2, r3, r4}
    sub(r0, r3, r1)
    sbc(r4, r2)
    sbc(r5, r5)
    eor(r0, r5)
    eor(r4, r5)
    sub(r0, r0, r5)
    sbc(r4, r5)
    sub(r5, r4, r0)
    sbc(r6, r6)
    eor(r5, r6)
    sub(r5, r5, r6)
    data(2, 0xB2AE)  # uxth r6, r5
    lsr(r5, r5, 16)
    mov(r7, r6)
    mul(r7, r5)
    mul(r6, r6)
    mul(r5, r5)
    lsl(r3, r7, 17)
    lsr(r7, r7, 15)
    add(r3, r6, r3)
    adc(r5, r7)
    data(2, 0xB286)  # uxth r6, r0
    lsr(r0, r0, 16)
    mov(r7, r6)
    mul(r7, r0)
    mul(r6, r6)
    mul(r0, r0)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r6, r1)
    adc(r0, r7)
    data(2, 0xB2A6)  # uxth r6, r4
    lsr(r4, r4, 16)
    mov(r7, r6)
    mul(r7, r4)
    mul(r6, r6)
    mul(r4, r4)
    lsl(r2, r7, 17)
    lsr(r7, r7, 15)
    add(r2, r6, r2)
    adc(r4, r7)
    add(r0, r0, r2)
    mov(r2, 0)
    adc(r4, r2)
    add(r6, r0, r1)
    adc(r0, r4)
    adc(r4, r2)
    sub(r3, r6, r3)
    sbc(r0, r5)
    sbc(r4, r2)
    data(2, 0x9A09)  # ldr r2, [sp, 36]
    data(2, 0x9D08)  # ldr r5, [sp, 32]
    sub(r6, r2, r5)
    sbc(r7, r7)
    eor(r6, r7)
    sub(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    lsr(r6, r6, 16)
    data(2, 0x9420)  # str r4, [sp, 128]
    mov(r4, r7)
    mul(r4, r6)
    mul(r7, r7)
    mul(r6, r6)
    data(2, 0x9021)  # str r0, [sp, 132]
    lsl(r0, r4, 17)
    lsr(r4, r4, 15)
    add(r0, r7, r0)
    adc(r6, r4)
    data(2, 0xB2AC)  # uxth r4, r5
    lsr(r5, r5, 16)
    mov(r7, r4)
    mul(r7, r5)
    mul(r4, r4)
    mul(r5, r5)
    mov(r8, r3)
    lsl(r3, r7, 17)
    lsr(r7, r7, 15)
    add(r3, r4, r3)
    adc(r5, r7)
    data(2, 0xB294)  # uxth r4, r2
    lsr(r2, r2, 16)
    mov(r7, r4)
    mul(r7, r2)
    mul(r4, r4)
    mul(r2, r2)
    mov(r9, r1)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r4, r1)
    adc(r2, r7)
    add(r1, r5, r1)
    mov(r4, 0)
    adc(r2, r4)
    add(r5, r1, r3)
    adc(r1, r2)
    adc(r2, r4)
    sub(r0, r5, r0)
    sbc(r1, r6)
    sbc(r2, r4)
    data(2, 0x9C0B)  # ldr r4, [sp, 44]
    data(2, 0x9D0A)  # ldr r5, [sp, 40]
    sub(r6, r4, r5)
    sbc(r7, r7)
    eor(r6, r7)
    sub(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    lsr(r6, r6, 16)
    mov(r10, r0)
    mov(r0, r7)
    mul(r0, r6)
    mul(r7, r7)
    mul(r6, r6)
    mov(r11, r3)
    lsl(r3, r0, 17)
    lsr(r0, r0, 15)
    add(r3, r7, r3)
    adc(r6, r0)
    data(2, 0xB2A8)  # uxth r0, r5
    lsr(r5, r5, 16)
    mov(r7, r0)
    mul(r7, r5)
    mul(r0, r0)
    mul(r5, r5)
    mov(r12, r2)
    lsl(r2, r7, 17)
    lsr(r7, r7, 15)
    add(r0, r0, r2)
    adc(r5, r7)
    data(2, 0xB2A2)  # uxth r2, r4
    lsr(r4, r4, 16)
    mov(r7, r2)
    mul(r7, r4)
    mul(r2, r2)
    mul(r4, r4)
    mov(r14, r1)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r2, r1)
    adc(r4, r7)
    add(r1, r5, r1)
    mov(r2, 0)
    adc(r4, r2)
    add(r5, r1, r0)
    adc(r1, r4)
    adc(r4, r2)
    sub(r3, r5, r3)
    sbc(r1, r6)
    sbc(r4, r2)
    mov(r2, r14)
    add(r0, r2, r0)
    mov(r2, r12)
    adc(r3, r2)
    mov(r2, 0)
    adc(r1, r2)
    adc(r4, r2)
    mov(r5, r11)
    add(r6, r0, r5)
    mov(r7, r10)
    adc(r7, r3)
    adc(r0, r1)
    adc(r3, r4)
    adc(r1, r2)
    adc(r4, r2)
    mov(r5, r9)
    sub(r5, r6, r5)
    mov(r6, r8)
    sbc(r7, r6)
    data(2, 0x9E21)  # ldr r6, [sp, 132]
    sbc(r0, r6)
    data(2, 0x9E20)  # ldr r6, [sp, 128]
    sbc(r3, r6)
    sbc(r1, r2)
    sbc(r4, r2)
    data(2, 0xAA10)  # add r2, sp, 64
    mov(r6, r11)
    data(2, 0xC2FB)  # stm r2!, {r0, r1, r3, r4, r5, r6, r7}
    mov(r5, r10)
    data(2, 0xC220)  # stm r2!, {r5}
    data(2, 0xAF0C)  # add r7, sp, 48
    data(2, 0xCFE4)  # ldm r7!, {r2, r5, r6, r7}
    sub(r0, r6, r2)
    sbc(r7, r5)
    sbc(r1, r1)
    eor(r0, r1)
    eor(r7, r1)
    sub(r0, r0, r1)
    sbc(r7, r1)
    sub(r1, r7, r0)
    sbc(r3, r3)
    eor(r1, r3)
    sub(r1, r1, r3)
    data(2, 0xB28B)  # uxth r3, r1
    lsr(r1, r1, 16)
    mov(r4, r3)
    mul(r4, r1)
    mul(r3, r3)
    mul(r1, r1)
    lsl(r6, r4, 17)
    lsr(r4, r4, 15)
    add(r3, r3, r6)
    adc(r1, r4)
    data(2, 0xB284)  # uxth r4, r0
    lsr(r0, r0, 16)
    mov(r6, r4)
    mul(r6, r0)
    mul(r4, r4)
    mul(r0, r0)
    lsl(r2, r6, 17)
    lsr(r6, r6, 15)
    add(r2, r4, r2)
    adc(r0, r6)
    data(2, 0xB2BC)  # uxth r4, r7
    lsr(r6, r7, 16)
    mov(r7, r4)
    mul(r7, r6)
    mul(r4, r4)
    mul(r6, r6)
    lsl(r5, r7, 17)
    lsr(r7, r7, 15)
    add(r4, r4, r5)
    adc(r6, r7)
    add(r0, r0, r4)
    mov(r4, 0)
    adc(r6, r4)
    add(r5, r0, r2)
    adc(r0, r6)
    adc(r6, r4)
    sub(r3, r5, r3)
    sbc(r0, r1)
    sbc(r6, r4)
    data(2, 0x990D)  # ldr r1, [sp, 52]
    data(2, 0x9C0C)  # ldr r4, [sp, 48]
    sub(r5, r1, r4)
    sbc(r7, r7)
    eor(r5, r7)
    sub(r5, r5, r7)
    data(2, 0xB2AF)  # uxth r7, r5
    lsr(r5, r5, 16)
    data(2, 0x9620)  # str r6, [sp, 128]
    mov(r6, r7)
    mul(r6, r5)
    mul(r7, r7)
    mul(r5, r5)
    data(2, 0x9021)  # str r0, [sp, 132]
    lsl(r0, r6, 17)
    lsr(r6, r6, 15)
    add(r0, r7, r0)
    adc(r5, r6)
    data(2, 0xB2A6)  # uxth r6, r4
    lsr(r4, r4, 16)
    mov(r7, r6)
    mul(r7, r4)
    mul(r6, r6)
    mul(r4, r4)
    mov(r8, r3)
    lsl(r3, r7, 17)
    lsr(r7, r7, 15)
    add(r3, r6, r3)
    adc(r4, r7)
    data(2, 0xB28E)  # uxth r6, r1
    lsr(r1, r1, 16)
    mov(r7, r6)
    mul(r7, r1)
    mul(r6, r6)
    mul(r1, r1)
    mov(r9, r2)
    lsl(r2, r7, 17)
    lsr(r7, r7, 15)
    add(r2, r6, r2)
    adc(r1, r7)
    add(r2, r4, r2)
    mov(r4, 0)
    adc(r1, r4)
    add(r6, r2, r3)
    adc(r2, r1)
    adc(r1, r4)
    sub(r0, r6, r0)
    sbc(r2, r5)
    sbc(r1, r4)
    data(2, 0x9C0F)  # ldr r4, [sp, 60]
    data(2, 0x9D0E)  # ldr r5, [sp, 56]
    sub(r6, r4, r5)
    sbc(r7, r7)
    eor(r6, r7)
    sub(r6, r6, r7)
    data(2, 0xB2B7)  # uxth r7, r6
    lsr(r6, r6, 16)
    mov(r10, r0)
    mov(r0, r7)
    mul(r0, r6)
    mul(r7, r7)
    mul(r6, r6)
    mov(r11, r3)
    lsl(r3, r0, 17)
    lsr(r0, r0, 15)
    add(r3, r7, r3)
    adc(r6, r0)
    data(2, 0xB2A8)  # uxth r0, r5
    lsr(r5, r5, 16)
    mov(r7, r0)
    mul(r7, r5)
    mul(r0, r0)
    mul(r5, r5)
    mov(r12, r1)
    lsl(r1, r7, 17)
    lsr(r7, r7, 15)
    add(r0, r0, r1)
    adc(r5, r7)
    data(2, 0xB2A1)  # uxth r1, r4
    lsr(r4, r4, 16)
    mov(r7, r1)
    mul(r7, r4)
    mul(r1, r1)
    mul(r4, r4)
    mov(r14, r2)
    lsl(r2, r7, 17)
    lsr(r7, r7, 15)
    add(r1, r1, r2)
    adc(r4, r7)
    add(r1, r5, r1)
    mov(r2, 0)
    adc(r4, r2)
    add(r5, r1, r0)
    adc(r1, r4)
    adc(r4, r2)
    sub(r3, r5, r3)
    sbc(r1, r6)
    sbc(r4, r2)
    mov(r2, r14)
    add(r0, r2, r0)
    mov(r2, r12)
    adc(r3, r2)
    mov(r2, 0)
    adc(r1, r2)
    adc(r4, r2)
    mov(r5, r11)
    add(r6, r0, r5)
    mov(r7, r10)
    adc(r7, r3)
    adc(r0, r1)
    adc(r3, r4)
    adc(r1, r2)
    adc(r4, r2)
    mov(r5, r9)
    sub(r5, r6, r5)
    mov(r6, r8)
    sbc(r7, r6)
    data(2, 0x9E21)  # ldr r6, [sp, 132]
    sbc(r0, r6)
    data(2, 0x9E20)  # ldr r6, [sp, 128]
    sbc(r3, r6)
    sbc(r1, r2)
    sbc(r4, r2)
    mov(r8, r4)
    mov(r9, r1)
    data(2, 0xAE10)  # add r6, sp, 64
    data(2, 0xCE56)  # ldm r6!, {r1, r2, r4, r6}
    mov(r6, r11)
    add(r1, r1, r6)
    mov(r6, r10)
    adc(r4, r6)
    adc(r2, r5)
    data(2, 0x9D13)  # ldr r5, [sp, 76]
    adc(r7, r5)
    mov(r5, 0)
    adc(r0, r5)
    adc(r3, r5)
    mov(r6, r9)
    adc(r5, r6)
    mov(r6, r8)
    mov(r9, r5)
    mov(r5, 0)
    adc(r5, r6)
    mov(r8, r5)
    mov(r10, r3)
    mov(r11, r0)
    data(2, 0xAE14)  # add r6, sp, 80
    data(2, 0xCE69)  # ldm r6!, {r0, r3, r5, r6}
    add(r5, r1, r3)
    adc(r6, r4)
    adc(r0, r2)
    data(2, 0x9B16)  # ldr r3, [sp, 88]
    adc(r3, r7)
    mov(r12, r3)
    mov(r3, r11)
    adc(r1, r3)
    mov(r14, r1)
    mov(r1, r10)
    adc(r4, r1)
    mov(r10, r4)
    mov(r4, r9)
    adc(r2, r4)
    mov(r9, r2)
    mov(r2, r8)
    adc(r7, r2)
    mov(r8, r7)
    mov(r7, 0)
    adc(r3, r7)
    adc(r1, r7)
    adc(r4, r7)
    adc(r2, r7)
    data(2, 0x9220)  # str r2, [sp, 128]
    data(2, 0x9421)  # str r4, [sp, 132]
    mov(r11, r1)
    data(2, 0xAF1C)  # add r7, sp, 112
    data(2, 0xCF96)  # ldm r7!, {r1, r2, r4, r7}
    sub(r2, r5, r2)
    sbc(r6, r7)
    sbc(r0, r1)
    mov(r1, r12)
    sbc(r1, r4)
    data(2, 0x9122)  # str r1, [sp, 136]
    data(2, 0xAF18)  # add r7, sp, 96
    data(2, 0xCFB2)  # ldm r7!, {r1, r4, r5, r7}
    mov(r12, r0)
    mov(r0, r14)
    sbc(r0, r1)
    mov(r1, r10)
    sbc(r1, r5)
    mov(r5, r9)
    sbc(r5, r4)
    mov(r4, r8)
    sbc(r4, r7)
    mov(r7, 0)
    sbc(r3, r7)
    data(2, 0x9323)  # str r3, [sp, 140]
    mov(r3, r11)
    sbc(r3, r7)
    data(2, 0x9324)  # str r3, [sp, 144]
    data(2, 0x9B21)  # ldr r3, [sp, 132]
    sbc(r3, r7)
    data(2, 0x9321)  # str r3, [sp, 132]
    data(2, 0x9B20)  # ldr r3, [sp, 128]
    sbc(r3, r7)
    data(2, 0x9F16)  # ldr r7, [sp, 88]
    data(2, 0x9320)  # str r3, [sp, 128]
    data(2, 0x9B15)  # ldr r3, [sp, 84]
    add(r7, r7, r3)
    mov(r8, r4)
    data(2, 0x9C17)  # ldr r4, [sp, 92]
    adc(r2, r4)
    mov(r9, r5)
    data(2, 0x9D14)  # ldr r5, [sp, 80]
    adc(r6, r5)
    mov(r5, r12)
    adc(r5, r7)
    mov(r10, r6)
    data(2, 0x9E22)  # ldr r6, [sp, 136]
    adc(r6, r2)
    data(2, 0x9222)  # str r2, [sp, 136]
    mov(r2, 0)
    adc(r2, r2)
    add(r5, r5, r3)
    adc(r6, r4)
    mov(r4, 0)
    adc(r4, r4)
    sub(r6, r6, r3)
    data(2, 0x9425)  # str r4, [sp, 148]
    sbc(r4, r4)
    data(2, 0x9426)  # str r4, [sp, 152]
    data(2, 0x9C06)  # ldr r4, [sp, 24]
    mov(r11, r6)
    mov(r12, r5)
    mov(r14, r2)
    data(2, 0xCC6C)  # ldm r4!, {r2, r3, r5, r6}
    sub(r0, r0, r2)
    sbc(r1, r3)
    mov(r2, r9)
    sbc(r2, r5)
    mov(r3, r8)
    sbc(r3, r6)
    sbc(r5, r5)
    data(2, 0x9E15)  # ldr r6, [sp, 84]
    add(r0, r0, r6)
    data(2, 0x9E17)  # ldr r6, [sp, 92]
    adc(r1, r6)
    data(2, 0x9E14)  # ldr r6, [sp, 80]
    adc(r2, r6)
    adc(r3, r7)
    mov(r8, r5)
    mov(r5, 0)
    adc(r5, r5)
    mov(r9, r5)
    mov(r5, r14)
    lsr(r5, r5, 1)
    mov(r5, r10)
    adc(r0, r5)
    mov(r14, r4)
    mov(r4, r12)
    adc(r1, r4)
    mov(r4, r11)
    adc(r2, r4)
    mov(r4, 0)
    adc(r3, r4)
    mov(r4, 0)
    adc(r4, r4)
    data(2, 0x9427)  # str r4, [sp, 156]
    data(2, 0x9C25)  # ldr r4, [sp, 148]
    lsr(r4, r4, 1)
    adc(r0, r6)
    adc(r1, r7)
    data(2, 0x9C22)  # ldr r4, [sp, 136]
    adc(r2, r4)
    adc(r3, r5)
    mov(r5, 0)
    adc(r5, r5)
    data(2, 0x9525)  # str r5, [sp, 148]
    data(2, 0x9D26)  # ldr r5, [sp, 152]
    neg(r5, r5)
    data(2, 0x9D17)  # ldr r5, [sp, 92]
    sbc(r0, r5)
    sbc(r1, r6)
    sbc(r2, r7)
    sbc(r3, r4)
    sbc(r5, r5)
    mov(r6, r14)
    data(2, 0x9326)  # str r3, [sp, 152]
    data(2, 0x9228)  # str r2, [sp, 160]
    mov(r14, r1)
    data(2, 0xCE8E)  # ldm r6!, {r1, r2, r3, r7}
    mov(r6, r8)
    neg(r6, r6)
    data(2, 0x9E23)  # ldr r6, [sp, 140]
    sbc(r6, r1)
    data(2, 0x9924)  # ldr r1, [sp, 144]
    sbc(r1, r2)
    data(2, 0x9A21)  # ldr r2, [sp, 132]
    sbc(r2, r3)
    data(2, 0x9B20)  # ldr r3, [sp, 128]
    sbc(r3, r7)
    sbc(r7, r7)
    mov(r8, r0)
    mov(r0, r9)
    lsr(r0, r0, 1)
    adc(r4, r6)
    mov(r0, r10)
    adc(r1, r0)
    mov(r6, r12)
    adc(r2, r6)
    mov(r0, r11)
    adc(r3, r0)
    mov(r0, 0)
    adc(r7, r0)
    data(2, 0x9E27)  # ldr r6, [sp, 156]
    lsr(r6, r6, 1)
    adc(r4, r0)
    adc(r1, r0)
    adc(r2, r0)
    adc(r3, r0)
    adc(r7, r0)
    data(2, 0x9E25)  # ldr r6, [sp, 148]
    lsr(r6, r6, 1)
    mov(r6, r12)
    adc(r4, r6)
    mov(r6, r11)
    adc(r1, r6)
    adc(r2, r0)
    adc(r3, r0)
    adc(r7, r0)
    neg(r5, r5)
    mov(r5, r10)
    sbc(r4, r5)
    mov(r5, r12)
    sbc(r1, r5)
    sbc(r2, r6)
    sbc(r3, r0)
    sbc(r7, r0)
    asr(r0, r7, 31)
    add(r5, r3, r7)
    adc(r7, r0)
    asr(r0, r7, 31)
    sub(r5, r0, r7)
    asr(r6, r5, 31)
    mov(r9, r3)
    sub(r3, r6, r7)
    mov(r10, r2)
    asr(r2, r3, 31)
    add(r2, r7, r2)
    mov(r11, r2)
    data(2, 0x9A05)  # ldr r2, [sp, 20]
    mov(r12, r3)
    mov(r3, r8)
    add(r3, r3, r7)
    mov(r7, r14)
    adc(r7, r0)
    mov(r8, r1)
    data(2, 0x9928)  # ldr r1, [sp, 160]
    adc(r0, r1)
    data(2, 0x9926)  # ldr r1, [sp, 152]
    adc(r5, r1)
    data(2, 0xC288)  # stm r2!, {r3, r7}
    data(2, 0xC221)  # stm r2!, {r0, r5}
    adc(r4, r6)
    mov(r0, r8)
    adc(r6, r0)
    mov(r0, r12)
    mov(r1, r10)
    adc(r1, r0)
    mov(r0, r11)
    mov(r3, r9)
    adc(r3, r0)
    data(2, 0xC250)  # stm r2!, {r4, r6}
    data(2, 0xC20A)  # stm r2!, {r1, r3}
    bl(next)
    label(mul)
    data(2, 0xC939)  # ldm r1!, {r0, r3, r4, r5}
    data(2, 0xAE08)  # add r6, sp, 32
    data(2, 0xC639)  # stm r6!, {r0, r3, r4, r5}
    mov(r8, r2)
    data(2, 0xC9E4)  # ldm r1!, {r2, r5, r6, r7}
    data(2, 0xA90C)  # add r1, sp, 48
    data(2, 0xC1E4)  # stm r1!, {r2, r5, r6, r7}
    sub(r1, r2, r0)
    sbc(r5, r3)
    sbc(r6, r4)
    data(2, 0x9A0B)  # ldr r2, [sp, 44]
    sbc(r7, r2)
    sbc(r0, r0)
    eor(r1, r0)
    eor(r5, r0)
    eor(r6, r0)
    eor(r7, r0)
    sub(r1, r1, r0)
    sbc(r5, r0)
    sbc(r6, r0)
    sbc(r7, r0)
    data(2, 0xAA18)  # add r2, sp, 96
    data(2, 0xC2E2)  # stm r2!, {r1, r5, r6, r7}
    mov(r2, r8)
    data(2, 0xCA3A)  # ldm r2!, {r1, r3, r4, r5}
    data(2, 0xAE10)  # add r6, sp, 64
    data(2, 0xC63A)  # stm r6!, {r1, r3, r4, r5}
    mov(r8, r0)
    data(2, 0xCAE1)  # ldm r2!, {r0, r5, r6, r7}
    data(2, 0xAA14)  # add r2, sp, 80
    data(2, 0xC2E1)  # stm r2!, {r0, r5, r6, r7}
    sub(r2, r1, r0)
    sbc(r3, r5)
    sbc(r4, r6)
    data(2, 0x9813)  # ldr r0, [sp, 76]
    sbc(r0, r7)
    sbc(r5, r5)
    eor(r2, r5)
    eor(r3, r5)
    eor(r4, r5)
    eor(r0, r5)
    sub(r2, r2, r5)
    sbc(r3, r5)
    sbc(r4, r5)
    sbc(r0, r5)
    mov(r6, r8)
    eor(r5, r6)
    data(2, 0xAE1C)  # add r6, sp, 112
    data(2, 0xC61D)  # stm r6!, {r0, r2, r3, r4}
    data(2, 0x9528)  # str r5, [sp, 160]
    data(2, 0xAF18)  # add r7, sp, 96
    data(2, 0xCFE2)  # ldm r7!, {r1, r5, r6, r7}
    sub(r0, r6, r1)
    sbc(r7, r5)
    sbc(r6, r6)
    eor(r0, r6)
    eor(r7, r6)
    sub(r0, r0, r6)
    sbc(r7, r6)
    sub(r5, r2, r4)
    data(2, 0x9C1C)  # ldr r4, [sp, 112]
    sbc(r3, r4)
    sbc(r4, r4)
    eor(r5, r4)
    eor(r3, r4)
    sub(r5, r5, r4)
    sbc(r3, r4)
    eor(r6, r4)
    data(2, 0xB284)  # uxth r4, r0
    data(2, 0x9629)  # str r6, [sp, 164]
    data(2, 0xB2AE)  # uxth r6, r5
    lsr(r2, r0, 16)
    lsr(r1, r5, 16)
    mov(r8, r3)
    mov(r3, r4)
    mul(r3, r6)
    mul(r4, r1)
    mul(r6, r2)
    mul(r2, r1)
    lsl(r1, r4, 16)
    lsr(r4, r4, 16)
    add(r1, r3, r1)
    adc(r2, r4)
    lsl(r3, r6, 16)
    lsr(r4, r6, 16)
    add(r1, r1, r3)
    adc(r2, r4)
    sub(r0, r7, r0)
    sbc(r3, r3)
    eor(r0, r3)
    sub(r0, r0, r3)
    mov(r4, r8)
    sub(r5, r5, r4)
    sbc(r6, r6)
    eor(r5, r6)
    sub(r5, r5, r6)
    eor(r3, r6)
    data(2, 0xB286)  # uxth r6, r0
    mov(r9, r3)
    data(2, 0xB2AB)  # uxth r3, r5
    lsr(r0, r0, 16)
    lsr(r5, r5, 16)
    data(2, 0x912A)  # str r1, [sp, 168]
    mov(r1, r6)
    mul(r1, r3)
    mul(r6, r5)
    mul(r3, r0)
    mul(r0, r5)
    lsl(r5, r6, 16)
    lsr(r6, r6, 16)
    add(r1, r1, r5)
    adc(r0, r6)
    lsl(r5, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r5)
    adc(r0, r3)
    data(2, 0xB2BB)  # uxth r3, r7
    data(2, 0xB2A5)  # uxth r5, r4
    lsr(r6, r7, 16)
    lsr(r4, r4, 16)
    mov(r7, r3)
    mul(r7, r5)
    mul(r3, r4)
    mul(r5, r6)
    mul(r6, r4)
    lsl(r4, r3, 16)
    lsr(r3, r3, 16)
    add(r4, r7, r4)
    adc(r6, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r3, r4, r3)
    adc(r6, r5)
    add(r2, r2, r3)
    mov(r3, 0)
    adc(r6, r3)
    data(2, 0x9C2A)  # ldr r4, [sp, 168]
    add(r5, r2, r4)
    adc(r2, r6)
    adc(r3, r6)
    mov(r6, r9)
    lsr(r7, r6, 1)
    eor(r1, r6)
    adc(r5, r1)
    eor(r0, r6)
    adc(r2, r0)
    adc(r6, r3)
    data(2, 0x9818)  # ldr r0, [sp, 96]
    data(2, 0xB281)  # uxth r1, r0
    data(2, 0x9B1D)  # ldr r3, [sp, 116]
    data(2, 0xB29F)  # uxth r7, r3
    lsr(r4, r0, 16)
    data(2, 0x962B)  # str r6, [sp, 172]
    lsr(r6, r3, 16)
    data(2, 0x922C)  # str r2, [sp, 176]
    mov(r2, r1)
    mul(r2, r7)
    mul(r1, r6)
    mul(r7, r4)
    mul(r4, r6)
    lsl(r6, r1, 16)
    lsr(r1, r1, 16)
    add(r2, r2, r6)
    adc(r4, r1)
    lsl(r1, r7, 16)
    lsr(r6, r7, 16)
    add(r1, r2, r1)
    adc(r4, r6)
    data(2, 0x9A19)  # ldr r2, [sp, 100]
    sub(r0, r2, r0)
    sbc(r6, r6)
    eor(r0, r6)
    sub(r0, r0, r6)
    data(2, 0x9F1E)  # ldr r7, [sp, 120]
    sub(r3, r3, r7)
    data(2, 0x952D)  # str r5, [sp, 180]
    sbc(r5, r5)
    eor(r3, r5)
    sub(r3, r3, r5)
    eor(r6, r5)
    data(2, 0xB285)  # uxth r5, r0
    mov(r8, r6)
    data(2, 0xB29E)  # uxth r6, r3
    lsr(r0, r0, 16)
    lsr(r3, r3, 16)
    mov(r9, r1)
    mov(r1, r5)
    mul(r1, r6)
    mul(r5, r3)
    mul(r6, r0)
    mul(r0, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r1, r1, r3)
    adc(r0, r5)
    lsl(r3, r6, 16)
    lsr(r5, r6, 16)
    add(r1, r1, r3)
    adc(r0, r5)
    data(2, 0xB293)  # uxth r3, r2
    data(2, 0xB2BD)  # uxth r5, r7
    lsr(r2, r2, 16)
    lsr(r6, r7, 16)
    mov(r7, r3)
    mul(r7, r5)
    mul(r3, r6)
    mul(r5, r2)
    mul(r2, r6)
    lsl(r6, r3, 16)
    lsr(r3, r3, 16)
    add(r6, r7, r6)
    adc(r2, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r3, r6, r3)
    adc(r2, r5)
    add(r3, r4, r3)
    mov(r4, 0)
    adc(r2, r4)
    mov(r5, r9)
    add(r6, r3, r5)
    adc(r3, r2)
    adc(r4, r2)
    mov(r2, r8)
    lsr(r7, r2, 1)
    eor(r1, r2)
    adc(r6, r1)
    eor(r0, r2)
    adc(r3, r0)
    adc(r2, r4)
    data(2, 0x981A)  # ldr r0, [sp, 104]
    data(2, 0xB281)  # uxth r1, r0
    data(2, 0x9C1F)  # ldr r4, [sp, 124]
    data(2, 0xB2A7)  # uxth r7, r4
    lsr(r5, r0, 16)
    mov(r8, r6)
    lsr(r6, r4, 16)
    mov(r10, r2)
    mov(r2, r1)
    mul(r2, r7)
    mul(r1, r6)
    mul(r7, r5)
    mul(r5, r6)
    lsl(r6, r1, 16)
    lsr(r1, r1, 16)
    add(r2, r2, r6)
    adc(r5, r1)
    lsl(r1, r7, 16)
    lsr(r6, r7, 16)
    add(r1, r2, r1)
    adc(r5, r6)
    data(2, 0x9A1B)  # ldr r2, [sp, 108]
    sub(r0, r2, r0)
    sbc(r6, r6)
    eor(r0, r6)
    sub(r0, r0, r6)
    data(2, 0x9F1C)  # ldr r7, [sp, 112]
    sub(r4, r4, r7)
    mov(r11, r3)
    sbc(r3, r3)
    eor(r4, r3)
    sub(r4, r4, r3)
    eor(r6, r3)
    data(2, 0xB283)  # uxth r3, r0
    mov(r12, r6)
    data(2, 0xB2A6)  # uxth r6, r4
    lsr(r0, r0, 16)
    lsr(r4, r4, 16)
    mov(r14, r1)
    mov(r1, r3)
    mul(r1, r6)
    mul(r3, r4)
    mul(r6, r0)
    mul(r0, r4)
    lsl(r4, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r4)
    adc(r0, r3)
    lsl(r3, r6, 16)
    lsr(r4, r6, 16)
    add(r1, r1, r3)
    adc(r0, r4)
    data(2, 0xB293)  # uxth r3, r2
    data(2, 0xB2BC)  # uxth r4, r7
    lsr(r2, r2, 16)
    lsr(r6, r7, 16)
    mov(r7, r3)
    mul(r7, r4)
    mul(r3, r6)
    mul(r4, r2)
    mul(r2, r6)
    lsl(r6, r3, 16)
    lsr(r3, r3, 16)
    add(r6, r7, r6)
    adc(r2, r3)
    lsl(r3, r4, 16)
    lsr(r4, r4, 16)
    add(r3, r6, r3)
    adc(r2, r4)
    add(r3, r5, r3)
    mov(r4, 0)
    adc(r2, r4)
    mov(r5, r14)
    add(r6, r3, r5)
    adc(r3, r2)
    adc(r4, r2)
    mov(r2, r12)
    lsr(r7, r2, 1)
    eor(r1, r2)
    adc(r6, r1)
    eor(r0, r2)
    adc(r3, r0)
    adc(r2, r4)
    mov(r0, r11)
    add(r0, r0, r5)
    mov(r1, r10)
    adc(r6, r1)
    mov(r1, 0)
    adc(r3, r1)
    adc(r2, r1)
    mov(r4, r9)
    add(r5, r0, r4)
    mov(r7, r8)
    adc(r7, r6)
    adc(r0, r3)
    adc(r6, r2)
    adc(r3, r1)
    adc(r1, r2)
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    lsr(r4, r2, 1)
    data(2, 0x9C2A)  # ldr r4, [sp, 168]
    eor(r2, r4)
    adc(r5, r2)
    data(2, 0x9A2D)  # ldr r2, [sp, 180]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r7, r4)
    data(2, 0x9A2C)  # ldr r2, [sp, 176]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r0, r4)
    data(2, 0x9A2B)  # ldr r2, [sp, 172]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r6, r4)
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    adc(r3, r2)
    adc(r2, r1)
    data(2, 0xA920)  # add r1, sp, 128
    mov(r4, r9)
    data(2, 0xC1FD)  # stm r1!, {r0, r2, r3, r4, r5, r6, r7}
    mov(r0, r8)
    data(2, 0xC101)  # stm r1!, {r0}
    data(2, 0xAE08)  # add r6, sp, 32
    data(2, 0xCE4E)  # ldm r6!, {r1, r2, r3, r6}
    data(2, 0xAF10)  # add r7, sp, 64
    data(2, 0xCFB1)  # ldm r7!, {r0, r4, r5, r7}
    sub(r4, r3, r1)
    sbc(r6, r2)
    sbc(r3, r3)
    eor(r4, r3)
    eor(r6, r3)
    sub(r4, r4, r3)
    sbc(r6, r3)
    sub(r2, r0, r5)
    data(2, 0x9D11)  # ldr r5, [sp, 68]
    sbc(r5, r7)
    sbc(r7, r7)
    eor(r2, r7)
    eor(r5, r7)
    sub(r2, r2, r7)
    sbc(r5, r7)
    eor(r3, r7)
    data(2, 0xB2A7)  # uxth r7, r4
    data(2, 0x9329)  # str r3, [sp, 164]
    data(2, 0xB293)  # uxth r3, r2
    lsr(r0, r4, 16)
    lsr(r1, r2, 16)
    mov(r8, r2)
    mov(r2, r7)
    mul(r2, r3)
    mul(r7, r1)
    mul(r3, r0)
    mul(r0, r1)
    lsl(r1, r7, 16)
    lsr(r7, r7, 16)
    add(r1, r2, r1)
    adc(r0, r7)
    lsl(r2, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r2)
    adc(r0, r3)
    sub(r2, r6, r4)
    sbc(r3, r3)
    eor(r2, r3)
    sub(r2, r2, r3)
    mov(r4, r8)
    sub(r4, r4, r5)
    sbc(r7, r7)
    eor(r4, r7)
    sub(r4, r4, r7)
    eor(r3, r7)
    data(2, 0xB297)  # uxth r7, r2
    mov(r8, r3)
    data(2, 0xB2A3)  # uxth r3, r4
    lsr(r2, r2, 16)
    lsr(r4, r4, 16)
    data(2, 0x912A)  # str r1, [sp, 168]
    mov(r1, r7)
    mul(r1, r3)
    mul(r7, r4)
    mul(r3, r2)
    mul(r2, r4)
    lsl(r4, r7, 16)
    lsr(r7, r7, 16)
    add(r1, r1, r4)
    adc(r2, r7)
    lsl(r4, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r4)
    adc(r2, r3)
    data(2, 0xB2B3)  # uxth r3, r6
    data(2, 0xB2AC)  # uxth r4, r5
    lsr(r6, r6, 16)
    lsr(r5, r5, 16)
    mov(r7, r3)
    mul(r7, r4)
    mul(r3, r5)
    mul(r4, r6)
    mul(r6, r5)
    lsl(r5, r3, 16)
    lsr(r3, r3, 16)
    add(r5, r7, r5)
    adc(r6, r3)
    lsl(r3, r4, 16)
    lsr(r4, r4, 16)
    add(r3, r5, r3)
    adc(r6, r4)
    add(r0, r0, r3)
    mov(r3, 0)
    adc(r6, r3)
    data(2, 0x9C2A)  # ldr r4, [sp, 168]
    add(r5, r0, r4)
    adc(r0, r6)
    adc(r3, r6)
    mov(r6, r8)
    lsr(r7, r6, 1)
    eor(r1, r6)
    adc(r5, r1)
    eor(r2, r6)
    adc(r0, r2)
    adc(r6, r3)
    data(2, 0x9908)  # ldr r1, [sp, 32]
    data(2, 0xB28A)  # uxth r2, r1
    data(2, 0x9B10)  # ldr r3, [sp, 64]
    data(2, 0xB29F)  # uxth r7, r3
    lsr(r4, r1, 16)
    data(2, 0x962B)  # str r6, [sp, 172]
    lsr(r6, r3, 16)
    data(2, 0x902C)  # str r0, [sp, 176]
    mov(r0, r2)
    mul(r0, r7)
    mul(r2, r6)
    mul(r7, r4)
    mul(r4, r6)
    lsl(r6, r2, 16)
    lsr(r2, r2, 16)
    add(r0, r0, r6)
    adc(r4, r2)
    lsl(r2, r7, 16)
    lsr(r6, r7, 16)
    add(r0, r0, r2)
    adc(r4, r6)
    data(2, 0x9A09)  # ldr r2, [sp, 36]
    sub(r1, r2, r1)
    sbc(r6, r6)
    eor(r1, r6)
    sub(r1, r1, r6)
    data(2, 0x9F11)  # ldr r7, [sp, 68]
    sub(r3, r3, r7)
    data(2, 0x952D)  # str r5, [sp, 180]
    sbc(r5, r5)
    eor(r3, r5)
    sub(r3, r3, r5)
    eor(r6, r5)
    data(2, 0xB28D)  # uxth r5, r1
    mov(r8, r6)
    data(2, 0xB29E)  # uxth r6, r3
    lsr(r1, r1, 16)
    lsr(r3, r3, 16)
    mov(r9, r0)
    mov(r0, r5)
    mul(r0, r6)
    mul(r5, r3)
    mul(r6, r1)
    mul(r1, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r0, r0, r3)
    adc(r1, r5)
    lsl(r3, r6, 16)
    lsr(r5, r6, 16)
    add(r0, r0, r3)
    adc(r1, r5)
    data(2, 0xB293)  # uxth r3, r2
    data(2, 0xB2BD)  # uxth r5, r7
    lsr(r2, r2, 16)
    lsr(r6, r7, 16)
    mov(r7, r3)
    mul(r7, r5)
    mul(r3, r6)
    mul(r5, r2)
    mul(r2, r6)
    lsl(r6, r3, 16)
    lsr(r3, r3, 16)
    add(r6, r7, r6)
    adc(r2, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r3, r6, r3)
    adc(r2, r5)
    add(r3, r4, r3)
    mov(r4, 0)
    adc(r2, r4)
    mov(r5, r9)
    add(r6, r3, r5)
    adc(r3, r2)
    adc(r4, r2)
    mov(r2, r8)
    lsr(r7, r2, 1)
    eor(r0, r2)
    adc(r6, r0)
    eor(r1, r2)
    adc(r3, r1)
    adc(r2, r4)
    data(2, 0x980A)  # ldr r0, [sp, 40]
    data(2, 0xB281)  # uxth r1, r0
    data(2, 0x9C12)  # ldr r4, [sp, 72]
    data(2, 0xB2A7)  # uxth r7, r4
    lsr(r5, r0, 16)
    mov(r8, r6)
    lsr(r6, r4, 16)
    mov(r10, r2)
    mov(r2, r1)
    mul(r2, r7)
    mul(r1, r6)
    mul(r7, r5)
    mul(r5, r6)
    lsl(r6, r1, 16)
    lsr(r1, r1, 16)
    add(r2, r2, r6)
    adc(r5, r1)
    lsl(r1, r7, 16)
    lsr(r6, r7, 16)
    add(r1, r2, r1)
    adc(r5, r6)
    data(2, 0x9A0B)  # ldr r2, [sp, 44]
    sub(r0, r2, r0)
    sbc(r6, r6)
    eor(r0, r6)
    sub(r0, r0, r6)
    data(2, 0x9F13)  # ldr r7, [sp, 76]
    sub(r4, r4, r7)
    mov(r11, r3)
    sbc(r3, r3)
    eor(r4, r3)
    sub(r4, r4, r3)
    eor(r6, r3)
    data(2, 0xB283)  # uxth r3, r0
    mov(r12, r6)
    data(2, 0xB2A6)  # uxth r6, r4
    lsr(r0, r0, 16)
    lsr(r4, r4, 16)
    mov(r14, r1)
    mov(r1, r3)
    mul(r1, r6)
    mul(r3, r4)
    mul(r6, r0)
    mul(r0, r4)
    lsl(r4, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r4)
    adc(r0, r3)
    lsl(r3, r6, 16)
    lsr(r4, r6, 16)
    add(r1, r1, r3)
    adc(r0, r4)
    data(2, 0xB293)  # uxth r3, r2
    data(2, 0xB2BC)  # uxth r4, r7
    lsr(r2, r2, 16)
    lsr(r6, r7, 16)
    mov(r7, r3)
    mul(r7, r4)
    mul(r3, r6)
    mul(r4, r2)
    mul(r2, r6)
    lsl(r6, r3, 16)
    lsr(r3, r3, 16)
    add(r6, r7, r6)
    adc(r2, r3)
    lsl(r3, r4, 16)
    lsr(r4, r4, 16)
    add(r3, r6, r3)
    adc(r2, r4)
    add(r3, r5, r3)
    mov(r4, 0)
    adc(r2, r4)
    mov(r5, r14)
    add(r6, r3, r5)
    adc(r3, r2)
    adc(r4, r2)
    mov(r2, r12)
    lsr(r7, r2, 1)
    eor(r1, r2)
    adc(r6, r1)
    eor(r0, r2)
    adc(r3, r0)
    adc(r2, r4)
    mov(r0, r11)
    add(r0, r0, r5)
    mov(r1, r10)
    adc(r6, r1)
    mov(r1, 0)
    adc(r3, r1)
    adc(r2, r1)
    mov(r4, r9)
    add(r5, r0, r4)
    mov(r7, r8)
    adc(r7, r6)
    adc(r0, r3)
    adc(r6, r2)
    adc(r3, r1)
    adc(r1, r2)
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    lsr(r4, r2, 1)
    data(2, 0x9C2A)  # ldr r4, [sp, 168]
    eor(r2, r4)
    adc(r5, r2)
    data(2, 0x9A2D)  # ldr r2, [sp, 180]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r7, r4)
    data(2, 0x9A2C)  # ldr r2, [sp, 176]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r0, r4)
    data(2, 0x9A2B)  # ldr r2, [sp, 172]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r6, r4)
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    adc(r3, r2)
    adc(r2, r1)
    data(2, 0xA918)  # add r1, sp, 96
    mov(r4, r9)
    data(2, 0xC1FD)  # stm r1!, {r0, r2, r3, r4, r5, r6, r7}
    mov(r4, r8)
    data(2, 0xC110)  # stm r1!, {r4}
    data(2, 0xAF0C)  # add r7, sp, 48
    data(2, 0xCFB2)  # ldm r7!, {r1, r4, r5, r7}
    data(2, 0xAE14)  # add r6, sp, 80
    data(2, 0xCE4D)  # ldm r6!, {r0, r2, r3, r6}
    sub(r2, r5, r1)
    sbc(r7, r4)
    sbc(r5, r5)
    eor(r2, r5)
    eor(r7, r5)
    sub(r2, r2, r5)
    sbc(r7, r5)
    sub(r4, r0, r3)
    data(2, 0x9B15)  # ldr r3, [sp, 84]
    sbc(r3, r6)
    sbc(r6, r6)
    eor(r4, r6)
    eor(r3, r6)
    sub(r4, r4, r6)
    sbc(r3, r6)
    eor(r5, r6)
    data(2, 0xB296)  # uxth r6, r2
    data(2, 0x9529)  # str r5, [sp, 164]
    data(2, 0xB2A5)  # uxth r5, r4
    lsr(r0, r2, 16)
    lsr(r1, r4, 16)
    mov(r8, r3)
    mov(r3, r6)
    mul(r3, r5)
    mul(r6, r1)
    mul(r5, r0)
    mul(r0, r1)
    lsl(r1, r6, 16)
    lsr(r6, r6, 16)
    add(r1, r3, r1)
    adc(r0, r6)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r1, r1, r3)
    adc(r0, r5)
    sub(r2, r7, r2)
    sbc(r3, r3)
    eor(r2, r3)
    sub(r2, r2, r3)
    mov(r5, r8)
    sub(r4, r4, r5)
    sbc(r6, r6)
    eor(r4, r6)
    sub(r4, r4, r6)
    eor(r3, r6)
    data(2, 0xB296)  # uxth r6, r2
    mov(r9, r3)
    data(2, 0xB2A3)  # uxth r3, r4
    lsr(r2, r2, 16)
    lsr(r4, r4, 16)
    data(2, 0x912A)  # str r1, [sp, 168]
    mov(r1, r6)
    mul(r1, r3)
    mul(r6, r4)
    mul(r3, r2)
    mul(r2, r4)
    lsl(r4, r6, 16)
    lsr(r6, r6, 16)
    add(r1, r1, r4)
    adc(r2, r6)
    lsl(r4, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r4)
    adc(r2, r3)
    data(2, 0xB2BB)  # uxth r3, r7
    data(2, 0xB2AC)  # uxth r4, r5
    lsr(r6, r7, 16)
    lsr(r5, r5, 16)
    mov(r7, r3)
    mul(r7, r4)
    mul(r3, r5)
    mul(r4, r6)
    mul(r6, r5)
    lsl(r5, r3, 16)
    lsr(r3, r3, 16)
    add(r5, r7, r5)
    adc(r6, r3)
    lsl(r3, r4, 16)
    lsr(r4, r4, 16)
    add(r3, r5, r3)
    adc(r6, r4)
    add(r0, r0, r3)
    mov(r3, 0)
    adc(r6, r3)
    data(2, 0x9C2A)  # ldr r4, [sp, 168]
    add(r5, r0, r4)
    adc(r0, r6)
    adc(r3, r6)
    mov(r6, r9)
    lsr(r7, r6, 1)
    eor(r1, r6)
    adc(r5, r1)
    eor(r2, r6)
    adc(r0, r2)
    adc(r6, r3)
    data(2, 0x990C)  # ldr r1, [sp, 48]
    data(2, 0xB28A)  # uxth r2, r1
    data(2, 0x9B14)  # ldr r3, [sp, 80]
    data(2, 0xB29F)  # uxth r7, r3
    lsr(r4, r1, 16)
    data(2, 0x962B)  # str r6, [sp, 172]
    lsr(r6, r3, 16)
    data(2, 0x902C)  # str r0, [sp, 176]
    mov(r0, r2)
    mul(r0, r7)
    mul(r2, r6)
    mul(r7, r4)
    mul(r4, r6)
    lsl(r6, r2, 16)
    lsr(r2, r2, 16)
    add(r0, r0, r6)
    adc(r4, r2)
    lsl(r2, r7, 16)
    lsr(r6, r7, 16)
    add(r0, r0, r2)
    adc(r4, r6)
    data(2, 0x9A0D)  # ldr r2, [sp, 52]
    sub(r1, r2, r1)
    sbc(r6, r6)
    eor(r1, r6)
    sub(r1, r1, r6)
    data(2, 0x9F15)  # ldr r7, [sp, 84]
    sub(r3, r3, r7)
    data(2, 0x952D)  # str r5, [sp, 180]
    sbc(r5, r5)
    eor(r3, r5)
    sub(r3, r3, r5)
    eor(r6, r5)
    data(2, 0xB28D)  # uxth r5, r1
    mov(r8, r6)
    data(2, 0xB29E)  # uxth r6, r3
    lsr(r1, r1, 16)
    lsr(r3, r3, 16)
    mov(r9, r0)
    mov(r0, r5)
    mul(r0, r6)
    mul(r5, r3)
    mul(r6, r1)
    mul(r1, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r0, r0, r3)
    adc(r1, r5)
    lsl(r3, r6, 16)
    lsr(r5, r6, 16)
    add(r0, r0, r3)
    adc(r1, r5)
    data(2, 0xB293)  # uxth r3, r2
    data(2, 0xB2BD)  # uxth r5, r7
    lsr(r2, r2, 16)
    lsr(r6, r7, 16)
    mov(r7, r3)
    mul(r7, r5)
    mul(r3, r6)
    mul(r5, r2)
    mul(r2, r6)
    lsl(r6, r3, 16)
    lsr(r3, r3, 16)
    add(r6, r7, r6)
    adc(r2, r3)
    lsl(r3, r5, 16)
    lsr(r5, r5, 16)
    add(r3, r6, r3)
    adc(r2, r5)
    add(r3, r4, r3)
    mov(r4, 0)
    adc(r2, r4)
    mov(r5, r9)
    add(r6, r3, r5)
    adc(r3, r2)
    adc(r4, r2)
    mov(r2, r8)
    lsr(r7, r2, 1)
    eor(r0, r2)
    adc(r6, r0)
    eor(r1, r2)
    adc(r3, r1)
    adc(r2, r4)
    data(2, 0x980E)  # ldr r0, [sp, 56]
    data(2, 0xB281)  # uxth r1, r0
    data(2, 0x9C16)  # ldr r4, [sp, 88]
    data(2, 0xB2A7)  # uxth r7, r4
    lsr(r5, r0, 16)
    mov(r8, r6)
    lsr(r6, r4, 16)
    mov(r10, r2)
    mov(r2, r1)
    mul(r2, r7)
    mul(r1, r6)
    mul(r7, r5)
    mul(r5, r6)
    lsl(r6, r1, 16)
    lsr(r1, r1, 16)
    add(r2, r2, r6)
    adc(r5, r1)
    lsl(r1, r7, 16)
    lsr(r6, r7, 16)
    add(r1, r2, r1)
    adc(r5, r6)
    data(2, 0x9A0F)  # ldr r2, [sp, 60]
    sub(r0, r2, r0)
    sbc(r6, r6)
    eor(r0, r6)
    sub(r0, r0, r6)
    data(2, 0x9F17)  # ldr r7, [sp, 92]
    sub(r4, r4, r7)
    mov(r11, r3)
    sbc(r3, r3)
    eor(r4, r3)
    sub(r4, r4, r3)
    eor(r6, r3)
    data(2, 0xB283)  # uxth r3, r0
    mov(r12, r6)
    data(2, 0xB2A6)  # uxth r6, r4
    lsr(r0, r0, 16)
    lsr(r4, r4, 16)
    mov(r14, r1)
    mov(r1, r3)
    mul(r1, r6)
    mul(r3, r4)
    mul(r6, r0)
    mul(r0, r4)
    lsl(r4, r3, 16)
    lsr(r3, r3, 16)
    add(r1, r1, r4)
    adc(r0, r3)
    lsl(r3, r6, 16)
    lsr(r4, r6, 16)
    add(r1, r1, r3)
    adc(r0, r4)
    data(2, 0xB293)  # uxth r3, r2
    data(2, 0xB2BC)  # uxth r4, r7
    lsr(r2, r2, 16)
    lsr(r6, r7, 16)
    mov(r7, r3)
    mul(r7, r4)
    mul(r3, r6)
    mul(r4, r2)
    mul(r2, r6)
    lsl(r6, r3, 16)
    lsr(r3, r3, 16)
    add(r6, r7, r6)
    adc(r2, r3)
    lsl(r3, r4, 16)
    lsr(r4, r4, 16)
    add(r3, r6, r3)
    adc(r2, r4)
    add(r3, r5, r3)
    mov(r4, 0)
    adc(r2, r4)
    mov(r5, r14)
    add(r6, r3, r5)
    adc(r3, r2)
    adc(r4, r2)
    mov(r2, r12)
    lsr(r7, r2, 1)
    eor(r1, r2)
    adc(r6, r1)
    eor(r0, r2)
    adc(r3, r0)
    adc(r2, r4)
    mov(r0, r11)
    add(r0, r0, r5)
    mov(r1, r10)
    adc(r6, r1)
    mov(r1, 0)
    adc(r3, r1)
    adc(r2, r1)
    mov(r4, r9)
    add(r5, r0, r4)
    mov(r7, r8)
    adc(r7, r6)
    adc(r0, r3)
    adc(r6, r2)
    adc(r3, r1)
    adc(r1, r2)
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    lsr(r4, r2, 1)
    data(2, 0x9C2A)  # ldr r4, [sp, 168]
    eor(r2, r4)
    adc(r5, r2)
    data(2, 0x9A2D)  # ldr r2, [sp, 180]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r7, r4)
    data(2, 0x9A2C)  # ldr r2, [sp, 176]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r0, r4)
    data(2, 0x9A2B)  # ldr r2, [sp, 172]
    data(2, 0x9C29)  # ldr r4, [sp, 164]
    eor(r4, r2)
    adc(r6, r4)
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    adc(r3, r2)
    adc(r2, r1)
    mov(r10, r2)
    data(2, 0xAC18)  # add r4, sp, 96
    data(2, 0xCC16)  # ldm r4!, {r1, r2, r4}
    mov(r11, r3)
    data(2, 0x9B1D)  # ldr r3, [sp, 116]
    mov(r2, r9)
    add(r1, r1, r2)
    mov(r2, r8)
    adc(r3, r2)
    adc(r4, r5)
    data(2, 0x9A19)  # ldr r2, [sp, 100]
    adc(r7, r2)
    mov(r2, 0)
    adc(r0, r2)
    adc(r6, r2)
    mov(r5, r11)
    adc(r2, r5)
    mov(r5, r10)
    mov(r8, r2)
    mov(r2, 0)
    adc(r2, r5)
    mov(r9, r2)
    data(2, 0xAD1B)  # add r5, sp, 108
    data(2, 0xCD24)  # ldm r5!, {r2, r5}
    mov(r10, r6)
    mov(r11, r0)
    data(2, 0xAE1E)  # add r6, sp, 120
    data(2, 0xCE41)  # ldm r6!, {r0, r6}
    add(r0, r1, r2)
    adc(r6, r3)
    adc(r5, r4)
    data(2, 0x9A1E)  # ldr r2, [sp, 120]
    adc(r2, r7)
    mov(r12, r2)
    mov(r2, r11)
    adc(r1, r2)
    mov(r14, r1)
    mov(r1, r10)
    adc(r3, r1)
    mov(r10, r3)
    mov(r3, r8)
    adc(r4, r3)
    mov(r8, r4)
    mov(r4, r9)
    adc(r7, r4)
    mov(r9, r7)
    mov(r7, 0)
    adc(r2, r7)
    adc(r1, r7)
    adc(r3, r7)
    adc(r7, r4)
    data(2, 0x9729)  # str r7, [sp, 164]
    data(2, 0xAF23)  # add r7, sp, 140
    data(2, 0xCF90)  # ldm r7!, {r4, r7}
    data(2, 0x932A)  # str r3, [sp, 168]
    data(2, 0x912B)  # str r1, [sp, 172]
    data(2, 0xAB26)  # add r3, sp, 152
    data(2, 0xCB0A)  # ldm r3!, {r1, r3}
    mov(r11, r2)
    data(2, 0x9A28)  # ldr r2, [sp, 160]
    lsr(r1, r2, 1)
    eor(r4, r2)
    adc(r0, r4)
    eor(r3, r2)
    adc(r6, r3)
    eor(r7, r2)
    adc(r5, r7)
    data(2, 0x9926)  # ldr r1, [sp, 152]
    eor(r2, r1)
    mov(r1, r12)
    adc(r2, r1)
    data(2, 0xAC20)  # add r4, sp, 128
    data(2, 0xCC1A)  # ldm r4!, {r1, r3, r4}
    data(2, 0x9F25)  # ldr r7, [sp, 148]
    data(2, 0x922C)  # str r2, [sp, 176]
    data(2, 0x9A28)  # ldr r2, [sp, 160]
    eor(r1, r2)
    mov(r12, r5)
    mov(r5, r14)
    adc(r1, r5)
    eor(r7, r2)
    mov(r5, r10)
    adc(r7, r5)
    eor(r4, r2)
    mov(r5, r8)
    adc(r4, r5)
    eor(r3, r2)
    mov(r5, r9)
    adc(r3, r5)
    mov(r5, r11)
    adc(r2, r5)
    data(2, 0x9D2B)  # ldr r5, [sp, 172]
    data(2, 0x922D)  # str r2, [sp, 180]
    data(2, 0x9A28)  # ldr r2, [sp, 160]
    adc(r2, r5)
    data(2, 0x9D2A)  # ldr r5, [sp, 168]
    data(2, 0x922B)  # str r2, [sp, 172]
    data(2, 0x9A28)  # ldr r2, [sp, 160]
    adc(r2, r5)
    data(2, 0x9D28)  # ldr r5, [sp, 160]
    data(2, 0x922A)  # str r2, [sp, 168]
    data(2, 0x9A29)  # ldr r2, [sp, 164]
    adc(r2, r5)
    data(2, 0x9D1E)  # ldr r5, [sp, 120]
    data(2, 0x9228)  # str r2, [sp, 160]
    data(2, 0x9A1B)  # ldr r2, [sp, 108]
    add(r5, r5, r2)
    mov(r8, r3)
    data(2, 0x9B1F)  # ldr r3, [sp, 124]
    adc(r0, r3)
    mov(r9, r4)
    data(2, 0x9C1C)  # ldr r4, [sp, 112]
    adc(r6, r4)
    mov(r4, r12)
    adc(r4, r5)
    mov(r10, r6)
    data(2, 0x9E2C)  # ldr r6, [sp, 176]
    adc(r6, r0)
    data(2, 0x9029)  # str r0, [sp, 164]
    mov(r0, 0)
    adc(r0, r0)
    add(r4, r4, r2)
    adc(r6, r3)
    mov(r3, 0)
    adc(r3, r3)
    sub(r6, r6, r2)
    data(2, 0x932C)  # str r3, [sp, 176]
    sbc(r3, r3)
    data(2, 0x932E)  # str r3, [sp, 184]
    data(2, 0x9B06)  # ldr r3, [sp, 24]
    mov(r11, r6)
    mov(r12, r4)
    mov(r14, r0)
    data(2, 0xCB55)  # ldm r3!, {r0, r2, r4, r6}
    sub(r0, r1, r0)
    sbc(r7, r2)
    mov(r1, r9)
    sbc(r1, r4)
    mov(r2, r8)
    sbc(r2, r6)
    sbc(r4, r4)
    data(2, 0x9E1B)  # ldr r6, [sp, 108]
    add(r0, r0, r6)
    data(2, 0x9E1F)  # ldr r6, [sp, 124]
    adc(r7, r6)
    data(2, 0x9E1C)  # ldr r6, [sp, 112]
    adc(r1, r6)
    adc(r2, r5)
    mov(r8, r4)
    mov(r4, 0)
    adc(r4, r4)
    mov(r9, r4)
    mov(r4, r14)
    lsr(r4, r4, 1)
    mov(r4, r10)
    adc(r0, r4)
    mov(r14, r3)
    mov(r3, r12)
    adc(r7, r3)
    mov(r3, r11)
    adc(r1, r3)
    mov(r3, 0)
    adc(r2, r3)
    mov(r3, 0)
    adc(r3, r3)
    data(2, 0x932F)  # str r3, [sp, 188]
    data(2, 0x9B2C)  # ldr r3, [sp, 176]
    lsr(r3, r3, 1)
    adc(r0, r6)
    adc(r7, r5)
    data(2, 0x9B29)  # ldr r3, [sp, 164]
    adc(r1, r3)
    adc(r2, r4)
    mov(r4, 0)
    adc(r4, r4)
    data(2, 0x942C)  # str r4, [sp, 176]
    data(2, 0x9C2E)  # ldr r4, [sp, 184]
    neg(r4, r4)
    data(2, 0x9C1F)  # ldr r4, [sp, 124]
    sbc(r0, r4)
    sbc(r7, r6)
    sbc(r1, r5)
    sbc(r2, r3)
    sbc(r4, r4)
    mov(r5, r14)
    data(2, 0x922E)  # str r2, [sp, 184]
    data(2, 0x9130)  # str r1, [sp, 192]
    mov(r14, r7)
    data(2, 0xCDC6)  # ldm r5!, {r1, r2, r6, r7}
    mov(r5, r8)
    neg(r5, r5)
    data(2, 0x9D2D)  # ldr r5, [sp, 180]
    sbc(r5, r1)
    data(2, 0x992B)  # ldr r1, [sp, 172]
    sbc(r1, r2)
    data(2, 0x9A2A)  # ldr r2, [sp, 168]
    sbc(r2, r6)
    data(2, 0x9E28)  # ldr r6, [sp, 160]
    sbc(r6, r7)
    sbc(r7, r7)
    mov(r8, r0)
    mov(r0, r9)
    lsr(r0, r0, 1)
    adc(r3, r5)
    mov(r0, r10)
    adc(r1, r0)
    mov(r5, r12)
    adc(r2, r5)
    mov(r0, r11)
    adc(r6, r0)
    mov(r0, 0)
    adc(r7, r0)
    data(2, 0x9D2F)  # ldr r5, [sp, 188]
    lsr(r5, r5, 1)
    adc(r3, r0)
    adc(r1, r0)
    adc(r2, r0)
    adc(r6, r0)
    adc(r7, r0)
    data(2, 0x9D2C)  # ldr r5, [sp, 176]
    lsr(r5, r5, 1)
    mov(r5, r12)
    adc(r3, r5)
    mov(r5, r11)
    adc(r1, r5)
    adc(r2, r0)
    adc(r6, r0)
    adc(r7, r0)
    neg(r4, r4)
    mov(r4, r10)
    sbc(r3, r4)
    mov(r4, r12)
    sbc(r1, r4)
    sbc(r2, r5)
    sbc(r6, r0)
    sbc(r7, r0)
    asr(r0, r7, 31)
    add(r4, r6, r7)
    adc(r7, r0)
    asr(r0, r7, 31)
    sub(r4, r0, r7)
    asr(r5, r4, 31)
    mov(r9, r6)
    sub(r6, r5, r7)
    mov(r10, r2)
    asr(r2, r6, 31)
    add(r2, r7, r2)
    mov(r11, r2)
    data(2, 0x9A05)  # ldr r2, [sp, 20]
    mov(r12, r6)
    mov(r6, r8)
    add(r6, r6, r7)
    mov(r7, r14)
    adc(r7, r0)
    mov(r8, r1)
    data(2, 0x9930)  # ldr r1, [sp, 192]
    adc(r0, r1)
    data(2, 0x992E)  # ldr r1, [sp, 184]
    adc(r4, r1)
    data(2, 0xC2C0)  # stm r2!, {r6, r7}
    data(2, 0xC211)  # stm r2!, {r0, r4}
    adc(r3, r5)
    mov(r0, r8)
    adc(r5, r0)
    mov(r0, r12)
    mov(r1, r10)
    adc(r1, r0)
    mov(r0, r11)
    mov(r4, r9)
    adc(r4, r0)
    data(2, 0xC228)  # stm r2!, {r3, r5}
    data(2, 0xC212)  # stm r2!, {r1, r4}
    bl(next)
    label(done)


@micropython.asm_thumb
def _place(r0, r1, r2, r3):
    """In r0, _digits: the address of the table (r1), and of digit number r3 of r2. Bit 16 of r3: of comb v."""
    lsr(r4, r3, 16)
    lsl(r4, r4, 3)
    add(r0, r0, r4)
    lsl(r3, r3, 16)
    lsr(r3, r3, 15)
    add(r2, r2, r3)
    str(r1, [r0, 0])
    str(r2, [r0, 4])


@micropython.asm_thumb
def _copy(r0, r1, r2):
    """Copy _S0 and _S1 of a workspace (r1) to byte r2 of r0, and what follows."""
    add(r0, r0, r2)
    add(r1, 64)
    mov(r2, 64)
    label(copy)
    sub(r2, 1)
    data(2, 0x5C8B)  # ldrb r3, [r1, r2]
    data(2, 0x5483)  # strb r3, [r0, r2]
    bne(copy)


@micropython.asm_thumb
def _columns(r0, r1, r2, r3):
    """Fill r1, halfwords, with digits, for k (r0) below n (r3), 32 bytes each, the least first. r2: 32 / teeth, 33 -
    teeth in bits 8 to 15, how many positions there are in bits 16 and up.

    An even k becomes n - k, and bits of (k + 2^256 - 1) / 2 are collected: for each position, from the highest down
    to 0, and each part, bits position + positions * part + 256 / teeth * tooth. The highest of them is the sign, 1
    for plus; the others, turned over if it is 0, are the row in the part's table. A digit is that row, and bit 15,
    set for minus; or for plus if k was even.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    data(2, 0xB4F0)  # push {r4-r7}
    data(2, 0xB098)  # sub sp, 96
    data(2, 0x9106)  # str r1, [sp, 24]
    data(2, 0x9207)  # str r2, [sp, 28]
    data(2, 0xC836)  # ldm r0!, {r1, r2, r4, r5}
    mov(r8, r3)
    mov(r9, r1)
    data(2, 0xC8CA)  # ldm r0!, {r1, r3, r6, r7}
    data(2, 0xA808)  # add r0, sp, 32
    mov(r10, r7)
    mov(r7, r9)
    data(2, 0xC0FE)  # stm r0!, {r1, r2, r3, r4, r5, r6, r7}
    mov(r6, r10)
    data(2, 0xC040)  # stm r0!, {r6}
    mov(r0, 1)
    and_(r7, r0)
    sub(r7, r7, r0)
    data(2, 0x9702)  # str r7, [sp, 8]
    mov(r0, r8)
    mov(r9, r7)
    data(2, 0xC8CA)  # ldm r0!, {r1, r3, r6, r7}
    data(2, 0x9D0E)  # ldr r5, [sp, 56]
    sub(r1, r1, r5)
    sbc(r3, r2)
    sbc(r6, r4)
    data(2, 0x9C0C)  # ldr r4, [sp, 48]
    sbc(r7, r4)
    mov(r8, r7)
    mov(r10, r6)
    data(2, 0xC8D4)  # ldm r0!, {r2, r4, r6, r7}
    data(2, 0x9808)  # ldr r0, [sp, 32]
    sbc(r2, r0)
    data(2, 0x980A)  # ldr r0, [sp, 40]
    sbc(r4, r0)
    data(2, 0x980D)  # ldr r0, [sp, 52]
    sbc(r6, r0)
    data(2, 0x980F)  # ldr r0, [sp, 60]
    sbc(r7, r0)
    eor(r1, r5)
    mov(r0, r9)
    and_(r1, r0)
    eor(r5, r1)
    data(2, 0x9909)  # ldr r1, [sp, 36]
    eor(r3, r1)
    and_(r3, r0)
    eor(r1, r3)
    mov(r3, r10)
    mov(r11, r1)
    data(2, 0x990B)  # ldr r1, [sp, 44]
    eor(r1, r3)
    and_(r1, r0)
    data(2, 0x9B0B)  # ldr r3, [sp, 44]
    eor(r1, r3)
    mov(r3, r8)
    mov(r10, r1)
    data(2, 0x990C)  # ldr r1, [sp, 48]
    eor(r1, r3)
    and_(r1, r0)
    data(2, 0x9B0C)  # ldr r3, [sp, 48]
    eor(r1, r3)
    data(2, 0x9B08)  # ldr r3, [sp, 32]
    eor(r2, r3)
    and_(r2, r0)
    eor(r3, r2)
    data(2, 0x9A0A)  # ldr r2, [sp, 40]
    eor(r4, r2)
    and_(r4, r0)
    eor(r2, r4)
    data(2, 0x9C0D)  # ldr r4, [sp, 52]
    eor(r6, r4)
    and_(r6, r0)
    eor(r4, r6)
    data(2, 0x9E0F)  # ldr r6, [sp, 60]
    eor(r7, r6)
    and_(r0, r7)
    eor(r6, r0)
    lsr(r0, r5, 1)
    mov(r5, r11)
    lsl(r7, r5, 31)
    orr(r0, r7)
    lsr(r5, r5, 1)
    mov(r7, r10)
    mov(r8, r0)
    lsl(r0, r7, 31)
    orr(r5, r0)
    lsr(r0, r7, 1)
    lsl(r7, r1, 31)
    orr(r0, r7)
    lsr(r1, r1, 1)
    lsl(r7, r3, 31)
    orr(r1, r7)
    lsr(r3, r3, 1)
    lsl(r7, r2, 31)
    orr(r3, r7)
    lsr(r2, r2, 1)
    lsl(r7, r4, 31)
    orr(r2, r7)
    lsr(r4, r4, 1)
    lsl(r7, r6, 31)
    orr(r4, r7)
    lsr(r6, r6, 1)
    mov(r7, 1)
    lsl(r7, r7, 31)
    orr(r6, r7)
    data(2, 0xAF08)  # add r7, sp, 32
    mov(r9, r2)
    mov(r2, r8)
    data(2, 0xC724)  # stm r7!, {r2, r5}
    data(2, 0xC703)  # stm r7!, {r0, r1}
    mov(r5, r9)
    data(2, 0xC728)  # stm r7!, {r3, r5}
    data(2, 0xC750)  # stm r7!, {r4, r6}
    data(2, 0xA808)  # add r0, sp, 32
    data(2, 0xAB10)  # add r3, sp, 64
    mov(r8, r3)
    data(2, 0x9906)  # ldr r1, [sp, 24]
    data(2, 0x9A07)  # ldr r2, [sp, 28]
    lsr(r3, r2, 16)
    data(2, 0x9300)  # str r3, [sp, 0]
    data(2, 0x9301)  # str r3, [sp, 4]
    lsl(r3, r2, 16)
    lsr(r3, r3, 24)
    data(2, 0x9303)  # str r3, [sp, 12]
    mov(r4, 0)
    mvn(r4, r4)
    lsr(r4, r3)
    data(2, 0x9404)  # str r4, [sp, 16]
    lsl(r2, r2, 24)
    lsr(r2, r2, 24)
    label(position)
    data(2, 0x9C00)  # ldr r4, [sp, 0]
    sub(r4, 1)
    data(2, 0x9400)  # str r4, [sp, 0]
    bmi(columns_end)
    mov(r3, 0)
    data(2, 0x9305)  # str r3, [sp, 20]
    label(part)
    lsr(r5, r4, 3)
    add(r5, r5, r0)
    mov(r6, 7)
    and_(r6, r4)
    mov(r7, 0)
    label(tooth)
    ldrb(r3, [r5, 0])
    lsr(r3, r6)
    lsl(r3, r3, 31)
    lsr(r7, r7, 1)
    orr(r7, r3)
    add(r5, r5, r2)
    data(2, 0x4545)  # cmp r5, r8
    bcc(tooth)
    asr(r3, r7, 31)
    mvn(r5, r3)
    eor(r7, r5)
    lsl(r7, r7, 1)
    data(2, 0x9E03)  # ldr r6, [sp, 12]
    lsr(r7, r6)
    data(2, 0x9E05)  # ldr r6, [sp, 20]
    add(r7, r7, r6)
    data(2, 0x9B02)  # ldr r3, [sp, 8]
    eor(r5, r3)
    lsl(r5, r5, 31)
    lsr(r5, r5, 16)
    orr(r7, r5)
    strh(r7, [r1, 0])
    add(r1, 2)
    data(2, 0x9B04)  # ldr r3, [sp, 16]
    add(r6, r6, r3)
    add(r6, 1)
    data(2, 0x9605)  # str r6, [sp, 20]
    data(2, 0x9B01)  # ldr r3, [sp, 4]
    add(r4, r4, r3)
    lsl(r3, r2, 3)
    cmp(r4, r3)
    bcc(part)
    b(position)
    label(columns_end)
    data(2, 0xB018)  # add sp, 96
    data(2, 0xBCF0)  # pop {r4-r7}
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)


@micropython.asm_thumb
def _divsteps(r0, r1, r2):
    """Bernstein and Yang's divisions (https://gcd.cr.yp.to), as in native/p256_numbers.py: from f = the modulus, g =
    a number below it, d = 0, e = 1 to f = 1 or -1, g = 0, d = f / the number mod the modulus. r0: the four of them,
    of which only g has to be there, each 18 limbs of 15 bits, only the last with a sign, and a word before them. r1:
    limbs of the modulus. r2: -1 / the modulus mod 2^15. 40 times, 15 steps become a matrix u, v, q, r; during the
    steps u and v, and q and r, are in a word, added and doubled as one: u + 2^16 v. As |u| + |v| and |q| + |r| are at
    most 2^15, u d + v e, a multiple of the modulus's limb and a carry are below 2^31.
    """
    mov(r4, r8)
    mov(r5, r9)
    mov(r6, r10)
    mov(r7, r11)
    data(2, 0xB4F0)  # push {r4-r7}
    data(2, 0xB086)  # sub sp, 24
    data(2, 0x9000)  # str r0, [sp, 0]
    data(2, 0x9101)  # str r1, [sp, 4]
    data(2, 0x9202)  # str r2, [sp, 8]
    mov(r3, 72)
    mov(r4, 0)
    label(begin)
    sub(r3, 4)
    data(2, 0x58CD)  # ldr r5, [r1, r3]
    add(r6, r0, r3)
    str(r5, [r6, 4])
    add(r6, 156)
    str(r4, [r6, 0])
    str(r4, [r6, 76])
    cmp(r3, r4)
    bne(begin)
    mov(r5, 1)
    str(r5, [r6, 76])
    mov(r0, 40)
    data(2, 0x9003)  # str r0, [sp, 12]
    mov(r0, 1)
    neg(r0, r0)
    data(2, 0x9004)  # str r0, [sp, 16]
    label(batch)
    data(2, 0x9F00)  # ldr r7, [sp, 0]
    ldr(r0, [r7, 4])
    ldr(r1, [r7, 80])
    mov(r2, 1)
    lsl(r3, r2, 16)
    data(2, 0x9C04)  # ldr r4, [sp, 16]
    mov(r5, 15)
    mov(r8, r5)
    label(step)
    asr(r5, r4, 31)
    lsl(r6, r1, 31)
    asr(r6, r6, 31)
    mov(r7, r0)
    eor(r7, r5)
    sub(r7, r7, r5)
    and_(r7, r6)
    add(r1, r1, r7)
    mov(r7, r2)
    eor(r7, r5)
    sub(r7, r7, r5)
    and_(r7, r6)
    add(r3, r3, r7)
    and_(r5, r6)
    eor(r4, r5)
    sub(r4, 1)
    mov(r7, r1)
    and_(r7, r5)
    add(r0, r0, r7)
    mov(r7, r3)
    and_(r7, r5)
    add(r2, r2, r7)
    asr(r1, r1, 1)
    add(r2, r2, r2)
    mov(r7, r8)
    sub(r7, 1)
    mov(r8, r7)
    bne(step)
    data(2, 0x9404)  # str r4, [sp, 16]
    sub(r2, 1)
    lsl(r4, r2, 16)
    asr(r4, r4, 16)
    sub(r5, r2, r4)
    asr(r5, r5, 16)
    mov(r9, r5)
    add(r4, 1)
    mov(r8, r4)
    sub(r3, 1)
    lsl(r4, r3, 16)
    asr(r4, r4, 16)
    sub(r5, r3, r4)
    asr(r5, r5, 16)
    mov(r11, r5)
    add(r4, 1)
    mov(r10, r4)
    data(2, 0x9800)  # ldr r0, [sp, 0]
    add(r0, 0)
    mov(r7, r0)
    add(r7, 72)
    data(2, 0x9705)  # str r7, [sp, 20]
    mov(r1, 0)
    mov(r2, 0)
    label(limb_of_f)
    ldr(r3, [r0, 4])
    ldr(r4, [r0, 80])
    mov(r5, r8)
    mul(r5, r3)
    add(r1, r1, r5)
    mov(r5, r9)
    mul(r5, r4)
    add(r1, r1, r5)
    mov(r5, r10)
    mul(r5, r3)
    add(r2, r2, r5)
    mov(r5, r11)
    mul(r5, r4)
    add(r2, r2, r5)
    lsl(r5, r1, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 0])
    asr(r1, r1, 15)
    lsl(r5, r2, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 76])
    asr(r2, r2, 15)
    ldr(r3, [r0, 8])
    ldr(r4, [r0, 84])
    mov(r5, r8)
    mul(r5, r3)
    add(r1, r1, r5)
    mov(r5, r9)
    mul(r5, r4)
    add(r1, r1, r5)
    mov(r5, r10)
    mul(r5, r3)
    add(r2, r2, r5)
    mov(r5, r11)
    mul(r5, r4)
    add(r2, r2, r5)
    lsl(r5, r1, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 4])
    asr(r1, r1, 15)
    lsl(r5, r2, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 80])
    asr(r2, r2, 15)
    ldr(r3, [r0, 12])
    ldr(r4, [r0, 88])
    mov(r5, r8)
    mul(r5, r3)
    add(r1, r1, r5)
    mov(r5, r9)
    mul(r5, r4)
    add(r1, r1, r5)
    mov(r5, r10)
    mul(r5, r3)
    add(r2, r2, r5)
    mov(r5, r11)
    mul(r5, r4)
    add(r2, r2, r5)
    lsl(r5, r1, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 8])
    asr(r1, r1, 15)
    lsl(r5, r2, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 84])
    asr(r2, r2, 15)
    add(r0, 12)
    data(2, 0x9D05)  # ldr r5, [sp, 20]
    cmp(r0, r5)
    bne(limb_of_f)
    str(r1, [r0, 0])
    str(r2, [r0, 76])
    data(2, 0x9800)  # ldr r0, [sp, 0]
    add(r0, 152)
    ldr(r3, [r0, 4])
    ldr(r4, [r0, 80])
    data(2, 0x9E02)  # ldr r6, [sp, 8]
    mov(r5, r8)
    mul(r5, r3)
    mov(r7, r9)
    mul(r7, r4)
    add(r5, r5, r7)
    mul(r5, r6)
    lsl(r5, r5, 17)
    lsr(r5, r5, 17)
    mov(r12, r5)
    mov(r5, r10)
    mul(r5, r3)
    mov(r7, r11)
    mul(r7, r4)
    add(r5, r5, r7)
    mul(r5, r6)
    lsl(r5, r5, 17)
    lsr(r5, r5, 17)
    mov(r14, r5)
    data(2, 0x9800)  # ldr r0, [sp, 0]
    add(r0, 152)
    mov(r7, r0)
    add(r7, 72)
    data(2, 0x9705)  # str r7, [sp, 20]
    mov(r1, 0)
    mov(r2, 0)
    data(2, 0x9E01)  # ldr r6, [sp, 4]
    label(limb_of_d)
    ldr(r3, [r0, 4])
    ldr(r4, [r0, 80])
    data(2, 0xCE80)  # ldm r6!, {r7}
    mov(r5, r8)
    mul(r5, r3)
    add(r1, r1, r5)
    mov(r5, r9)
    mul(r5, r4)
    add(r1, r1, r5)
    mov(r5, r10)
    mul(r5, r3)
    add(r2, r2, r5)
    mov(r5, r11)
    mul(r5, r4)
    add(r2, r2, r5)
    mov(r5, r12)
    mul(r5, r7)
    add(r1, r1, r5)
    mov(r5, r14)
    mul(r5, r7)
    add(r2, r2, r5)
    lsl(r5, r1, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 0])
    asr(r1, r1, 15)
    lsl(r5, r2, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 76])
    asr(r2, r2, 15)
    ldr(r3, [r0, 8])
    ldr(r4, [r0, 84])
    data(2, 0xCE80)  # ldm r6!, {r7}
    mov(r5, r8)
    mul(r5, r3)
    add(r1, r1, r5)
    mov(r5, r9)
    mul(r5, r4)
    add(r1, r1, r5)
    mov(r5, r10)
    mul(r5, r3)
    add(r2, r2, r5)
    mov(r5, r11)
    mul(r5, r4)
    add(r2, r2, r5)
    mov(r5, r12)
    mul(r5, r7)
    add(r1, r1, r5)
    mov(r5, r14)
    mul(r5, r7)
    add(r2, r2, r5)
    lsl(r5, r1, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 4])
    asr(r1, r1, 15)
    lsl(r5, r2, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 80])
    asr(r2, r2, 15)
    ldr(r3, [r0, 12])
    ldr(r4, [r0, 88])
    data(2, 0xCE80)  # ldm r6!, {r7}
    mov(r5, r8)
    mul(r5, r3)
    add(r1, r1, r5)
    mov(r5, r9)
    mul(r5, r4)
    add(r1, r1, r5)
    mov(r5, r10)
    mul(r5, r3)
    add(r2, r2, r5)
    mov(r5, r11)
    mul(r5, r4)
    add(r2, r2, r5)
    mov(r5, r12)
    mul(r5, r7)
    add(r1, r1, r5)
    mov(r5, r14)
    mul(r5, r7)
    add(r2, r2, r5)
    lsl(r5, r1, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 8])
    asr(r1, r1, 15)
    lsl(r5, r2, 17)
    lsr(r5, r5, 17)
    str(r5, [r0, 84])
    asr(r2, r2, 15)
    add(r0, 12)
    data(2, 0x9D05)  # ldr r5, [sp, 20]
    cmp(r0, r5)
    bne(limb_of_d)
    str(r1, [r0, 0])
    str(r2, [r0, 76])
    data(2, 0x9803)  # ldr r0, [sp, 12]
    sub(r0, 1)
    data(2, 0x9003)  # str r0, [sp, 12]
    beq(end)
    bl(batch)
    label(end)
    data(2, 0xB006)  # add sp, 24
    data(2, 0xBCF0)  # pop {r4-r7}
    mov(r8, r4)
    mov(r9, r5)
    mov(r10, r6)
    mov(r11, r7)


def _limbs(number):
    limbs = bytearray(72)
    _split(number.to_bytes(34, "little"), limbs, 0)
    return limbs


# What `inverse` and `digits` need of a modulus: the limbs; -1 / modulus mod 2^15; 32 bytes.
_MODULI = {P: (_limbs(P), 1, P.to_bytes(32, "little")), N: (_limbs(N), 15439, N.to_bytes(32, "little"))}
