"""srup.p256_comb against srup.p256, which is not to use it here."""

from hashlib import sha256

from srup import p256
from tests.unit.viper import CHECKED, p256_comb

N, P = p256.N, p256.P
G = (p256.GX, p256.GY, 1)
KEYS = [1, N - 1, 2, N // 2, 0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6]
R = 2**260


def times(k, point=G):
    """k * point, affine, or None: by srup.p256's sum for public numbers."""
    k %= N
    total = p256._sum(p256._INFINITY, ((p256._sparse_digits(k), p256._odd_multiples(point)),))
    return p256._affine(total) if total[2] else None


def scalars(count):
    if not CHECKED:
        yield from (1, 2, 3, 2**32, 2**128 - 1, 2**224, 2**255, N // 2, N // 2 + 1, N - 2)
    yield N - 1
    for i in range(count):
        yield int.from_bytes(sha256(f"scalar {i}".encode()).digest(), "big") % N


def row(table, index):
    limbs = [int.from_bytes(table[i : i + 2], "little") for i in range(80 * index, 80 * index + 80, 2)]
    return [sum(limb << 13 * i for i, limb in enumerate(half)) for half in (limbs[:20], limbs[20:])]


def same_x(found, point):
    x, zz = found
    return (point[0] * zz - x) % P == 0


def test_every_row():
    for key in KEYS[-1:] if CHECKED else KEYS:
        point = times(key)
        for teeth in (4, 8):
            if CHECKED and teeth == 8:
                continue
            spacing = 256 // teeth
            table = p256_comb.build(point[0], point[1], teeth)
            assert len(table) == 80 << (teeth - 1)
            for index in range(1 << (teeth - 1)):
                signs = [1 if index >> j & 1 else -1 for j in range(teeth - 1)] + [1]
                x, y, _ = times(key * sum(sign << spacing * j for j, sign in enumerate(signs)))
                for got, wanted in zip(row(table, index), (x, y)):
                    assert got < 2.1 * P and (got - wanted * R) % P == 0, (key, teeth, index)


def test_pairs():
    key = KEYS[-1]
    q = times(key)
    combs = [p256_comb.build(*q[:2], teeth=4)]
    comb_of_g = p256_comb.build(p256.GX, p256.GY, 4 if CHECKED else 8)
    if not CHECKED:
        combs.append(p256_comb.build(*q[:2]))
    u = 0
    for v in scalars(2 if CHECKED else 60):
        for comb in combs:
            found = p256_comb.pair(u, v, comb_of_g, comb)
            assert found and same_x(found, times(u + v * key)), (u, v)
        u = v * v % N


def test_a_scalar_of_0():
    comb = p256_comb.build(p256.GX, p256.GY, 4)
    q = times(KEYS[-1])
    other = p256_comb.build(*q[:2], teeth=4)
    for found, point in (
        (p256_comb.pair(0, 5, comb, other), times(5, q)),
        (p256_comb.pair(5, 0, comb, other), times(5)),
    ):
        assert found is None or same_x(found, point)
    assert p256_comb.pair(0, 0, comb, other) is None


def test_infinity_and_equal_summands_are_never_taken_for_a_point():
    """u G + v Q for Q = G and Q = -G, where the sum is infinity, or the last two to be added are the same point."""
    comb = p256_comb.build(p256.GX, p256.GY, 4 if CHECKED else 8)
    for key in (1, N - 1):
        q = times(key)
        for teeth in (4,) if CHECKED else (4, 8):
            other = p256_comb.build(*q[:2], teeth=teeth)
            for u in scalars(0 if CHECKED else 20):
                assert p256_comb.pair(u, -u * key % N, comb, other) is None, (key, teeth, u)
                found = p256_comb.pair(u, u * key % N, comb, other)
                assert found is None or same_x(found, times(2 * u)), (key, teeth, u)


def test_multiples():
    comb = p256_comb.build(p256.GX, p256.GY, 4 if CHECKED else 8)
    missed = 0
    for k in scalars(2 if CHECKED else 60):
        found = p256_comb.multiple(k, comb, N - k)
        missed += found is None
        assert found is None or found == times(k)[:2], k
    assert missed <= 3  # tiny ones, where a partial sum is what is added next


class Recorder:
    """Keeps what `run` and `load` are called with, except for what may depend on a secret: which row, which sign."""

    def __init__(self):
        self.calls, self.last = [], b""
        self.real = {name: getattr(p256_comb, name) for name in ("run", "load")}

    def run(self, program, times, w):
        signs_off = [word & 0x3FFFFF for word in program]
        self.calls.append(bytes(sha256(repr((signs_off, times)).encode()).digest()[:4]))
        self.real["run"](program, times, w)
        self.last = bytes(w)

    def load(self, r, row, table, w):
        self.calls.append(r)
        self.real["load"](r, row, table, w)

    def __enter__(self):
        p256_comb.run, p256_comb.load = self.run, self.load
        return self

    def __exit__(self, *_):
        p256_comb.run, p256_comb.load = self.real["run"], self.real["load"]


def test_the_same_operations_for_every_secret():
    comb = p256_comb.build(p256.GX, p256.GY, 4)
    seen = []
    for k in (2**255, N - 5, KEYS[-1]):
        with Recorder() as recorder:
            p256_comb.multiple(k, comb, 1 + k % 1000)
        seen.append(recorder.calls)
    assert seen[0] == seen[1] == seen[2] and len(seen[0]) == 2 + 1 + 63 * 3 + 1


def test_the_mask_changes_the_way_and_not_the_result():
    comb = p256_comb.build(p256.GX, p256.GY, 4)
    k = KEYS[-1]
    ends = []
    for mask in (1, 2, N - 1):
        with Recorder() as recorder:
            assert p256_comb.multiple(k, comb, mask) == times(k)[:2], mask
        ends.append(recorder.last[:240])  # x, y and z
    for coordinate in range(0, 240, 80):
        assert len({end[coordinate : coordinate + 80] for end in ends}) == 3


def test_inverse():
    for modulus in (N, P):
        numbers = [1, 2, 3, 2**13, 2**255, 2**128 - 1, modulus // 2, modulus - 2, modulus - 1]
        numbers += [
            int.from_bytes(sha256(str(i).encode()).digest(), "big") % modulus for i in range(20 if CHECKED else 500)
        ]
        for number in numbers:
            inverse = p256_comb.inverse(number, modulus)
            assert 0 < inverse < modulus and inverse * number % modulus == 1, (modulus, number)
