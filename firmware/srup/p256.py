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
    from srup import p256_comb, p256_kernel, p256_table
except (ImportError, SyntaxError, ValueError):  # no kernel; no compiler for its source; made for another processor
    p256_comb = p256_kernel = p256_table = None

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
    q = _point(public_key, table)
    if len(digest) != 32 or len(signature) != 64:
        raise BadSignature("length")
    r, s = _int(signature[:32]), _int(signature[32:])
    if not (0 < r < N and 0 < s < N):  # step 1
        raise BadSignature("r or s out of range")
    w = _reciprocal(s)  # steps 2 to 4
    x, zz = _sum_of_two(_int(digest) * w % N, r * w % N, q, table)  # steps 5 and 6
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
        r = _multiple_of_g(k, secrets)[0] % N  # steps 5 to 7
        m = next(secrets)
        s = _reciprocal(k * m % N) * (m * e + m * r % N * d) % N  # steps 4 and 8: (e + r d) / k, both times m
        if r and s:  # step 10
            return _join(r, s if s <= _HALF_N else N - s)


def public_key(private_key, random=None):
    """The public key, 65 bytes, SEC 1 uncompressed, of `private_key`. Arguments and errors as for `sign`."""
    x, y = _multiple_of_g(_private_scalar(private_key), masks(private_key, b"", random))
    return b"\x04" + _join(x, y)


def shared_secret(private_key, public_key, random=None):
    """ECDH (SP 800-56A, 5.7.1.2): 32 bytes, x of the private key times the public. Arguments and errors as for `sign` and
    `check_public_key`. It is no key yet: hash it."""
    k, q = _private_scalar(private_key), check_public_key(public_key)
    return _multiple(k, q, masks(private_key, public_key, random))[0].to_bytes(32, "big")


def check_public_key(public_key):
    """Return the point, (x, y), if it is one of the curve (SEC 1, 2.3.4 and 3.2.2.1); otherwise raise InvalidKey.

    public_key: 65 bytes, SEC 1 uncompressed. No more is to be checked, as the curve has prime order.
    """
    if len(public_key) != 65 or public_key[0] != 4:
        raise InvalidKey("not SEC 1 uncompressed")
    x, y = _int(public_key[1:33]), _int(public_key[33:])
    if x >= P or y >= P or (y * y - x * x * x + 3 * x - B) % P:
        raise InvalidKey("not on the curve")
    return x, y


def is_low_s(signature):
    """True if s <= n/2, of 64 bytes, r then s. Both (r, s) and (r, n - s) verify; the low one is what `sign` makes."""
    return _int(signature[32:]) <= _HALF_N


def keep_tables(folder, in_memory=False):
    """Keep tables as files in `folder`, and close those that are open. in_memory: use copies of them, 16 KB each, which is
    faster."""
    if p256_comb:
        p256_table.keep(folder, in_memory)


def keeps_tables():
    """True once `keep_tables` has said where."""
    return bool(p256_table and p256_table.place[0])


def table(public_key):
    """What makes it faster to verify signatures of this key; None where there is no kernel or no folder for tables.

    It is found in the folder, or made and kept there, which takes as long as a dozen verifications. Raises InvalidKey as
    `check_public_key`, OSError where it can't be written.
    """
    check_public_key(public_key)
    return p256_table.of_key(bytes(public_key)) if p256_comb else None


# With a kernel or without -----------------------------------------------------------------------------------------------


def _reference():
    """Imported where it is needed, as most of the time it is not."""
    from srup import p256_reference

    return p256_reference


def _point(public_key, table):
    """The point; None where it is the table's, which no point but one of the curve has."""
    if not table:
        return check_public_key(public_key)
    if table.public_key != public_key:
        raise InvalidKey("table")
    return None


def _reciprocal(a):
    """1/a mod N."""
    return p256_comb.inverse(a, N) if p256_comb else _reference().inverse(a, N)


def _sum_of_two(u, v, q, table):
    """u * G + v * q: its x * z^2 and z^2, mod P, for any z."""
    if p256_comb:
        found = p256_comb.pair(v, u, table.comb if table else p256_table.small(*q), p256_table.of_g())
        if found:
            return found
    x, y = q or table.point()
    return _reference().sum_of_two(u, v, (x, y, 1))


def _multiple_of_g(k, secrets):
    """k * G as affine x, y, for a secret k in [1, n - 1]."""
    found = p256_comb and p256_comb.multiple(k, p256_table.of_g(), next(secrets))
    return found or _reference().multiple(k, secrets)


def _multiple(k, q, secrets):
    found = p256_comb and p256_comb.multiple(k, p256_table.small(*q), next(secrets))
    return found or _reference().multiple(k, secrets, q + (1,))


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
