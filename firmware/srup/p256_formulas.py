"""The steps of srup.p256_comb as operations of a kernel. It is imported to make programs of them, and let go.

Formulas: "dbl-2008-s-1" and "madd-2008-s" (https://hyperelliptic.org/EFD, XYZZ coordinates, a = -3).
"""

from micropython import const

from srup.p256_kernel import LIN, LOAD, MUL, SQR, program

# The elements of the workspace. (X, Y, ZZ, ZZZ): the running total; (QX, QY): the point to add.
_X = const(1)
_Y = const(2)
_ZZ = const(3)
_ZZZ = const(4)
_QX = const(5)
_QY = const(6)
_T0 = const(7)
_T1 = const(8)
_T2 = const(9)
_T3 = const(10)
_T4 = const(11)

# The total is doubled: 7 products, 2 squares.
_DOUBLE = (
    (LIN, _T3, _Y, 2),
    (SQR, _T1, _T3),  # v
    (MUL, _T3, _T3, _T1),  # w
    (MUL, _T2, _X, _T1),  # s
    (LIN, _T0, _ZZ, 1, -1, _X),
    (LIN, _T4, _T0, 3, 6, _X),
    (MUL, _T0, _T0, _T4),  # -m = (zz - x) 3 (zz + x)
    (SQR, _X, _T0, 0, -2, _T2),
    (LIN, _T2, _X, 1, -1, _T2),
    (MUL, _ZZ, _ZZ, _T1),
    (MUL, _ZZZ, _ZZZ, _T3),
    (MUL, _T3, _T3, _Y),
    (MUL, _Y, _T0, _T2, -1, _T3),  # -m (x - s) - w y
)

# q is added: 8 products, 2 squares.
_ADD = (
    (MUL, _T1, _QX, _ZZ, -1, _X),  # p
    (MUL, _T0, _QY, _ZZZ, -1, _Y),  # r
    (SQR, _T2, _T1),
    (MUL, _ZZ, _ZZ, _T2),
    (MUL, _T1, _T1, _T2),  # p^3
    (MUL, _ZZZ, _ZZZ, _T1),
    (MUL, _T2, _X, _T2),  # v = x p^2
    (SQR, _X, _T0, 0, -1, _T1),
    (LIN, _X, _X, 1, -2, _T2),  # r^2 - p^3 - 2v
    (LIN, _T2, _T2, 1, -1, _X),
    (MUL, _T1, _T1, _Y),
    (MUL, _Y, _T0, _T2, -1, _T1),  # r (v - x) - y p^3
)


def _position(parts_u, parts_v):
    """A position of two combs with so many parts: the total is doubled, and a row of each part added."""
    load_u, load_v = ((LOAD, _QX, 0),) + _ADD, ((LOAD, _QX, 1),) + _ADD
    return program(*_DOUBLE + load_u * parts_u + load_v * parts_v)


def _begun():
    """How much of a program that `_position` has made is to be left out where the total is the first row already."""
    return len(program(*_DOUBLE, (LOAD, _QX, 0), *_ADD)) - len(program())


def _rescale():
    """The total with other zz and zzz, from one where they are 1. _T0 is what their z is to be."""
    return program((SQR, _ZZ, _T0), (MUL, _ZZZ, _ZZ, _T0), (MUL, _X, _X, _ZZ), (MUL, _Y, _Y, _ZZZ))


def _affine():
    """q = the total, affine, and without R. _T0 is 1 / zzz, _T1 without R is 1."""
    return program(
        (MUL, _T2, _ZZ, _T0),
        (SQR, _T2, _T2),
        (MUL, _QX, _X, _T2),
        (MUL, _QY, _Y, _T0),
        (MUL, _QX, _QX, _T1),
        (MUL, _QY, _QY, _T1),
    )


FORMULAS = {"position": _position, "begun": _begun, "rescale": _rescale, "affine": _affine}
