# ruff: noqa: F821, viper's types are names that only it knows
"""Numbers mod p and n of P-256, in MicroPython's viper: inverses, and the digits of a comb.

Nothing here branches on a number, or uses one as an address: the time is the same for all, but for what Python does to
take numbers apart and put them together.
"""

import sys

import micropython

# For which processor native code has to be made here. (One string: the names in a dictionary would stay in memory.)
PROCESSOR = [
    "?",
    "?",
    "x64",
    "?",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "?",
    "xtensawin",
    "rv32imc",
    "?",
    "?",
    "?",
    "?",
][getattr(sys.implementation, "_mpy", 0) >> 10 & 15]


def inverse(number, modulus):
    """1 / number mod p or n, whichever is `modulus`, for a number in [1, modulus - 1]."""
    state = bytearray(400)  # for as long as it takes
    octets = number.to_bytes(34, "little") + modulus.to_bytes(34, "little")
    sign = start(state, octets, 1 if modulus & 2 else 15439)
    d = int.from_bytes(memoryview(state)[:36], "little")
    return (d - (d >> 265 << 266)) * sign % modulus


def digits(k, n, teeth, parts, found):
    """`found`, an array('H'), = the digits of k, for 0 <= k < n and an odd n, in the order in which a kernel's `walk` takes
    them: see srup.p256_comb."""
    even = 1 - (k & 1)
    columns(((k, n - k)[even] >> 1 | 1 << 255).to_bytes(32, "little"), even, found, teeth, parts)


@micropython.viper
def columns(y: ptr8, acc: int, digits: ptr16, teeth: int, parts: int):
    """For position i, from the highest, and each part j: bits i + positions * j + 256 / teeth * tooth of y (32 bytes,
    least first). The highest of them is the sign, 1 for plus; the others, turned over if it is 0, are the row in part j's
    table. A digit is row + 0x8000 for minus; if acc is 1, for plus.
    """
    octets = y
    flip = acc
    step = 32 // teeth
    top = teeth - 1
    rows = (1 << top) - 1
    positions = 8 * step // parts
    at = 0
    i = positions
    while i > 0:
        i -= 1
        j = 0
        while j < parts:
            place = i + positions * j
            shift = place & 7
            y = ptr8(int(octets) + (place >> 3))
            end = int(octets) + 32
            acc = 0
            while int(y) < end:
                acc = ((y[0] >> shift & 1) << top) + (acc >> 1)
                y = ptr8(int(y) + step)
            place = acc >> top
            acc = (acc ^ (place - 1)) & rows
            digits[at] = acc | j << top | (place ^ 1 ^ flip) << 15
            at += 1
            j += 1


@micropython.viper
def start(state: ptr32, octets: ptr8, negative_inverse: int) -> int:
    """`divsteps`, whose first two arguments are numbers, as viper keeps them in registers."""
    do = divsteps
    return int(do(int(state), int(octets), negative_inverse))


@micropython.viper
def divsteps(acc: int, y: int, negative_inverse: int) -> int:
    """Bernstein and Yang's divisions (https://gcd.cr.yp.to): from f = a modulus, g = a number below it, d = 0, e = 1 to
    f = 1 or -1, g = 0, d = f / the number mod the modulus. Returns f.

    y: the address of the number, 34 bytes, least first; then the modulus, odd and below 2^256, 34 bytes.
    negative_inverse: -1 / modulus mod 2^14. acc: the address of 100 words, for limb i of f, g, d, e and the modulus from
    5 (i + 1); they have 19 limbs of 14 bits, modulo 2^266, negative ones as in two's complement. In the end d is in the
    first 9 words, as bytes.

    A step makes f, g = g, (g - f)/2 if zeta < 0 and g is odd, else f, (g + f)/2 if g is odd, else f, g/2. 590 steps are
    enough for 256 bits if zeta, which counts along, begins at -1 (Wuille: the variant of libsecp256k1). 14 steps see no
    more than the lowest limbs, and make a matrix, of u, v, q and r, two in a word: u + 2^16 v, q + 2^16 r. It is applied
    to f and g, which divides them by 2^14, and to d and e, after a multiple of the modulus is added by which that comes
    out even: they stay below 44 times the modulus. 43 times that.
    """
    state = ptr32(acc)
    octets = ptr8(y)
    last = acc + 380
    mask = 16383
    row = state
    i = 0
    while i < 266:
        row = ptr32(int(row) + 20)
        acc = i & 7
        y = i >> 3
        row[1] = ((octets[y] | octets[y + 1] << 8 | octets[y + 2] << 16) >> acc) & mask
        y += 34
        row[0] = ((octets[y] | octets[y + 1] << 8 | octets[y + 2] << 16) >> acc) & mask
        row[4] = row[0]
        row[2] = 0
        row[3] = 0
        i += 14
    state[8] = 1
    zeta = -1
    batch = 0
    while batch < 43:
        row = state
        f = row[5]
        acc = row[6]
        uv = 1
        qr = 65536
        i = 0
        while i < 14:
            y = zeta >> 31  # -1 if zeta < 0, else 0
            odd = 0 - (acc & 1)
            acc = (((f ^ y) - y) & odd) + acc
            qr = (((uv ^ y) - y) & odd) + qr
            y = y & odd
            zeta = (zeta ^ y) - 1
            f = (acc & y) + f
            uv = ((qr & y) + uv) << 1
            acc = acc >> 1
            i += 1
        v = (uv + 32768) >> 16
        u = uv - (v << 16)
        r = (qr + 32768) >> 16
        q = qr - (r << 16)
        add = 0
        add_other = 0
        while True:
            acc = 0
            other = 0
            end = int(row) + 380
            while int(row) < end:
                y = row[5]
                acc = u * y + acc
                other = q * y + other
                y = row[6]
                acc = v * y + acc
                other = r * y + other
                y = row[7]
                acc = add * y + acc
                other = add_other * y + other
                row[0] = acc & mask
                row[1] = other & mask
                acc = acc >> 14
                other = other >> 14
                row = ptr32(int(row) + 20)
            # the numbers are, with their signs, less by 2^266 where the highest bit is 1
            y = row[0] >> 13
            acc = acc - u * y
            other = other - q * y
            y = row[1] >> 13
            row[0] = (acc - v * y) & mask
            row[1] = (other - r * y) & mask
            if int(row) != last:
                break
            row = ptr32(int(state) + 8)  # once more, for d and e, and the modulus
            y = row[5]
            acc = u * y
            other = q * y
            y = row[6]
            add = (((v * y + acc) & mask) * negative_inverse) & mask
            add_other = (((r * y + other) & mask) * negative_inverse) & mask
        batch += 1
    f = 1 - (state[95] >> 13 << 1)
    octets = ptr8(state)  # the bytes of d go where no limb of it is left
    row = state
    acc = 0
    y = 0
    i = 0
    while i < 36:
        if y < 8 and int(row) < last:
            row = ptr32(int(row) + 20)
            acc |= row[2] << y
            y += 14
        octets[i] = acc & 255
        acc >>= 8
        y -= 8
        i += 1
    return f
