"""srup.p256 against NIST's vectors, OpenSSL (through `cryptography`) and `ecdsa`, on CPython and on MicroPython.

Of random keys, digests and signatures each run checks 20,000 against `cryptography`, half of them made there and half of them here,
and as many that were tampered with, where it is fastest: on MicroPython with native code. Elsewhere it is a sample, of 150 each;
SRUP_CROSS_CHECKS in the environment is another number, for all. `ecdsa`, in pure Python, takes part in the first 250.
"""

import os
import random
import re
import tempfile
from hashlib import sha256
from pathlib import Path

import cryptography_vectors
import ecdsa
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from srup import p256
from tests import evidence
from tests.host.p256_oracle import answer
from tests.unit.on_micropython import run

ASKED = os.environ.get("SRUP_CROSS_CHECKS")
CHECKS = int(ASKED or 150)
FASTEST = int(ASKED or 10_000)
WITH_ECDSA = 250
pytestmark = pytest.mark.timeout(300 + max(CHECKS, FASTEST) // 10)
ORACLE = Path(__file__).with_name("p256_oracle.py")
N, P = p256.N, p256.P
REFUSED = {"BadSignature", "InvalidKey"}


def on_cpython(questions):
    return [answer(question) for question in questions]


def on_micropython(questions, *arguments):
    timeout = 60 + len(questions) / 10
    return run(ORACLE, *arguments, stdin="\n".join(questions), timeout=timeout, native=True).split()


def with_tables(questions):
    """In files, which are made for each key: that takes long."""
    with tempfile.TemporaryDirectory() as folder:
        return on_micropython(questions, "tables", folder)


def with_tables_in_memory(questions):
    with tempfile.TemporaryDirectory() as folder:
        return on_micropython(questions, "memory", folder)


def without_kernel(questions):
    return on_micropython(questions, "reference")


@pytest.fixture(params=[on_cpython, on_micropython, with_tables, with_tables_in_memory, without_kernel])
def ask(request):
    """Puts questions (see `p256_oracle`) to srup.p256, each a tuple of a function's name and its arguments."""
    return lambda questions: request.param([",".join([name, *(a.hex() for a in args)]) for name, *args in questions])


@pytest.fixture
def checks(request):
    """How many random ones."""
    return FASTEST if request.node.callspec.params["ask"] is on_micropython else CHECKS


def octets(*numbers):
    return b"".join(number.to_bytes(32, "big") for number in numbers)


# The others: each signs a digest with a private number, and says if (public key, digest, signature) is good -----------

PREHASHED = Prehashed(SHA256())


def openssl_sign(d, digest, deterministic=False):
    algorithm = ec.ECDSA(PREHASHED, deterministic_signing=deterministic)
    return octets(*decode_dss_signature(ec.derive_private_key(d, ec.SECP256R1()).sign(digest, algorithm)))


def openssl_accepts(public_key, digest, signature):
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(PREHASHED))
    except (InvalidSignature, ValueError):
        return False
    return True


def openssl_public_key(d):
    key = ec.derive_private_key(d, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def ecdsa_sign(d, digest):
    return ecdsa.SigningKey.from_secret_exponent(d, ecdsa.NIST256p).sign_digest(digest)


def ecdsa_accepts(public_key, digest, signature):
    try:
        key = ecdsa.VerifyingKey.from_string(public_key, ecdsa.NIST256p, valid_encodings=["uncompressed"])
        return key.verify_digest(signature, digest)
    except (ecdsa.BadSignatureError, ecdsa.errors.MalformedPointError):
        return False


def tampered(rng, *fields):
    """The fields with one bit of one of them flipped."""
    fields = [bytearray(field) for field in fields]
    bit = rng.randrange(8 * len(field := rng.choice(fields)))
    field[bit // 8] ^= 1 << bit % 8
    return [bytes(field) for field in fields]


# NIST's vectors: CAVP, FIPS 186-3 and later ---------------------------------------------------------------------------


def nist(name, section):
    """The records of one section of a file, each a dict of its `name = value` lines."""
    with cryptography_vectors.open_vector_file(f"asymmetric/ECDSA/FIPS_186-3/{name}", "r") as file:
        text = file.read().split(f"[{section}]\n", 1)[1].split("\n[P-", 1)[0].split("\n[K-", 1)[0]
    records = (re.findall(r"^(\w+) = (.*)$", record, re.MULTILINE) for record in text.split("\n\n"))
    return [dict(record) for record in records if "Qx" in dict(record)]


def nist_point(record):
    x, y = int(record["Qx"], 16), int(record["Qy"], 16)
    return b"\x04" + octets(x, y) if max(x, y) < 2**256 else b"\x04" + x.to_bytes(33, "big") + y.to_bytes(33, "big")


def nist_signature(record):
    signature = octets(int(record["R"], 16), int(record["S"], 16))
    return ("verify", nist_point(record), sha256(bytes.fromhex(record["Msg"])).digest(), signature)


def test_nist_signatures(ask):
    records = nist("SigVer.rsp", "P-256,SHA-256") + nist("SigGen.txt", "P-256,SHA-256")
    assert len(records) == 30
    for record, got in zip(records, ask(map(nist_signature, records)), strict=True):
        good = record.get("Result", "P").startswith("P")
        assert got == "ok" if good else got in REFUSED, record


def test_nist_public_keys(ask):
    records = nist("PKV.rsp", "P-256")
    assert len(records) == 12
    answers = ask(("check_public_key", nist_point(record)) for record in records)
    for record, got in zip(records, answers, strict=True):
        assert got == ("ok" if record["Result"].startswith("P") else "InvalidKey"), record


def test_nist_key_pairs(ask):
    records = nist("KeyPair.rsp", "P-256") + nist("SigGen.txt", "P-256,SHA-256")
    assert len(records) == 25
    answers = ask(("public_key", bytes.fromhex(record["d"])) for record in records)
    assert answers == [nist_point(record).hex() for record in records]


# Random keys and digests ----------------------------------------------------------------------------------------------


def test_what_they_sign(ask, checks):
    rng = random.Random(1)
    cases = []
    for i in range(checks):
        d, digest = rng.randrange(1, N), rng.randbytes(32)
        cases.append((openssl_public_key(d), digest, (openssl_sign, ecdsa_sign)[i % 2 and i < WITH_ECDSA](d, digest)))
    assert ask(("verify", *case) for case in cases) == ["ok"] * checks
    cases = [tampered(rng, *case) for case in cases]
    refused = ask(("verify", *case) for case in cases)
    assert len(refused) == checks and set(refused) <= REFUSED
    assert not any(openssl_accepts(*case) for case in cases)
    assert not any(ecdsa_accepts(*case) for case in cases[:WITH_ECDSA])
    if checks >= 10_000:
        evidence.record("crosschecks", line=f"OpenSSL's={checks} tampered={checks} agree={2 * checks}")


def test_what_we_sign(ask, checks):
    rng = random.Random(2)
    inputs = [(rng.randrange(1, N), rng.randbytes(32)) for _ in range(checks)]
    public_keys = [bytes.fromhex(key) for key in ask(("public_key", octets(d)) for d, _ in inputs)]
    signatures = [bytes.fromhex(got) for got in ask(("sign", octets(d), digest) for d, digest in inputs)]
    for i, ((d, digest), public_key, signature) in enumerate(zip(inputs, public_keys, signatures, strict=True)):
        assert public_key == openssl_public_key(d)
        accept = [openssl_accepts, ecdsa_accepts] if i < WITH_ECDSA else [openssl_accepts]
        changed = tampered(rng, public_key, digest, signature)
        assert [accepts(public_key, digest, signature) for accepts in accept] == [True] * len(accept)
        assert [accepts(*changed) for accepts in accept] == [False] * len(accept)


@settings(max_examples=CHECKS, deadline=None)
@given(st.integers(1, N - 1), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_we_sign_as_openssl_does(d, digest, mask):
    signature = openssl_sign(d, digest, deterministic=True)
    r, s = signature[:32], int.from_bytes(signature[32:], "big")
    assert p256.sign(octets(d), digest, lambda size: mask[:size]) == r + octets(min(s, N - s))


# Signatures made to order: choose the point R, r, s and the digest, and find the key that leads to R -----------------


def point_with_x(x):
    y_squared = (x**3 - 3 * x + p256.B) % P
    y = pow(y_squared, (P + 1) // 4, P)
    return ecdsa.ellipticcurve.PointJacobi(ecdsa.NIST256p.curve, x, y, 1, N) if y * y % P == y_squared else None


def key_for(point, r, s, e):
    """Q = (s R - e G) / r"""
    q = (point * s + ecdsa.NIST256p.generator * (-e % N)) * pow(r, -1, N)
    return b"\x04" + octets(q.x(), q.y())


def test_made_to_order(ask):
    small = next(point for x in range(1, 99) if (point := point_with_x(x)))
    beyond_n = next(point for x in range(N + 1, N + 99) if (point := point_with_x(x)))
    below_p = next(point for x in range(P - 1, P - 99, -1) if (point := point_with_x(x)))
    cases, expected = [], []
    for s in (1, 2, 2**128, N // 2, N - 2, N - 1):
        for e in (0, 1, N - 1, N, P, 2**256 - 1):
            for point in (small, beyond_n, below_p):
                cases.append((key_for(point, r := point.x() % N, s, e), octets(e), octets(r, s)))
                expected.append("ok")
            # r + N is x mod P, and no less wrong: x mod n is not r
            cases.append((key_for(small, r := small.x() + P - N, s, e), octets(e), octets(r, s)))
            expected.append("BadSignature")
    assert ask(("verify", *case) for case in cases) == expected
    assert [openssl_accepts(*case) for case in cases] == [answer == "ok" for answer in expected]
