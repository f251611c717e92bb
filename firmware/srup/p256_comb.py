"""Multiples of points of P-256 by signed combs, on the field arithmetic of a kernel in native/: not without one.

The comb of a point Q, with 8 teeth in 2 parts, is two tables: of the 128 multiples of Q by

    +-1 +-2^32 +-2^64 ... +-2^192 + 2^224

and the same of 2^16 Q, and with 15 doublings and 32 additions that is enough for any multiple. For k odd and below 2^256,
let c be the bits of (k + 2^256 - 1) / 2. Then k is the sum of (2 c[i] - 1) 2^i: each power of two is there once, added or
subtracted. Bits i, i + 32 ... i + 224 of c are digit i, a row of the first table if i < 16, or else of the second. Its
highest bit is the sign, the others, all turned over where that is minus, the row. An even k is replaced by n - k, and all
signs by the other ones. With 4 teeth, 64 apart, in one part, a comb has 8 rows and is soon made: for keys that nothing
was prepared for.

The running total is (X, Y, ZZ, ZZZ), which stands for the affine (X / ZZ, Y / ZZZ), where ZZ^3 = ZZZ^2. Formulas:
"dbl-2008-s-1" and "madd-2008-s" (https://hyperelliptic.org/EFD, XYZZ coordinates). The latter is wrong where both points
have the same x, and where one is infinity. It makes ZZ = 0 there, and ZZ stays 0 from then on. So **ZZ must be looked at
in the end**; where it is 0, the result has to be found in another way.
"""

import sys
from array import array

from micropython import const

import srup
from srup.p256_kernel import digits, inverse, load, run, save, walk, workspace

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

ROW = const(64)  # bytes of a row: x * R and y * R mod p, 32 bytes each, least first; R = 2^260
R = (1 << 260) % P
R_SQUARED = (1 << 520) % P

# Elements of the workspace: see srup.p256_formulas.
_X = const(1)
_ZZ = const(3)
_ZZZ = const(4)
_QX = const(5)
_T0 = const(7)
w = workspace(12)

_programs = {}


def let_go(name):
    """Forget a module of this package that is seldom needed: it takes no memory when nothing of it is in use any more.

    Entries get another value before they go, as MicroPython may keep that of one that went, and with it all that it holds.
    """
    if "srup." + name in sys.modules:
        sys.modules["srup." + name] = srup
        del sys.modules["srup." + name]
    if hasattr(srup, name):
        setattr(srup, name, None)
        delattr(srup, name)


def _formula(name, *arguments):
    """The program that the function of that name in srup.p256_formulas makes, kept."""
    key = (name,) + arguments if arguments else name
    if key not in _programs:
        from srup.p256_formulas import FORMULAS

        _programs[key] = FORMULAS[name](*arguments)
        let_go("p256_formulas")
    return _programs[key]


class Comb:
    """In memory: `table` has 2^(teeth - 1) rows for each part."""

    at_once = 64  # positions for which rows are there
    public_key = b""  # whose it is, if that is of interest

    def __init__(self, table, teeth=8, parts=2):
        self.parts = parts
        self.positions = 256 // teeth // parts
        self.digits = array("H", bytes(512 // teeth))  # of the scalar, the highest position first
        self.teeth = teeth
        self._at = 0
        self._found = [table, self.digits, 0]

    def begin(self, k):
        """Take this scalar apart, which is in [0, N), instead of the last one."""
        digits(k, N, self.teeth, self.parts, self.digits)
        self._at = 0

    def take(self, count):
        """(table, digits, at) for `walk`, which finds there what the next so many digits mean."""
        self._found[2] = self._at
        self._at += count
        return self._found


class Filed(Comb):
    """Of rows that are fetched from a file when they are needed: from `start` on, in that whose reader is the last of `place`.

    Raises OSError if they can't be.
    """

    at_once = 1

    def __init__(self, place, start):
        rows = bytearray(2 * ROW)
        Comb.__init__(self, rows)
        self._place = place
        self._start = start
        self._rows = memoryview(rows)[:ROW], memoryview(rows)[ROW:]
        self._chosen = array("H", bytes(4))
        self._found = [rows, self._chosen, 0]

    def take(self, count):
        file = self._place[-1]
        for i in range(count):
            digit = self.digits[self._at]
            file.seek(self._start + (digit & 0x7FFF) * ROW)
            file.readinto(self._rows[i])
            self._chosen[i] = digit & 0x8000 | i
            self._at += 1
        return self._found


def pair(u, v, first, second):
    """u U + v V of the points that the combs are of, two, for 0 <= u, v < N: (x, zz), two numbers, where the x of the sum is
    x / zz; or None: then find it in another way. first: the one with more positions, if they differ."""
    first.begin(u)
    second.begin(v)
    alone = first.positions - second.positions
    _begin(first)
    _go(1, first, None if alone else second, 1)
    _go(alone - 1, first)
    _go(second.positions - (not alone), first, second)
    zz = get(_ZZ)[0]
    return (get(_X)[0], zz) if zz else None  # both times R


def multiple(k, comb, mask):
    """The affine (x, y) of k times the comb's point, for a secret k in [1, N - 1]; or None, as for some tiny k: then
    find it in another way. mask: another secret in [1, P - 1], by which all z are multiplied.

    The operations on field elements are the same for all k and masks. Which rows are read is not, and numbers on their
    way to elements and back are Python's.
    """
    comb.begin(k)
    _begin(comb)
    put(_T0, mask)
    run(_formula("rescale"), 1, w)
    _go(1, comb, None, 1)
    _go(comb.positions - 1, comb)
    zzz = get(_ZZZ)[0]
    if not zzz:
        return None
    put(_T0, inverse(zzz, P) * R_SQUARED % P, 1)  # zzz is zzz R, and 1 / zzz is to be R / zzz
    run(_formula("affine"), 1, w)
    return get(_QX)


def _begin(comb):
    """The total = the first digit."""
    table, chosen, at = comb.take(1)
    load(_X, chosen[at], table, w)
    load(_ZZ, 0, ONE, w)


def _go(positions, first, second=None, begun=0):
    """Walk so many positions. begun: digits that `first` has already taken of the next."""
    parts_u, parts_v = first.parts, second.parts if second else 0
    steps = _formula("position", parts_u, parts_v)
    if begun:
        steps = memoryview(steps)[_formula("begun") :]
    while positions > 0:
        some = min(positions, first.at_once, second.at_once if second else 64)
        rows = first.take(some * parts_u - begun)
        walk(steps, some, w, rows, second.take(some * parts_v) if second else _NOTHING)
        positions -= some


def put(a, x, y=0):
    """Elements a and a + 1 = x / R and y / R, for numbers below P."""
    load(a, 0, (x | y << 256).to_bytes(ROW, "little"), w)


def get(a):
    """Elements a and a + 1, times R."""
    save(0, a, _row, w)
    return int.from_bytes(_x, "little"), int.from_bytes(_y, "little")


ONE = (R + (R << 256)).to_bytes(ROW, "little")  # a row: 1 and 1
_row = bytearray(ROW)
_x, _y = memoryview(_row)[:32], memoryview(_row)[32:]
_NOTHING = b"", array("H"), 0
