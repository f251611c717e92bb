"""Multiples of points of P-256 by signed combs, on the field arithmetic of native/p256_field.py: not without that.

The comb of a point Q, with 8 teeth, is a table of its 128 multiples by

    +-1 +-2^32 +-2^64 ... +-2^192 + 2^224

(10 KB), and with 31 doublings and 32 additions that is enough for any multiple. For k odd and below 2^256, let c be the
bits of (k + 2^256 - 1) / 2. Then k is the sum of (2 c[i] - 1) 2^i: each power of two is there once, added or subtracted.
Bits i, i + 32 ... i + 224 of c are digit i. Its highest bit is the sign, the others, all turned over where that is minus,
the row of the table. An even k is replaced by n - k, and all signs by the other ones. With 4 teeth, 64 apart, a table has
8 rows and is soon made: for keys that nothing was prepared for.

The running total is Jacobian, (X, Y, Z), as in srup.p256, or rather it is that or its negative. For what is added is a
row as it is in the table: to subtract a row, add it to the negative. The formula for that differs in two signs only.
Formulas: "dbl-2001-b" with (Y + Z)^2 - Y^2 - Z^2 written as 2YZ, and "add-1998-cmo-2" for one z that is 1. The latter is
wrong where both points have the same x, and where one is infinity. It makes z = 0 there, and z stays 0 from then on. So
**z must be looked at in the end**; where it is 0, the result has to be found in another way.
"""

from array import array

from micropython import const

from p256_field import LIN, MUL, SQR, columns, divsteps, load, pack, program, run, save, unpack

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_R_INVERSE = 0xFFFFFFFE00000003FFFFFFFD0000000200000001FFFFFFFE000000030000000  # of R = 2^260

# The elements of a workspace. (X, Y, Z): the running total; (QX, QY): the point to add.
_X = const(0)
_Y = const(1)
_Z = const(2)
_QX = const(3)
_QY = const(4)
_T0 = const(5)
_T1 = const(6)
_T2 = const(7)
_T3 = const(8)
_RX = const(9)
_RY = const(10)
_KEPT = const(9)
_WORKSPACE = const(880)  # bytes

_ROW = const(80)  # bytes of a row: x and y, their limbs as 16 bits each, least byte first

# The total is doubled: 4 products, 4 squares.
_DOUBLE = program(
    (SQR, _T0, _Z, 0, -1, _X),
    (SQR, _T1, _Y),
    (MUL, _T2, _X, _T1),  # b = x y^2
    (LIN, _T3, _T0, 3, 6, _X),
    (MUL, _T0, _T0, _T3),  # -a = (z^2 - x) 3 (z^2 + x)
    (MUL, _Z, _Y, _Z),
    (LIN, _Z, _Z, 2),
    (SQR, _X, _T0, 0, -8, _T2),  # a^2 - 8b
    (LIN, _T2, _X, 1, -4, _T2),
    (SQR, _T1, _T1),
    (MUL, _Y, _T0, _T2, -8, _T1),  # -a (x - 4b) - 8 y^4
)


def _adding(sign):
    """For sign 1 the total becomes -(total + q), for -1 total - q: 8 products, 3 squares."""
    return program(
        (SQR, _T0, _Z),
        (MUL, _T1, _QX, _T0, -1, _X),  # h
        (MUL, _T0, _T0, _Z),
        (MUL, _T0, _T0, _QY, -sign, _Y),  # r
        (MUL, _Z, _Z, _T1),
        (SQR, _T2, _T1),
        (MUL, _T1, _T1, _T2),  # h^3
        (MUL, _T2, _X, _T2),  # v = x h^2
        (SQR, _X, _T0, 0, -1, _T1),
        (LIN, _X, _X, 1, -2, _T2),  # r^2 - h^3 - 2v
        (LIN, _T2, _X, 1, -1, _T2),
        (MUL, _T1, _T1, _Y),
        (MUL, _Y, _T0, _T2, sign, _T1),  # r (x - v) + y h^3
    )


_ADDINGS = (_adding(-1), _adding(1))

# q = the total, affine. T2 is 1 / z.
_AFFINE = program((SQR, _T1, _T2), (MUL, _QX, _X, _T1), (MUL, _T1, _T1, _T2), (MUL, _QY, _Y, _T1))

# The total with a z of one's choice, from one where z is 1.
_RESCALE = program((SQR, _T0, _Z), (MUL, _X, _X, _T0), (MUL, _T0, _T0, _Z), (MUL, _Y, _Y, _T0))

_NORM = program((SQR, _T0, _Z))


def build(x, y, teeth=8):
    """The comb of the point (x, y), which must be one of the curve, with 8 teeth or 4: a bytearray of 10,240 or 640.

    Takes about 3,000 products and 8 inversions, or 1,600 and 4. The bytes are the same on all machines.
    """
    w = _workspace()
    table = bytearray(_ROW << (teeth - 1))
    units = _units(w, x, y, teeth)
    load(_QX, teeth - 1, units, w)
    save(0, _QX, table, w)
    for j in range(teeth - 1):
        load(_QX, j, units, w)
        _branch(w, table, 1 << j)
    return table


def pair(u, v, comb_u, comb_v):
    """u U + v V of the points that the combs are of, for 0 <= u, v < N: (x, z^2), two numbers, where the x of the sum is
    x / z^2; or None: then find it in another way. comb_v: the one with less teeth, if they differ."""
    w = _workspace()
    digits_u, digits_v = _digits(u, comb_u), _digits(v, comb_v)
    last = len(digits_v) - 1
    negative = _start(w, comb_v, digits_v[last])
    for i in range(last, -1, -1):
        if i < last:
            run(_DOUBLE, 1, w)
            negative = _add(w, comb_v, digits_v[i], negative)
        if i < len(digits_u):
            negative = _add(w, comb_u, digits_u[i], negative)
    run(_NORM, 1, w)
    zz = _get(w, _T0)
    return (_get(w, _X), zz) if zz else None  # both times R


def multiple(k, comb, mask):
    """The affine (x, y) of k times the comb's point, for a secret k in [1, N - 1]; or None, as for some tiny k: then
    find it in another way. mask: another secret in [1, N - 1], by which all z are multiplied.

    The operations on field elements are the same for all k and masks, but for signs. Which rows are read is not, and
    numbers on their way to elements and back are Python's.
    """
    w = _workspace()
    digits = _digits(k, comb)
    negative = _start(w, comb, digits[-1])
    _put(w, _Z, mask)
    run(_RESCALE, 1, w)
    for i in range(len(digits) - 2, -1, -1):
        run(_DOUBLE, 1, w)
        negative = _add(w, comb, digits[i], negative)
    z = _get(w, _Z)
    if not z:
        return None
    _put(w, _T2, inverse(z, P) << 260)  # z is z R, and 1 / z is to be R / z
    run(_AFFINE, 1, w)
    y = _get(w, _QY) * _R_INVERSE % P
    return _get(w, _QX) * _R_INVERSE % P, (y, P - y)[negative]


def inverse(number, modulus):
    """1 / number mod N or P, whichever is `modulus`, for a number in [1, modulus - 1]. The same operations for all."""
    limbs, negative_inverse = _MODULI[modulus]
    state = array("i", bytes(336))  # f, g, d and e of `divsteps`
    state[:21] = limbs
    unpack(number.to_bytes(35, "little"), 21, 21, state)
    state[63] = 1
    divsteps(state, limbs, negative_inverse)
    octets = bytearray(35)
    pack(octets, 42, 21, state)
    d = int.from_bytes(octets, "little")
    d -= d >> 272 << 273  # its sign
    return d * (1 - (state[20] >> 12 << 1)) % modulus  # times f, which is 1 or -1


# Numbers, and what they become ----------------------------------------------------------------------------------------


def _workspace():
    return array("i", bytes(_WORKSPACE))


def _put(w, a, number):
    """a = number * R."""
    unpack(((number << 260) % P).to_bytes(33, "little"), a * 20, 20, w)


def _get(w, a):
    """The number that a is, mod P; R is not taken out of it."""
    octets = bytearray(33)
    pack(octets, a * 20, 20, w)
    return int.from_bytes(octets, "little") % P


def _row(number):
    """A table of one row: the number times R, and 0."""
    w = _workspace()
    _put(w, _X, number)
    row = bytearray(_ROW)
    save(0, _X, row, w)
    return row


def _limbs(number):
    limbs = array("i", bytes(84))
    unpack(number.to_bytes(35, "little"), 0, 21, limbs)
    return limbs


_ONE = _row(1)
_MODULI = {P: (_limbs(P), 1), N: (_limbs(N), 7247)}  # and -1 / modulus mod 2^13


def _digits(k, comb):
    """The digits of k, or of N - k with all signs changed, whichever is odd. A digit is a row, and 128 if it is plus."""
    even = 1 - (k & 1)
    odd = (k, N - k)[even]
    digits = bytearray(32 if len(comb) > 640 else 64)
    columns(digits, ((odd + (1 << 256) - 1) >> 1).to_bytes(32, "little"), len(digits), even)
    return digits


# The total. `negative`: 1 if it is the negative of what is wanted, else 0 ---------------------------------------------


def _invert(w):
    """T0 = 1 / T0."""
    _put(w, _T0, inverse(_get(w, _T0), P) << 260)


def _start(w, comb, digit):
    """The total = digit. Returns `negative`."""
    load(_Z, 0, _ONE, w)
    load(_X, digit & 127, comb, w)
    return 1 - (digit >> 7)


def _add(w, comb, digit, negative):
    """The total += digit. Returns `negative`."""
    plus = digit >> 7
    load(_QX, digit & 127, comb, w)
    run(_ADDINGS[plus ^ negative], 1, w)
    return plus


# A comb. Many divisions are one, by Montgomery's trick: to divide by a, b and c, keep 1, a and ab on the way to abc; then
# 1/c = ab/abc, 1/b = a/(abc/c), and so on, back.

_KEEP_Z = program((LIN, _T0, _KEPT, 1), (LIN, _T1, _Z, 1), (MUL, _KEPT, _KEPT, _Z))
_TAKE = program((MUL, _T2, _T2, _T0), (MUL, _T0, _T0, _T3))  # the divisor is in T3; T2 becomes 1 / it
_DIFFERENCE = program((LIN, _T1, _QX, 1, -1, _X))
_KEEP_DIFFERENCE = program((MUL, _T0, _T0, _T1))
_ALL_KEPT = program((LIN, _T0, _KEPT, 1))


def _units(w, x, y, teeth):
    """The point times 1, 2^s, 2^(2s) ..., affine, in the first rows, `teeth` of them, of a table; s = 256 / teeth.

    Until they are affine, row j is x and y, and row `teeth` + j is what is kept and z.
    """
    units = bytearray(2 * teeth * _ROW)
    _put(w, _X, x)
    _put(w, _Y, y)
    load(_Z, 0, _ONE, w)
    load(_KEPT, 0, _ONE, w)
    for j in range(teeth):
        if j:
            run(_DOUBLE, 256 // teeth, w)
        save(j, _X, units, w)
        run(_KEEP_Z, 1, w)
        save(teeth + j, _T0, units, w)
    run(_ALL_KEPT, 1, w)
    _invert(w)
    for j in range(teeth - 1, -1, -1):
        load(_X, j, units, w)
        load(_T2, teeth + j, units, w)
        run(_TAKE, 1, w)
        run(_AFFINE, 1, w)
        save(j, _QX, units, w)
    return units


def _branch(w, table, rows):
    """Rows [0, rows) are some points T. Make them T - Q, and the rows after them, as many, T + Q, where Q is q.

    A row that will be T + Q holds, meanwhile, what is kept and the divisor, d = qx - tx. No d is 0: all are multiples
    of one point by numbers of less than 226 bits, and two such have the same x only if they are equal or add up to 0.
    """
    load(_T0, 0, _ONE, w)
    for i in range(rows):
        load(_X, i, table, w)
        run(_DIFFERENCE, 1, w)
        save(rows + i, _T0, table, w)
        run(_KEEP_DIFFERENCE, 1, w)
    _invert(w)
    for i in range(rows - 1, -1, -1):
        load(_T2, rows + i, table, w)
        run(_TAKE, 1, w)
        load(_X, i, table, w)
        run(_PLUS, 1, w)
        save(rows + i, _RX, table, w)
        run(_MINUS, 1, w)
        save(i, _RX, table, w)


def _affine_sum(sign):
    """r = t + sign * q, all affine. t is in X and Y, 1 / (qx - tx) in T2."""
    return program(
        (LIN, _T3, _Y, 1, -sign, _QY),
        (MUL, _T3, _T3, _T2),  # the slope, negative
        (SQR, _RX, _T3, 0, -1, _X),
        (LIN, _RX, _RX, 1, -1, _QX),
        (LIN, _RY, _RX, 1, -1, _X),
        (MUL, _RY, _RY, _T3, -1, _Y),
    )


_PLUS = _affine_sum(1)
_MINUS = _affine_sum(-1)
