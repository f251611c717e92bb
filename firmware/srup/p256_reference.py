"""Points of P-256 in portable big-integer Python: the reference, and what is right where a comb is not.

It reads like the standards: SP 800-186, section 3.2.1.3 (the curve). Numbers are plain integers, reduced with `%`: a
reduction made for the form of P is slower on MicroPython's integers.

Points are Jacobian: (x, y, z), reduced mod P, is the affine point (x/z^2, y/z^3), and z = 0 is the point at infinity.
`add` and `double` are right for all points of the curve.

How long Python's integer operations take depends on the values, so nothing here is constant time. `multiple` keeps what
can be measured apart from the secret: the sequence of curve operations is the same for all scalars; a scalar is replaced
by a congruent one, and the point by another triple of the same point.
"""

from array import array

# y^2 = x^3 - 3x + B over the integers mod the prime P; G = (GX, GY) generates its N points, and N is prime.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

INFINITY = (1, 1, 0)
_multiples_of_g = []  # [G, 3G, ... 15G], made when first needed


def inverse(a, m):
    """1/a mod m, for a prime m and 0 < a < m, by extended Euclid: on MicroPython far faster than pow(a, m - 2, m)."""
    b, u, v = m, 1, 0  # all along a = u * a0 and b = v * a0, mod m
    while a:
        q, rest = divmod(b, a)
        a, b = rest, a
        u, v = v - q * u, u
    return v % m


def double(p):
    """2p ("dbl-2001-b"). No point has y = 0, for that would be one of order 2."""
    x, y, z = p
    zz, yy = z * z % P, y * y % P
    b = 4 * x * yy % P
    a = 3 * (x - zz) * (x + zz) % P
    x3 = (a * a - 2 * b) % P
    return x3, (a * (b - x3) - 8 * yy * yy) % P, 2 * y * z % P


def add(p, q):
    """p + q ("add-1998-cmo-2"), with what that formula leaves out: infinity, p = q and p = -q."""
    x1, y1, z1 = p
    x2, y2, z2 = q
    if not z1:
        return q
    if not z2:
        return p
    zz1, zz2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * zz2 % P, x2 * zz1 % P
    s1, s2 = y1 * z2 * zz2 % P, y2 * z1 * zz1 % P
    if u1 == u2:
        return double(p) if s1 == s2 else INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def affine(p):
    """The same point with z = 1. Not for infinity."""
    x, y, z = p
    w = inverse(z, P)
    ww = w * w % P
    return x * ww % P, y * ww * w % P, 1


def sum_of_two(u, v, q):
    """u * G + v * q: its x * z^2 and z^2, mod P, for some z; 0 and 0 for infinity."""
    x, _, z = summed(INFINITY, ((sparse_digits(u), _table_of_g()), (sparse_digits(v), odd_multiples(q))))
    return x * (z > 0), z * z % P


def multiple(k, masks, q=None):
    """k * q, or k * G, as affine x and y, for a secret k in [1, n - 1] and two secrets in that range.

    The curve operations are the same for all but 30 k at either end.
    """
    table = odd_multiples(q) if q else _table_of_g()
    k += (next(masks) & 0x7FFFFFFFFFFFFFFF) * N  # the same multiple, as N * q is infinity
    k += 0 if k & 1 else N
    digits, top = regular_digits(k)
    x, y, z0 = _pick(table, top)
    z = next(masks)
    return affine(summed((x * z * z % P, y * z * z * z % P, z0 * z % P), ((digits, table),)))[:2]


# A scalar becomes digits, each 0 or odd and in [-15, 15], such that it is the sum of digits[i] * 2^i; a point becomes the
# table of its odd multiples [p, 3p, ... 15p].


def sparse_digits(k):
    """wNAF of width 5, for 0 <= k < 2^256: of any five digits in a row at most one is not 0."""
    digits = array("b", bytes(257))
    for i in range(257):
        if k & 1:
            digits[i] = ((k + 16) & 31) - 16
            k -= digits[i]
        k >>= 1
    return digits


def regular_digits(k):
    """Joye and Tunstall, for any odd k < 2^320: each fourth digit is not 0. Returns digits 0 to 315, and digit 316."""
    digits = array("b", bytes(316))
    for i in range(0, 316, 4):
        digits[i] = (k & 31) - 16
        k = (k - digits[i]) >> 4
    return digits, k


def odd_multiples(p):
    twice = double(p)
    table = [p]
    for _ in range(7):
        table.append(add(table[-1], twice))
    return table


def summed(start, terms):
    """2^len(digits) * `start` + the sum of terms (digits, table), doubling once for all of them (Shamir's trick)."""
    total = start
    for i in range(len(terms[0][0]) - 1, -1, -1):
        total = double(total)
        for digits, table in terms:
            if digits[i]:
                total = add(total, _pick(table, digits[i]))
    return total


def _table_of_g():
    if not _multiples_of_g:
        _multiples_of_g[:] = [affine(p) for p in odd_multiples((GX, GY, 1))]  # with z = 1 they are added faster
    return _multiples_of_g


def _pick(table, digit):
    x, y, z = table[abs(digit) >> 1]
    return (x, y, z) if digit > 0 else (x, P - y, z)
