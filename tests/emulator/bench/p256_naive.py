"""What ECDSA takes as it is first written: affine points, a division for each addition, one bit at a time. Once: it is long."""

from hashlib import sha256

from stopwatch import cycles, show

from srup import p256
from srup.p256_reference import GX, GY, N, P, inverse


def add(p, q):
    """p + q; None is infinity."""
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] - 3) * inverse(2 * p[1] % P, P) % P
    else:
        slope = (q[1] - p[1]) * inverse((q[0] - p[0]) % P, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k, p):
    total = None
    while k:
        if k & 1:
            total = add(total, p)
        p = add(p, p)
        k >>= 1
    return total


def verify(q, digest, signature):
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    w = inverse(s, N)
    u = int.from_bytes(digest, "big") * w % N
    if add(times(u, (GX, GY)), times(r * w % N, q))[0] % N != r:
        raise ValueError("does not match")


private = sha256(b"bench").digest()
digest = sha256(b"message").digest()
signature = p256.sign(private, digest)
point = p256.check_public_key(p256.public_key(private))
show("p256_verify_naive_cycles", cycles(verify, point, digest, signature))
