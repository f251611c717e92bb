"""A comb of a point of P-256 made (see srup.p256_comb): about 80 million cycles on an RP2040, for 256 rows."""

from micropython import const

from srup.p256_comb import ONE, R_SQUARED, ROW, Filed, P, R, get, put, w
from srup.p256_kernel import LIN, MUL, SQR, inverse, load, program, run, save

# The elements of the workspace. (X, Y, Z): a Jacobian point; (X, Y), (QX, QY), (SUM, SUM + 1): affine ones.
_X = const(1)
_Y = const(2)
_Z = const(3)
_SUM = const(3)
_QX = const(5)
_QY = const(6)
_T0 = const(7)
_T1 = const(8)
_T2 = const(9)
_T3 = const(10)
_KEPT = const(11)

# A Jacobian point, (x / z^2, y / z^3), is doubled: 4 products, 4 squares ("dbl-2001-b", (Y + Z)^2 - Y^2 - Z^2 as 2YZ).
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

# q = the affine point. _T2 is 1 / z.
_AFFINE = program((SQR, _T1, _T2), (MUL, _QX, _X, _T1), (MUL, _T1, _T1, _T2), (MUL, _QY, _Y, _T1))

# Many divisions are one, by Montgomery's trick: to divide by a, b and c, keep 1, a and ab on the way to abc; then
# 1/c = ab/abc, 1/b = a/(abc/c), and so on, back.
_KEEP_Z = program((LIN, _T0, _KEPT, 1), (LIN, _T1, _Z, 1), (MUL, _KEPT, _KEPT, _Z))
_ALL_KEPT = program((LIN, _T0, _KEPT, 1))
_TAKE = program((MUL, _T2, _T2, _T0), (MUL, _T0, _T0, _T3))  # the divisor is in _T3; _T2 becomes 1 / it
_DIFFERENCE = program((LIN, _T1, _QX, 1, -1, _X))
_KEEP_DIFFERENCE = program((MUL, _T0, _T0, _T1))


def _affine_sum(sign):
    """(_SUM, _SUM + 1) = t + sign * q, all affine. t is in _X and _Y, 1 / (qx - tx) in _T2."""
    return program(
        (LIN, _T3, _Y, 1, -sign, _QY),
        (MUL, _T3, _T3, _T2),  # the slope, negative
        (SQR, _SUM, _T3, 0, -1, _X),
        (LIN, _SUM, _SUM, 1, -1, _QX),
        (LIN, _SUM + 1, _SUM, 1, -1, _X),
        (MUL, _SUM + 1, _SUM + 1, _T3, -1, _Y),
    )


_PLUS = _affine_sum(1)
_MINUS = _affine_sum(-1)


def build(x, y, teeth=8, parts=2):
    """The comb of the point (x, y), which must be one of the curve: its rows in order, at most 16 in one bytearray, which
    is used again for the next. They are the same on all machines."""
    units = _units(x, y, teeth * parts, 256 // teeth // parts)
    low = min(4, teeth - 1)  # teeth that differ among the rows made together
    firsts, rows = bytearray(ROW << (teeth - 1 - low)), bytearray(ROW << low)
    for part in range(parts):
        firsts[:ROW] = _row(units, (teeth - 1) * parts + part)
        _branches(firsts, units, range(low * parts + part, (teeth - 1) * parts, parts))
        for first in range(len(firsts) // ROW):
            rows[:ROW] = _row(firsts, first)
            _branches(rows, units, range(part, low * parts, parts))
            yield rows


def made(x, y):
    """A comb in memory, for want of anything else; in pieces of 1 KB, as a larger one is not to be had for sure."""
    return in_pieces([memoryview(bytes(rows)) for rows in build(x, y)])


def in_pieces(pieces):
    """The comb of these rows, the same number of them in each piece."""
    return Filed([Pieces(pieces)], 0)


class Pieces:
    """A file, as far as a comb needs one, in memory."""

    def __init__(self, pieces):
        self._pieces = pieces
        self._at = 0

    def seek(self, at):
        self._at = at

    def readinto(self, row):
        piece, at = divmod(self._at, len(self._pieces[0]))
        row[:] = self._pieces[piece][at : at + ROW]


def _row(table, index):
    return memoryview(table)[index * ROW : (index + 1) * ROW]


def _invert():
    """_T0 = 1 / _T0."""
    put(_T0, inverse(get(_T0)[0], P) * R_SQUARED % P)


def _units(x, y, count, doublings):
    """The point times 1, 2^d, 2^(2d) ... for d doublings: `count` rows, affine.

    Until they are affine, row j is x and y, and row j of `kept` what is kept and z.
    """
    units, kept = bytearray(count * ROW), bytearray(count * ROW)
    put(_X, x * R % P, y * R % P)
    load(_Z, 0, ONE, w)
    load(_KEPT, 0, ONE, w)
    for j in range(count):
        run(_DOUBLE, doublings if j else 0, w)
        save(j, _X, units, w)
        run(_KEEP_Z, 1, w)
        save(j, _T0, kept, w)
    run(_ALL_KEPT, 1, w)
    _invert()
    for j in range(count - 1, -1, -1):
        load(_X, j, units, w)
        load(_T2, j, kept, w)
        run(_TAKE, 1, w)
        run(_AFFINE, 1, w)
        save(j, _QX, units, w)
    return units


def _branches(table, units, chosen):
    """From row 0 on, all sums of it and of some units, each of them added or subtracted: bit i of the row for unit i."""
    for bit, unit in enumerate(chosen):
        load(_QX, unit, units, w)
        _branch(table, 1 << bit)


def _branch(table, rows):
    """Rows [0, rows) are some points T. Make them T - Q, and the rows after them, as many, T + Q, where Q is q.

    A row that will be T + Q holds, meanwhile, what is kept and the divisor, d = qx - tx. No d is 0: all are multiples
    of one point by numbers of less than 242 bits, and two such have the same x only if they are equal or add up to 0.
    """
    load(_T0, 0, ONE, w)
    for i in range(rows):
        load(_X, i, table, w)
        run(_DIFFERENCE, 1, w)
        save(rows + i, _T0, table, w)
        run(_KEEP_DIFFERENCE, 1, w)
    _invert()
    for i in range(rows - 1, -1, -1):
        load(_T2, rows + i, table, w)
        run(_TAKE, 1, w)
        load(_X, i, table, w)
        run(_PLUS, 1, w)
        save(rows + i, _SUM, table, w)
        run(_MINUS, 1, w)
        save(i, _SUM, table, w)
