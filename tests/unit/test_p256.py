import gc
import hashlib
import os

from srup import p256, p256_nonce, p256_reference
from srup.errors import BadSignature, InvalidKey
from tests.unit.check import raises
from tests.unit.scratch import Scratch

N, P = p256.N, p256.P
G = (p256_reference.GX, p256_reference.GY, 1)

# RFC 6979, A.2.5
KEY = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
PUBLIC_KEY = bytes.fromhex(
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
)
SIGNATURES = {
    b"sample": (
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    b"test": (
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
}


def octets(*numbers):
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def sha256(message):
    return hashlib.sha256(message).digest()


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


def stuck(octet):
    """A source of random bytes that has failed."""
    return lambda size: bytes([octet]) * size


def affine(point):
    return p256_reference.affine(point) if point[2] else None


def rescaled(point, z):
    return (point[0] * z * z % P, point[1] * z * z * z % P, point[2] * z % P)


def test_rfc_6979_vectors():
    assert p256.public_key(KEY) == PUBLIC_KEY
    for message, (r, s) in SIGNATURES.items():
        p256.verify(PUBLIC_KEY, sha256(message), octets(r, s))
        assert p256.sign(KEY, sha256(message)) == octets(r, min(s, N - s)), message


def test_candidates_for_the_nonce_that_are_out_of_range_are_passed_over():
    hmac = p256_nonce._hmac
    values = [
        0,
        N,
        2**256 - 1,
        N - 1,
        N + 1,
        1,
    ]  # what step h finds after steps d to g, each followed by a new key and value
    outputs = [bytes(32)] * 4
    for value in values:
        outputs += [octets(value), bytes(32), bytes(32)]
    p256_nonce._hmac = lambda pads, message: outputs.pop(0)
    try:
        scalars = p256_nonce.nonces(KEY, bytes(32))
        assert [next(scalars), next(scalars)] == [N - 1, 1]
    finally:
        p256_nonce._hmac = hmac


def test_both_values_of_s_verify_and_sign_makes_the_low_one():
    for message, (r, s) in SIGNATURES.items():
        low, high = octets(r, min(s, N - s)), octets(r, max(s, N - s))
        assert p256.is_low_s(low) and not p256.is_low_s(high), message
        p256.verify(PUBLIC_KEY, sha256(message), low)
        p256.verify(PUBLIC_KEY, sha256(message), high)
    assert p256.is_low_s(octets(1, N // 2)) and not p256.is_low_s(octets(1, N // 2 + 1))


def test_random_changes_the_computation_and_not_the_signature():
    digest = sha256(b"sample")
    plain = p256.sign(KEY, digest)
    for octet in (0x00, 0x5A, 0xFF):
        assert p256.sign(KEY, digest, stuck(octet)) == plain, octet
        assert p256.public_key(KEY, stuck(octet)) == PUBLIC_KEY, octet
    masks = [next(p256_nonce.masks(KEY, digest, random)) for random in (None, stuck(0), stuck(1))]
    assert len(set(masks)) == 3


def test_flipped_bits_are_refused():
    digest = sha256(b"sample")
    signature = p256.sign(KEY, digest)
    for bit in range(0, 512, 11):
        raises(BadSignature, p256.verify, PUBLIC_KEY, digest, flipped(signature, bit))
    for bit in range(0, 256, 11):
        raises(BadSignature, p256.verify, PUBLIC_KEY, flipped(digest, bit), signature)
    for bit in range(520):
        raises(InvalidKey, p256.verify, flipped(PUBLIC_KEY, bit), digest, signature)


def test_r_and_s_out_of_range():
    digest = sha256(b"sample")
    good = SIGNATURES[b"sample"]
    for bad in (0, N, N + 1, P, P + 1, 2**256 - 1):
        for r, s in ((bad, good[1]), (good[0], bad), (bad, 1), (1, bad), (bad, bad), (bad, N - 1), (N - 1, bad)):
            error = raises(BadSignature, p256.verify, PUBLIC_KEY, digest, octets(r, s))
            assert "range" in str(error), (r, s)
    for r in (1, N - 1):
        for s in (1, N - 1):  # in range, and no signature of anything here
            raises(BadSignature, p256.verify, PUBLIC_KEY, digest, octets(r, s))
            raises(BadSignature, p256.verify, PUBLIC_KEY, bytes(32), octets(r, s))


def test_the_point_at_infinity_is_no_match():
    for key, sign_of_key in ((1, 1), (N - 1, -1)):  # Q = G and Q = -G
        public_key = p256.public_key(octets(key))
        for e in (1, 2, 0x1234567890ABCDEF << 190):
            for s in (1, 7, N - 1):
                r = -sign_of_key * e % N  # e/s * G + r/s * Q = 0
                error = raises(BadSignature, p256.verify, public_key, octets(e), octets(r, s))
                assert "infinity" in str(error), (key, e, s)
                r = sign_of_key * e % N  # both summands are the same point
                error = raises(BadSignature, p256.verify, public_key, octets(e), octets(r, s))
                assert "match" in str(error), (key, e, s)


def test_private_keys_at_the_ends_of_the_range():
    digest = sha256(b"sample")
    for key in (1, 2, 3, 15, 16, 17, N // 2, N - 3, N - 2, N - 1):
        public_key = p256.public_key(octets(key))
        p256.verify(public_key, digest, p256.sign(octets(key), digest))
    assert p256.public_key(octets(1)) == b"\x04" + octets(p256_reference.GX, p256_reference.GY)
    assert p256.public_key(octets(N - 1)) == b"\x04" + octets(p256_reference.GX, P - p256_reference.GY)


def test_digests_that_are_0_mod_n_or_above_n():
    for digest, congruent in ((0, N), (1, N + 1), (2**256 - 1 - N, 2**256 - 1)):
        signature = p256.sign(KEY, octets(digest))
        assert signature == p256.sign(KEY, octets(congruent))
        p256.verify(PUBLIC_KEY, octets(digest), signature)
        p256.verify(PUBLIC_KEY, octets(congruent), signature)
        raises(BadSignature, p256.verify, PUBLIC_KEY, octets(digest + 1), signature)


def test_tables():
    """With one made for the key nothing changes; another key's is refused."""
    digest = sha256(b"sample")
    signature = p256.sign(KEY, digest)
    assert p256.table(PUBLIC_KEY) is None  # no place for it
    other = p256.public_key(octets(2))
    for in_memory in (False, True):
        with Tables(in_memory):
            table = p256.table(PUBLIC_KEY)
            assert bool(table) == (p256.KERNEL != "reference")
            p256.verify(PUBLIC_KEY, digest, signature, table)
            p256.verify(bytearray(PUBLIC_KEY), memoryview(digest), bytearray(signature), table)
            raises(BadSignature, p256.verify, PUBLIC_KEY, flipped(digest, 77), signature, table)
            raises(BadSignature, p256.verify, PUBLIC_KEY, digest, flipped(signature, 500), table)
            raises(InvalidKey, p256.table, flipped(PUBLIC_KEY, 9))
            assert p256.sign(KEY, digest) == signature  # with the table of G
            if table:
                raises(InvalidKey, p256.verify, other, digest, p256.sign(octets(2), digest), table)
                assert p256.table(PUBLIC_KEY) is table


SECTION = 16_384 + 64  # of the file: 256 rows, whose they are, a checksum


def test_a_table_that_broke_in_flash_is_found_and_made_anew():
    if p256.KERNEL == "reference":
        return
    with Tables() as root:
        p256.sign(KEY, bytes(32))
        p256.table(PUBLIC_KEY)
        path = root + "/p256.combs"
        good = checksum(path)
        assert os.stat(path)[6] == 2 * SECTION
        for at in (0, 16_383, 16_384, 16_415, 16_416, 16_447):
            for start in (0, SECTION):
                flip(path, start + at)
                assert checksum(path) != good
                check_made_anew(root, path, good)
        with open(path, "rb") as file:
            half = file.read(SECTION + SECTION // 2)
        for mode, contents in (
            ("wb", b""),
            ("wb", half[:99]),
            ("wb", half[: SECTION // 2]),
            ("wb", half),
            ("ab", b"\0"),
        ):
            with open(path, mode) as file:
                file.write(contents)
            check_made_anew(root, path, good)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        octet = file.read(1)[0]
        file.seek(at)
        file.write(bytes([octet ^ 1]))


def check_made_anew(root, path, good):
    p256.keep_tables(root)
    gc.collect()
    digest = sha256(b"sample")
    r, s = SIGNATURES[b"sample"]
    assert p256.sign(KEY, digest) == octets(r, N - s)
    p256.verify(PUBLIC_KEY, digest, octets(r, s), p256.table(PUBLIC_KEY))
    assert checksum(path, 2 * SECTION) == good


def test_tables_of_keys_that_are_not_in_use_make_room():
    if p256.KERNEL == "reference":
        return
    with Tables() as root:
        path = root + "/p256.combs"
        for key in (2, 3):
            p256.keep_tables(root)
            p256.sign(KEY, bytes(32))  # with the table of G, which stays
            of_g = checksum(path, SECTION)
            p256.table(p256.public_key(octets(key)))
            assert os.stat(path)[6] == 2 * SECTION and checksum(path, SECTION) == of_g
        p256.table(p256.public_key(octets(2)))  # that of 3 is in use
        assert os.stat(path)[6] == 3 * SECTION


def test_a_table_that_is_in_use_goes_on_while_another_is_made():
    """It is another section of the file that both have open."""
    with Tables():
        digest = sha256(b"sample")
        first = p256.table(PUBLIC_KEY)
        p256.verify(PUBLIC_KEY, digest, octets(*SIGNATURES[b"sample"]), first)
        other = p256.public_key(octets(5))
        p256.verify(other, digest, p256.sign(octets(5), digest), p256.table(other))
        p256.verify(PUBLIC_KEY, digest, octets(*SIGNATURES[b"sample"]), first)
        raises(BadSignature, p256.verify, PUBLIC_KEY, sha256(b"test"), octets(*SIGNATURES[b"sample"]), first)
        for steps in (1, 16, 99):
            making = p256.prepare(p256.public_key(octets(6)), [PUBLIC_KEY])
            for _ in range(steps):
                next(making, None)
                p256.verify(PUBLIC_KEY, digest, octets(*SIGNATURES[b"sample"]), first)
            making.close()
            p256.verify(PUBLIC_KEY, digest, octets(*SIGNATURES[b"sample"]), first)


def test_a_row_that_breaks_while_the_table_is_in_use_does_not_show_the_private_key():
    """Signatures with one nonce and two values of r would: none is made with a wrong r."""
    if p256.KERNEL == "reference":
        return
    digest = sha256(b"sample")
    with Tables():
        good = p256.sign(KEY, digest)
        p256._place[2] = rotten = Rotten(p256._place[2])
        found = p256.p256_comb.multiple(N // 3, p256._comb(b""), 5)
        assert found and found != p256_reference.multiple(N // 3, iter((1, 1)))
        assert p256.sign(KEY, digest) == good
        assert p256.public_key(KEY) == PUBLIC_KEY
        assert rotten.reads == 96


class Rotten:
    """A file in which one bit of whatever is read is another one."""

    def __init__(self, file):
        self.seek, self._readinto = file.seek, file.readinto
        self.reads = 0

    def readinto(self, row):
        self.reads += 1
        self._readinto(row)
        row[self.reads % 64] ^= 1 << self.reads % 8


def test_a_table_of_the_generator_as_a_key():
    """Q = G: both tables are of one point, and its scalars are two."""
    digest, one = sha256(b"sample"), octets(1)
    for in_memory in (False, True):
        with Tables(in_memory):
            public_key = p256.public_key(one)
            table = p256.table(public_key)
            signature = p256.sign(one, digest)
            p256.verify(public_key, digest, signature, table)
            raises(BadSignature, p256.verify, public_key, sha256(b"test"), signature, table)


def test_a_table_that_a_cut_left_half_made_is_none_and_is_made_from_the_start():
    if p256.KERNEL == "reference":
        return
    with Tables():
        assert p256.table(PUBLIC_KEY, False) is None
        half = p256.prepare(PUBLIC_KEY, [])
        for _ in range(9):
            next(half)
        half.close()
        assert p256.table(PUBLIC_KEY, False) is None
        assert len(list(p256.prepare(PUBLIC_KEY, []))) == 16
        p256.verify(PUBLIC_KEY, sha256(b"sample"), octets(*SIGNATURES[b"sample"]), p256.table(PUBLIC_KEY, False))
        other = p256.public_key(octets(2))
        list(p256.prepare(other, [PUBLIC_KEY]))
        assert p256.table(PUBLIC_KEY, False) and p256.table(other, False)


class Tables:
    """Kept in a folder of their own, while this lasts."""

    def __init__(self, in_memory=False):
        self._scratch = Scratch()
        self._in_memory = in_memory

    def __enter__(self):
        root = self._scratch.__enter__()
        p256.keep_tables(root, self._in_memory)
        return root

    def __exit__(self, *error):
        p256.keep_tables("")
        gc.collect()  # closes the files
        return self._scratch.__exit__(*error)


def test_a_shared_secret_is_the_same_on_both_sides():
    a, b = octets(0xA11CE << 200), octets(N - 5)
    of_a, of_b = p256.public_key(a), p256.public_key(b)
    assert p256.shared_secret(a, of_b) == p256.shared_secret(b, of_a, stuck(7))
    assert p256.shared_secret(octets(1), of_a) == of_a[1:33]  # 1 * A
    assert p256.shared_secret(octets(N - 1), of_a) == of_a[1:33]
    for private in (octets(0), octets(N), octets(1)[:31]):
        raises(InvalidKey, p256.shared_secret, private, of_a)
    for public in (flipped(of_a, 300), of_a[:64], b"\x04" + bytes(64)):
        raises(InvalidKey, p256.shared_secret, a, public)


def checksum(path, size=1 << 30):
    """Of so many bytes of a file, or all of it."""
    hashed = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(min(size, 1024)):
            hashed.update(piece)
            size -= len(piece)
    return hashed.digest()


def test_wrong_lengths():
    digest = sha256(b"sample")
    signature = p256.sign(KEY, digest)
    for length in (0, 1, 63, 65, 72, 128):
        error = raises(BadSignature, p256.verify, PUBLIC_KEY, digest, (signature + bytes(64))[:length])
        assert "length" in str(error), length
    for length in (0, 20, 31, 33, 64):
        error = raises(BadSignature, p256.verify, PUBLIC_KEY, (digest + bytes(32))[:length], signature)
        assert "length" in str(error), length
        raises(ValueError, p256.sign, KEY, (digest + bytes(32))[:length])
        raises(InvalidKey, p256.sign, (KEY + bytes(32))[:length], digest)
        raises(InvalidKey, p256.public_key, (bytes(32) + KEY)[:length])


def test_private_keys_out_of_range():
    for key in (0, N, N + 1, P, 2**256 - 1):
        raises(InvalidKey, p256.sign, octets(key), bytes(32))
        raises(InvalidKey, p256.public_key, octets(key))


def test_public_keys_that_are_none():
    x, y = PUBLIC_KEY[1:33], PUBLIC_KEY[33:]
    small_x, small_y = 5, 0x459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC  # on the curve
    p256.check_public_key(PUBLIC_KEY)
    p256.check_public_key(b"\x04" + octets(small_x, small_y))
    p256.check_public_key(b"\x04" + octets(0, 0x66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4))
    wrong = [
        b"",
        b"\x00",  # SEC 1's point at infinity
        PUBLIC_KEY[:64],
        PUBLIC_KEY[1:],
        PUBLIC_KEY + b"\x00",
        b"\x02" + x,  # compressed
        b"\x04" + bytes(64),
        b"\x04" + y + x,
        b"\x04" + octets(small_x + P, small_y),
        b"\x04" + octets(small_x, P),
        b"\x04" + octets(small_x, P + 1),
        b"\x04" + octets(2**256 - 1, 2**256 - 1),
    ]
    wrong += [bytes([prefix]) + x + y for prefix in (0, 1, 2, 3, 5, 6, 7, 0x84, 0xFF)]
    for public_key in wrong:
        raises(InvalidKey, p256.check_public_key, public_key)
        raises(InvalidKey, p256.verify, public_key, bytes(32), octets(1, 1))


def test_addition_is_complete():
    infinity = p256_reference.INFINITY
    multiples = [infinity]  # 0, G, 2G ...
    for _ in range(12):
        multiples.append(p256_reference.add(multiples[-1], G))
    minus = [(x, P - y, z) for x, y, z in multiples]
    for i in range(13):
        assert affine(p256_reference.double(multiples[i])) == affine(
            p256_reference.add(multiples[i], rescaled(multiples[i], i + 3))
        ), i
        assert affine(p256_reference.add(multiples[i], rescaled(minus[i], i + 3))) is None, i
        for j in range(13 - i):
            assert affine(p256_reference.add(multiples[i], rescaled(multiples[j], 5))) == affine(multiples[i + j]), (
                i,
                j,
            )
            assert affine(p256_reference.add(multiples[i + j], minus[j])) == affine(multiples[i]), (i, j)
    assert multiples[3][2] and affine(p256_reference.double(infinity)) is None


def test_inverse():
    for m in (N, P):
        for a in (1, 2, 3, 0xFFFFFFFF << 190, m // 2, m - 2, m - 1):
            inverse = p256_reference.inverse(a, m)
            assert 0 < inverse < m and a * inverse % m == 1, (a, m)


def test_digits_add_up_to_the_scalar():
    for k in (0, 1, 2, 15, 16, 17, 31, 32, 33, N - 1, N, 2**255, 2**256 - 1):
        digits = list(p256_reference.sparse_digits(k))
        assert sum(digit << i for i, digit in enumerate(digits)) == k, k
        assert all(sum(1 for digit in digits[i : i + 5] if digit) <= 1 for i in range(len(digits))), k
        assert all(digit == 0 or digit % 2 and abs(digit) < 16 for digit in digits), k
    for k in (1, 3, 31, 33, N, N + 2, 2**256 + 1, 2**320 - 1):
        digits, top = p256_reference.regular_digits(k)
        digits = list(digits) + [top]
        assert sum(digit << i for i, digit in enumerate(digits)) == k, k
        assert all((digit % 2 and abs(digit) < 16) if i % 4 == 0 else digit == 0 for i, digit in enumerate(digits)), k
        assert top > 0, k


def test_every_secret_takes_the_same_curve_operations():  # of the reference; the others' are in test_p256_comb
    p256_reference._table_of_g()
    add, double = p256_reference.add, p256_reference.double
    calls = []
    p256_reference.add = lambda p, q: calls.append("+") or add(p, q)
    p256_reference.double = lambda p: calls.append("2") or double(p)
    try:
        for k in (31, 32, 0xFF << 100, N // 2, N - 32, N - 31):  # nearer to 0 two summands can be equal, or one nothing
            calls.clear()
            p256_reference.multiple(k, p256_nonce.masks(KEY, octets(k), None))
            assert "".join(calls) == "2222+" * 79, k
    finally:
        p256_reference.add, p256_reference.double = add, double
