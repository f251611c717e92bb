"""ECDSA over NIST P-256 and SHA-256, in portable big-integer Python: the reference.

It runs wherever Python does and reads like the standards: FIPS 186-5 section 6.4 (ECDSA), SP 800-186 section 3.2.1.3
(the curve), SEC 1 section 2.3 (encodings), RFC 6979 section 3.2 (the nonce). Numbers are plain integers, reduced with
`%`: a reduction made for the form of P is slower on MicroPython's integers.

Points are Jacobian: (x, y, z), reduced mod P, is the affine point (x/z^2, y/z^3), and z = 0 is the point at infinity.
`_add` and `_double` are right for all points of the curve.

Timing. How long Python's integer operations take depends on the values, so nothing here is constant time. Verification
handles only public values. Signing keeps what can be measured apart from the secret: the sequence of curve operations
is the same for all scalars; a scalar is replaced by a congruent one, and the base point by another triple of the same
point; not the nonce is inverted, but a multiple of it. These three masks are new for each signature if `random` is
given; without it they are still secret, but the same for the same digest. The nonce, RFC 6979's, needs no `random`.

Where srup.p256_comb can be imported, it takes multiples of points and inverses over, and all else stays as it is:
IMPLEMENTATION says which it is. Its operations on limbs take the same time for all values. It does not replace scalars,
so which rows of a table it reads, from RAM, is the nonce's; the other two masks are the same.
"""

from array import array

try:
    from uhashlib import sha256  # the firmware's own, even where micropython-lib's package hides it under `hashlib`
except ImportError:
    from hashlib import sha256

from srup.errors import BadSignature, InvalidKey

try:
    from srup import p256_comb as _comb

    IMPLEMENTATION = "viper"
except (ImportError, SyntaxError, ValueError):  # no p256_field; no compiler for its source; made for another processor
    _comb = None
    IMPLEMENTATION = "reference"

# y^2 = x^3 - 3x + B over the integers mod the prime P; G = (GX, GY) generates its N points, and N is prime.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

_INFINITY = (1, 1, 0)
_multiples_of_g = []  # [G, 3G, ... 15G], made when first needed
_combs_of_g = []  # likewise: the only one


def verify(public_key, digest, signature, table=None):
    """Return if `signature` is one of the owner of `public_key` over `digest`; otherwise raise (FIPS 186-5, 6.4.2).

    public_key: 65 bytes, SEC 1 uncompressed. digest: 32 bytes, SHA-256 of the message. signature: 64 bytes, r then s.
    table: what `open_table` made for this key, to save time.
    Raises InvalidKey (as `check_public_key`, or for another key's table); BadSignature for a wrong length, r or s outside
    [1, n - 1], or no match. Either of the two values of s is good here: see `is_low_s`.
    """
    q = check_public_key(public_key)
    if len(digest) != 32 or len(signature) != 64:
        raise BadSignature("length")
    r, s = _int(signature[:32]), _int(signature[32:])
    if not (0 < r < N and 0 < s < N):  # step 1
        raise BadSignature("r or s out of range")
    e = _int(digest)  # steps 2 and 3
    w = _reciprocal(s)  # step 4
    u, v = e * w % N, r * w % N  # step 5
    x, zz = _sum_of_two(u, v, q, _rows(public_key, table))  # step 6
    if not zz:  # without this, 0 == 0 below would accept it
        raise BadSignature("point at infinity")
    # Steps 7 and 8 without a division: x/z^2 mod P is r, or is r + N where that is still below P.
    if x != r * zz % P and not (r + N < P and x == (r + N) * zz % P):
        raise BadSignature("does not match")


def sign(private_key, digest, random=None):
    """The signature of `digest`: 64 bytes, r and s, with s <= n/2 (FIPS 186-5, 6.4.1, nonce of RFC 6979).

    private_key: 32 bytes, big-endian. digest: 32 bytes, SHA-256 of the message. random(n): n random bytes, to mask the
    computation (`os.urandom`); the signature does not depend on it.
    Raises InvalidKey for a private key of another length or outside [1, n - 1]; ValueError for another digest length.
    """
    d = _private_scalar(private_key)
    if len(digest) != 32:
        raise ValueError("digest length")
    e = _int(digest) % N  # steps 1 and 2
    masks = _masks(private_key, digest, random)
    for k in _scalars(private_key, e.to_bytes(32, "big")):  # step 3
        r = _multiple_of_g(k, masks)[0] % N  # steps 5 to 7
        m = next(masks)
        s = _reciprocal(k * m % N) * (m * e + m * r % N * d) % N  # steps 4 and 8: (e + r d) / k, both times m
        if r and s:  # step 10
            return _join(r, min(s, N - s))


def public_key(private_key, random=None):
    """The public key, 65 bytes, SEC 1 uncompressed, of `private_key`. Arguments and errors as for `sign`."""
    x, y = _multiple_of_g(_private_scalar(private_key), _masks(private_key, b"", random))
    return b"\x04" + _join(x, y)


def check_public_key(public_key):
    """Return the point, (x, y, 1), if it is one of the curve (SEC 1, 2.3.4 and 3.2.2.1); otherwise raise InvalidKey.

    public_key: 65 bytes, SEC 1 uncompressed. No more is to be checked, as the curve has prime order.
    """
    if len(public_key) != 65 or public_key[0] != 4:
        raise InvalidKey("not SEC 1 uncompressed")
    x, y = _int(public_key[1:33]), _int(public_key[33:])
    if x >= P or y >= P or (y * y - x * x * x + 3 * x - B) % P:
        raise InvalidKey("not on the curve")
    return x, y, 1


def prepare(public_key):
    """What makes it faster to verify signatures of this key, to be stored: 10,272 bytes; or, for the reference, none.

    A comb (see srup.p256_comb), then the SHA-256 of public key and comb. Raises InvalidKey as `check_public_key`.
    """
    x, y, _ = check_public_key(public_key)
    if not _comb:
        return b""
    comb = _comb.build(x, y)
    return comb + _checksum(public_key, comb)


def open_table(public_key, stored):
    """`stored`, which `prepare` made of this key, for `verify`, as a copy; None for none.

    Raises InvalidKey if it is another key's, or not what was made: then prepare it again. The checksum finds what broke,
    not who broke it: keep it where the key is, as it decides what is good no less.
    """
    if not stored or not _comb:
        return None
    comb, checksum = memoryview(stored)[:-32], memoryview(stored)[-32:]
    if len(stored) != 10_272 or _checksum(public_key, comb) != checksum:
        raise InvalidKey("table")
    return bytes(public_key), bytes(comb)


def is_low_s(signature):
    """True if s <= n/2, of 64 bytes, r then s. Both (r, s) and (r, n - s) verify; the low one is what `sign` makes."""
    return _int(signature[32:]) <= N >> 1


def _checksum(public_key, comb):
    checksum = sha256(public_key)
    checksum.update(comb)
    return checksum.digest()


def _rows(public_key, table):
    """The comb in a table, or None."""
    if table and table[0] != public_key:
        raise InvalidKey("table")
    return table[1] if table else None


def _int(octets):
    return int.from_bytes(octets, "big")


def _join(a, b):
    return a.to_bytes(32, "big") + b.to_bytes(32, "big")


def _private_scalar(private_key):
    d = _int(private_key)
    if len(private_key) != 32 or not 0 < d < N:
        raise InvalidKey("private key")
    return d


def _inverse(a, m):
    """1/a mod m, for a prime m and 0 < a < m, by extended Euclid: on MicroPython far faster than pow(a, m - 2, m)."""
    b, u, v = m, 1, 0  # all along a = u * a0 and b = v * a0, mod m
    while a:
        q, rest = divmod(b, a)
        a, b = rest, a
        u, v = v - q * u, u
    return v % m


def _reciprocal(a):
    """1/a mod N."""
    return _comb.inverse(a, N) if _comb else _inverse(a, N)


def _double(p):
    """2p ("dbl-2001-b"). No point has y = 0, for that would be one of order 2."""
    x, y, z = p
    zz, yy = z * z % P, y * y % P
    b = 4 * x * yy % P
    a = 3 * (x - zz) * (x + zz) % P
    x3 = (a * a - 2 * b) % P
    return x3, (a * (b - x3) - 8 * yy * yy) % P, 2 * y * z % P


def _add(p, q):
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
        return _double(p) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def _affine(p):
    """The same point with z = 1. Not for infinity."""
    x, y, z = p
    w = _inverse(z, P)
    ww = w * w % P
    return x * ww % P, y * ww * w % P, 1


# Multiples of points. A scalar becomes digits, each 0 or odd and in [-15, 15], such that it is the sum of
# digits[i] * 2^i; a point becomes the table of its odd multiples [p, 3p, ... 15p].


def _odd_multiples(p):
    twice = _double(p)
    table = [p]
    for _ in range(7):
        table.append(_add(table[-1], twice))
    return table


def _table_of_g():
    if not _multiples_of_g:
        _multiples_of_g[:] = [_affine(p) for p in _odd_multiples((GX, GY, 1))]  # with z = 1 they are added faster
    return _multiples_of_g


def _pick(table, digit):
    x, y, z = table[abs(digit) >> 1]
    return (x, y, z) if digit > 0 else (x, P - y, z)


def _sparse_digits(k):
    """wNAF of width 5, for 0 <= k < 2^256: of any five digits in a row at most one is not 0."""
    digits = array("b", bytes(257))
    for i in range(257):
        if k & 1:
            digits[i] = ((k + 16) & 31) - 16
            k -= digits[i]
        k >>= 1
    return digits


def _regular_digits(k):
    """Joye and Tunstall, for any odd k < 2^320: each fourth digit is not 0. Returns digits 0 to 315, and digit 316."""
    digits = array("b", bytes(316))
    for i in range(0, 316, 4):
        digits[i] = (k & 31) - 16
        k = (k - digits[i]) >> 4
    return digits, k


def _sum_of_two(u, v, q, comb):
    """u * G + v * q: its x * z^2 and z^2, mod P, for any z. comb: the one of q, or None."""
    found = _comb and _comb.pair(u, v, _comb_of_g(), comb or _comb.build(q[0], q[1], 4))
    if not found:
        terms = (_sparse_digits(u), _table_of_g()), (_sparse_digits(v), _odd_multiples(q))
        x, _, z = _sum(_INFINITY, terms)
        found = x, z * z % P
    return found


def _comb_of_g():
    if not _combs_of_g:
        _combs_of_g.append(_comb.build(GX, GY))
    return _combs_of_g[0]


def _sum(start, terms):
    """2^len(digits) * `start` + the sum of terms (digits, table), doubling once for all of them (Shamir's trick)."""
    total = start
    for i in range(len(terms[0][0]) - 1, -1, -1):
        total = _double(total)
        for digits, table in terms:
            if digits[i]:
                total = _add(total, _pick(table, digits[i]))
    return total


def _multiple_of_g(k, masks):
    """k * G as affine x, y, for a secret k in [1, n - 1]."""
    return (_comb and _comb.multiple(k, _comb_of_g(), next(masks))) or _multiply_g(k, masks)[:2]


def _multiply_g(k, masks):
    """k * G, affine, for a secret k in [1, n - 1]. The curve operations are the same for all but 30 k at either end."""
    k += (next(masks) & 0x7FFFFFFFFFFFFFFF) * N  # the same multiple of G, as N * G is infinity
    k += 0 if k & 1 else N
    digits, top = _regular_digits(k)
    x, y, _ = _pick(_table_of_g(), top)
    z = next(masks)
    return _affine(_sum((x * z * z % P, y * z * z * z % P, z), ((digits, _table_of_g()),)))


def _hmac(key, message):
    """HMAC-SHA-256 (RFC 2104), key of 32 bytes."""
    inner = sha256(_xor(key, b"\x36" * 32) + b"\x36" * 32)
    inner.update(message)
    return sha256(_xor(key, b"\x5c" * 32) + b"\x5c" * 32 + inner.digest()).digest()


def _xor(a, b):
    """Of 32 bytes each; as numbers, for byte by byte it would take longer than the hashing."""
    return (_int(a) ^ _int(b)).to_bytes(32, "big")


def _scalars(secret, seed):
    """Yield numbers in [1, n - 1] as RFC 6979, section 3.2 makes them, out of two strings of 32 bytes."""
    key, value = bytes(32), b"\x01" * 32  # steps b and c
    for step in (b"\x00", b"\x01"):  # steps d to g
        key = _hmac(key, value + step + secret + seed)
        value = _hmac(key, value)
    while True:  # step h
        value = _hmac(key, value)
        if 0 < _int(value) < N:
            yield _int(value)
        key = _hmac(key, value + b"\x00")
        value = _hmac(key, value)


def _masks(private_key, digest, random):
    """Yield numbers in [1, n - 1], new ones at each call if `random` is given, and secret even if that is stuck."""
    return _scalars(private_key, sha256((random(32) if random else b"") + digest).digest())
