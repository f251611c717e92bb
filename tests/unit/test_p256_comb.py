"""srup.p256_comb and p256_build, on a kernel, against srup.p256_reference."""

from array import array
from hashlib import sha256

from srup import p256_reference as reference
from tests.unit.viper import CHECKED, p256_build, p256_comb, p256_numbers

N, P = reference.N, reference.P
G = (reference.GX, reference.GY, 1)
KEYS = [1, N - 1, 2, N // 2, 0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6]
R = 2**260


def times(k, point=G):
    """k * point, affine, or None: by the reference's sum for public numbers."""
    k %= N
    total = reference.summed(reference.INFINITY, ((reference.sparse_digits(k), reference.odd_multiples(point)),))
    return reference.affine(total) if total[2] else None


def comb(point, teeth=8, parts=2):
    rows = b"".join(bytes(some) for some in p256_build.build(point[0], point[1], teeth, parts))
    return p256_comb.Comb(rows, teeth, parts)


def scalars(count):
    if not CHECKED:
        yield from (1, 2, 3, 2**32, 2**128 - 1, 2**224, 2**255, N // 2, N // 2 + 1, N - 2)
    yield N - 1
    for i in range(count):
        yield int.from_bytes(sha256(f"scalar {i}".encode()).digest(), "big") % N


def row(table, index):
    return [int.from_bytes(table[at : at + 32], "little") for at in (64 * index, 64 * index + 32)]


def same_x(found, point):
    x, zz = found
    return (point[0] * zz - x) % P == 0


def test_every_row():
    for key in KEYS[-1:] if CHECKED else KEYS:
        point = times(key)
        for teeth, parts in ((4, 1),) if CHECKED else ((4, 1), (8, 2)):
            table = comb(point, teeth, parts).take(0)[0]
            assert len(table) == 64 * parts << (teeth - 1)
            for index in range(parts << (teeth - 1)):
                part = index >> (teeth - 1)
                signs = [1 if index >> j & 1 else -1 for j in range(teeth - 1)] + [1]
                multiple = sum(sign << 256 // teeth * j for j, sign in enumerate(signs)) << 256 // teeth // parts * part
                x, y, _ = times(key * multiple)
                assert row(table, index) == [x * R % P, y * R % P], (key, teeth, index)


def test_no_more_than_1_kb_is_built_at_a_time():
    made = p256_build.build(G[0], G[1])
    assert len(next(made)) == 1024


def test_pairs():
    key = KEYS[-1]
    q = times(key)
    combs = [comb(q, 4, 1)] if CHECKED else [comb(q, 4, 1), comb(q)]
    comb_of_g = comb(G, 4, 1) if CHECKED else comb(G)
    u = 0
    for v in scalars(0 if CHECKED else 60):
        for comb_of_q in combs:
            found = p256_comb.pair(v, u, comb_of_q, comb_of_g)
            assert found and same_x(found, times(u + v * key)), (u, v)
        u = v * v % N


def test_a_scalar_of_0():
    of_g, of_q = comb(G, 4, 1), comb(times(KEYS[-1]), 4, 1)
    for found, point in (
        (p256_comb.pair(0, 5, of_g, of_q), times(5, times(KEYS[-1]))),
        (p256_comb.pair(5, 0, of_g, of_q), times(5)),
    ):
        assert found is None or same_x(found, point)
    assert p256_comb.pair(0, 0, of_g, of_q) is None


def test_infinity_and_equal_summands_are_never_taken_for_a_point():
    """u G + v Q for Q = G and Q = -G, where the sum is infinity, or the last two to be added are the same point."""
    of_g = comb(G, 4, 1) if CHECKED else comb(G)
    for key in (1, N - 1):
        q = times(key)
        for of_q in [comb(q, 4, 1)] if CHECKED else [comb(q, 4, 1), comb(q)]:
            for u in scalars(0 if CHECKED else 20):
                assert p256_comb.pair(-u * key % N, u, of_q, of_g) is None, (key, u)
                found = p256_comb.pair(u * key % N, u, of_q, of_g)
                assert found is None or same_x(found, times(2 * u)), (key, u)


def test_multiples():
    of_g = comb(G, 4, 1) if CHECKED else comb(G)
    missed = 0
    for k in scalars(0 if CHECKED else 60):
        found = p256_comb.multiple(k, of_g, N - k)
        missed += found is None
        assert found is None or found == times(k)[:2], k
    assert missed <= 3  # tiny ones, where a partial sum is what is added next


class Recorder:
    """Keeps what the kernel is called with, except for what may depend on a secret: which rows."""

    def __init__(self):
        self.calls, self.last = [], b""
        self.real = {name: getattr(p256_comb, name) for name in ("run", "walk", "load")}

    def run(self, program, times, w):
        self.calls.append((sha256(bytes(program)).digest()[:4], times))
        self.real["run"](program, times, w)
        self.last = bytes(w)

    def walk(self, program, times, w, comb_u, comb_v):
        self.calls.append((sha256(bytes(program)).digest()[:4], times, comb_u[2], comb_v[2]))
        self.real["walk"](program, times, w, comb_u, comb_v)

    def load(self, r, row, table, w):
        self.calls.append(r)
        self.real["load"](r, row, table, w)

    def __enter__(self):
        p256_comb.run, p256_comb.walk, p256_comb.load = self.run, self.walk, self.load
        return self

    def __exit__(self, *_):
        p256_comb.run, p256_comb.walk, p256_comb.load = self.real["run"], self.real["walk"], self.real["load"]


def test_the_same_operations_for_every_secret():
    of_g = comb(G, 4, 1)
    seen = []
    for k in (2**255, N - 5, KEYS[-1]):
        with Recorder() as recorder:
            p256_comb.multiple(k, of_g, 1 + k % 1000)
        seen.append(recorder.calls)
    assert seen[0] == seen[1] == seen[2] and len(seen[0]) >= 6


def test_the_mask_changes_the_way_and_not_the_result():
    of_g = comb(G, 4, 1)
    k = KEYS[-1]
    ends = []
    for mask in (1, 2, N - 1):
        with Recorder() as recorder:
            assert p256_comb.multiple(k, of_g, mask) == times(k)[:2], mask
        size = len(recorder.last) // 13
        ends.append(recorder.last[size : 5 * size])  # x, y, zz and zzz
    for at in range(0, 4 * size, size):
        assert len({end[at : at + size] for end in ends}) == 3


def test_inverse():
    for modulus in (N, P):
        numbers = [1, 2, 3, 2**13, 2**255, 2**128 - 1, modulus // 2, modulus - 2, modulus - 1]
        numbers += [
            int.from_bytes(sha256(str(i).encode()).digest(), "big") % modulus for i in range(20 if CHECKED else 500)
        ]
        for number in numbers:
            inverse = p256_numbers.inverse(number, modulus)
            assert 0 < inverse < modulus and inverse * number % modulus == 1, (modulus, number)


def test_digits():
    """They add up to the scalar; the order is that of their use."""
    for teeth, parts in ((8, 2), (8, 1), (4, 1), (4, 2)):
        positions = 256 // teeth // parts
        rows = 1 << (teeth - 1)
        for k in scalars(0 if CHECKED else 10):
            found = array("H", bytes(512 // teeth))
            p256_numbers.digits(k, N, teeth, parts, found)
            total = 0
            for at, digit in enumerate(found):
                part = at % parts
                weight = positions - 1 - at // parts + positions * part
                assert digit >> (teeth - 1) & 1 == part & 1
                bits = digit & (rows - 1) | rows
                value = sum((1 if bits >> j & 1 else -1) << 256 // teeth * j for j in range(teeth))
                total += (-value if digit & 0x8000 else value) << weight
            assert (total - k) % N == 0, (teeth, parts, k)
