"""ECDSA over NIST P-256 and SHA-256: FIPS 186-5, section 6.4; SEC 1, section 2.3 (encodings); RFC 6979 (the nonce).

Multiples of points are found by srup.p256_comb, on a kernel in native code, where one for this processor is installed; by
srup.p256_reference, which needs nothing but Python's integers, elsewhere. KERNEL says which it is.

Timing. Verification handles only public values. Signing keeps what can be measured apart from the secret: the operations
on points are the same for all nonces, the base point is another triple of the same point each time, and not the nonce is
inverted, but a multiple of it. These masks are new for each signature if `random` is given; without it they are still
secret, but the same for the same digest. The nonce, RFC 6979's, needs no `random`. docs/p256.md says what still varies.
"""

from srup.errors import BadSignature, InvalidKey
from srup.p256_nonce import masks, nonces

try:
    # First what the other one imports: on a chip, imports within imports fill the stack.
    from srup import p256_kernel  # isort: skip
    from srup import p256_comb
except (ImportError, SyntaxError, ValueError):  # no kernel; no compiler for its source; made for another processor
    p256_comb = p256_kernel = None

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_HALF_N = N >> 1

KERNEL = p256_kernel.KERNEL if p256_kernel else "reference"


def verify(public_key, digest, signature, table=None):
    """Return if `signature` is one of the owner of `public_key` over `digest`; otherwise raise (FIPS 186-5, 6.4.2).

    public_key: 65 bytes, SEC 1 uncompressed. digest: 32 bytes, SHA-256 of the message. signature: 64 bytes, r then s.
    table: what `table` gives for this key, to save time.
    Raises InvalidKey (as `check_public_key`, or for another key's table); BadSignature for a wrong length, r or s outside
    [1, n - 1], or no match. Either of the two values of s is good here: see `is_low_s`.
    """
    if table and table.public_key != public_key:
        raise InvalidKey("table")
    q = None if table else check_public_key(public_key)
    if len(digest) != 32 or len(signature) != 64:
        raise BadSignature("length")
    r, s = _int(signature[:32]), _int(signature[32:])
    if not (0 < r < N and 0 < s < N):  # step 1
        raise BadSignature("r or s out of range")
    w = _reciprocal(s)  # steps 2 to 4
    x, zz = _sum_of_two(_int(digest) * w % N, r * w % N, public_key, q, table)  # steps 5 and 6
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
    secrets = masks(private_key, digest, random)
    for k in nonces(private_key, e.to_bytes(32, "big")):  # step 3
        r = _multiple(k, secrets)[0] % N  # steps 5 to 7
        m = next(secrets)
        s = _reciprocal(k * m % N) * (m * e + m * r % N * d) % N  # steps 4 and 8: (e + r d) / k, both times m
        if r and s:  # step 10
            return _join(r, s if s <= _HALF_N else N - s)


def public_key(private_key, random=None):
    """The public key, 65 bytes, SEC 1 uncompressed, of `private_key`. Arguments and errors as for `sign`."""
    x, y = _multiple(_private_scalar(private_key), masks(private_key, b"", random))
    return b"\x04" + _join(x, y)


def shared_secret(private_key, public_key, random=None):
    """ECDH (SP 800-56A, 5.7.1.2): 32 bytes, x of the private key times the public. Arguments and errors as for `sign` and
    `check_public_key`. It is no key yet: hash it."""
    k, q = _private_scalar(private_key), check_public_key(public_key)
    return _multiple(k, masks(private_key, public_key, random), q)[0].to_bytes(32, "big")


def check_public_key(public_key):
    """Return the point, (x, y), if it is one of the curve (SEC 1, 2.3.4 and 3.2.2.1); otherwise raise InvalidKey.

    public_key: 65 bytes, SEC 1 uncompressed. No more is to be checked, as the curve has prime order.
    """
    if len(public_key) != 65 or public_key[0] != 4:
        raise InvalidKey("not SEC 1 uncompressed")
    x, y = _int(public_key[1:33]), _int(public_key[33:])
    if x >= P or y >= P or not _on_curve(x, y):
        raise InvalidKey("not on the curve")
    return x, y


def _on_curve(x, y):
    return not (y * y - x * x * x + 3 * x - B) % P


def is_low_s(signature):
    """True if s <= n/2, of 64 bytes, r then s. Both (r, s) and (r, n - s) verify; the low one is what `sign` makes."""
    return _int(signature[32:]) <= _HALF_N


def keep_tables(folder, in_memory=False):
    """Keep tables in a file in `folder`, and let go of those there are. in_memory: use copies of them, 16 KB each, which is
    faster."""
    global _place
    _place = [folder, in_memory, None]
    _combs.clear()


def keeps_tables():
    """True once `keep_tables` has said where."""
    return bool(p256_comb and _place[0])


def table(public_key, make=True):
    """What makes it faster to verify signatures of this key; None where there is no kernel or no folder for tables.

    It is found in the folder, or, if `make`, made and kept there, which takes as long as a dozen verifications. Raises
    InvalidKey as `check_public_key`, OSError where it can't be written.
    """
    check_public_key(public_key)
    return _comb(bytes(public_key), make) if p256_comb else None


def prepare(public_key, used):
    """Generator: make this key's table in the folder, in 16 steps; nothing where there is no kernel or no folder.

    used: public keys whose tables are to stay. A table that a cut left half made is no table. Raises as `table`.
    """
    if keeps_tables():
        from srup.p256_files import making

        p256_comb.let_go("p256_files")
        yield from making(bytes(public_key), _place, used)


# The combs in use, by public key; that of G is by b"". And their place: the folder, if they are to be in memory, and the file
# in that folder, once it is open to have rows read from it.
_combs = {}
_place = ["", False, None]


def _comb(public_key, make=True):
    """The comb of a public key, which has been checked, or for b"" that of G, from wherever it is. None where no place is
    set, or it is not there and not to be made; but that of G is made in any case, if need be in memory."""
    if public_key not in _combs:
        from srup.p256_files import found

        comb = found(public_key, _place, _combs, make)
        p256_comb.let_go("p256_files")
        if not comb:
            return None
        comb.public_key = public_key
        _combs[public_key] = comb
    return _combs[public_key]


def _small_comb(x, y):
    """That of a point that nothing is kept of: 4 teeth, 8 rows."""
    from srup.p256_build import build

    p256_comb.let_go("p256_build")
    return p256_comb.Comb(next(build(x, y, 4, 1)), 4, 1)


# With a kernel or without -----------------------------------------------------------------------------------------------


def _reference():
    """Imported where it is needed, as most of the time it is not."""
    from srup import p256_reference

    return p256_reference


def _reciprocal(a):
    """1/a mod N."""
    return p256_comb.inverse(a, N) if p256_comb else _reference().inverse(a, N)


def _sum_of_two(u, v, public_key, q, table):
    """u * G + v * q: its x * z^2 and z^2, mod P, for any z. q: the point of the key, or None where there is a table."""
    if p256_comb:
        found = p256_comb.pair(v, u, table or _small_comb(*q), _comb(b""))
        if found:
            return found
    return _reference().sum_of_two(u, v, (q or check_public_key(public_key)) + (1,))


def _multiple(k, secrets, q=None):
    """k * q, or k * G, as affine x, y, for a secret k in [1, n - 1].

    A row of a table that broke after its checksum was looked at would make another r for the same nonce, and two such
    signatures show the private key. But it makes a point beside the curve, and then the reference finds the right one.
    """
    if p256_comb:
        found = p256_comb.multiple(k, _small_comb(*q) if q else _comb(b""), next(secrets))
        if found and _on_curve(*found):
            return found
    return _reference().multiple(k, secrets, q and q + (1,))


# Numbers and octets -----------------------------------------------------------------------------------------------------


def _int(octets):
    return int.from_bytes(octets, "big")


def _join(a, b):
    return a.to_bytes(32, "big") + b.to_bytes(32, "big")


def _private_scalar(private_key):
    d = _int(private_key)
    if len(private_key) != 32 or not 0 < d < N:
        raise InvalidKey("private key")
    return d
