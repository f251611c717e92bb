"""native/p256_field.py against Python's integers."""

from array import array
from hashlib import sha256

from tests.unit.viper import CHECKED, p256_field

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
MUL, SQR, LIN = p256_field.MUL, p256_field.SQR, p256_field.LIN
A, B, C, D = range(4)

EDGES = [0, 1, 2, 2**13 - 1, 2**13, 2**96 - 1, 2**96, 2**224, 2**247 - 1, 2**247, 2**256 - 1, 2**256]
EDGES += [P - 2, P - 1, P, P + 1, 2 * P - 1, 2 * P, 3 * P + 5, 4 * P - 1]
EDGES += [2**258 - 1]  # more than 4p; so no element has larger limbs
EDGES += [sum(8191 << 13 * i for i in range(start, 19, 2)) for start in (0, 1)]


def workspace(*numbers):
    """Elements that stand for these numbers, and two more."""
    w = array("i", bytes((len(numbers) + 2) * p256_field.SIZE))
    for place, number in enumerate(numbers):
        for i in range(20):
            w[place * 20 + i] = number >> 13 * i & 8191
        w[place * 20 + 19] = number >> 247
    return w


def value(w, element):
    limbs = w[element * 20 : element * 20 + 20]
    assert all(0 <= limb < 8192 for limb in limbs)
    return sum(limb << 13 * i for i, limb in enumerate(limbs))


def do(w, *operation):
    p256_field.run(p256_field.program(operation), 1, w)


def random_elements(seed, count):
    """Some below 4p, each with a run of ones or of zeros in it."""
    for i in range(count):
        octets = sha256(f"{seed} {i}".encode()).digest()
        number = int.from_bytes(octets, "big") * (octets[0] & 3) + int.from_bytes(octets, "little")
        run = ((1 << octets[1]) - 1) << octets[2]
        number = number | run if octets[3] & 1 else number & ~run
        yield number % (4 * P)


def expected(operation, numbers):
    """What an operation, with A to D for `numbers`, makes: times R, mod p."""
    kind, _, a, b, s, c = operation
    if kind == LIN:
        return (b * numbers[a] + s * numbers[c] << 260) % P
    return (numbers[a] * numbers[b if kind == MUL else a] + (s * numbers[c] << 260)) % P


def check(operation, numbers):
    w = workspace(*numbers)
    do(w, *operation)
    got = value(w, operation[1])
    assert got < 2.1 * P and ((got << 260) - expected(operation, numbers)) % P == 0, (operation, numbers)


def test_edges():
    for a in EDGES:
        for b in EDGES:
            for s in (-8, 0, 8) if CHECKED else range(-8, 9):
                check((MUL, D, A, B, s, B), (a, b))
                check((SQR, D, A, 0, s, B), (a, b))
                check((LIN, D, A, s & 7, s, B), (a, b))


def test_edges_with_three_operands():
    for a in EDGES[-8:]:
        for c in EDGES:
            for s in (-8, 8):
                check((MUL, D, A, B, s, C), (a, EDGES[-3], c))
                check((LIN, D, A, 8, s, C), (a, 0, c))


def test_random_elements():
    count = 100 if CHECKED else 2000
    for a, b, c in zip(*[random_elements(seed, count) for seed in range(3)]):
        s = (a ^ b) % 17 - 8
        check((MUL, D, A, B, s, C), (a, b, c))
        check((SQR, D, A, 0, s, C), (a, b, c))
        check((LIN, D, A, b % 9, s, C), (a, b, c))


def test_a_long_walk():
    """Results go back in, as they are, and their value is followed mod p."""
    numbers = [3, 5, 7]
    w = workspace(*(n * 2**260 % P for n in numbers))
    for i in range(150 if CHECKED else 5000):
        r, a, b, c, s = i % 3, (i * i + 1) % 3, (i // 3) % 3, (i // 9) % 3, (i * 7) % 17 - 8
        do(w, i % 5 % 3, r, a, b, s, c)
        product = (numbers[a] * numbers[b], numbers[a] * numbers[a], b * numbers[a])[i % 5 % 3]
        numbers[r] = (product + s * numbers[c]) % P
        assert value(w, r) < 2.1 * P, i
        assert (value(w, r) - (numbers[r] << 260)) % P == 0, i


def test_the_result_may_be_any_operand():
    numbers = (P - 3, 2**255 + 12345, 4 * P - 1)
    for r in (A, B, C):
        for a in (A, B):
            for b in (A, B):
                check((MUL, r, a, b, -3, C), numbers)
                check((LIN, r, a, 7, -5, b), numbers)
                check((SQR, r, a, 0, 8, b), numbers)


def test_nothing_but_the_result_is_written():
    numbers = (P - 3, 2**255 + 12345, 4 * P - 1, 4 * P - 1)
    w = workspace(*numbers, 5)
    for kind in (MUL, SQR, LIN):
        do(w, kind, D, A, B, 3, C)
        assert (value(w, A), value(w, B), value(w, C), value(w, D + 1)) == (numbers[0], numbers[1], numbers[2], 5)


def test_programs():
    """The operations in their order, as often as said."""
    w = workspace(3 * 2**260 % P, 0)
    steps = p256_field.program((SQR, B, A), (LIN, A, B, 2, 1, A))  # b = a^2, a = 2b + a
    p256_field.run(steps, 3, w)
    a = 3
    for _ in range(3):
        b = a * a
        a += 2 * b
    assert (value(w, A) - (a << 260)) % P == (value(w, B) - (b << 260)) % P == 0
    before = bytes(w)
    p256_field.run(steps, 0, w)
    p256_field.run(p256_field.program(), 1, w)
    assert bytes(w) == before


def test_rows():
    a, b = P - 3, 2**255 + 12345
    table = bytearray(b"\xa5" * 240)
    p256_field.save(1, A, table, workspace(a, b))
    assert table[:80] == table[160:] == b"\xa5" * 80
    limbs = [int.from_bytes(table[i : i + 2], "little") for i in range(80, 160, 2)]
    assert sum(limb << 13 * i for i, limb in enumerate(limbs[:20])) == a
    assert sum(limb << 13 * i for i, limb in enumerate(limbs[20:])) == b
    w = workspace(0, 0, 0)
    p256_field.load(B, 1, table, w)
    assert (value(w, A), value(w, B), value(w, C), value(w, D)) == (0, a, b, 0)


def test_pack_and_unpack():
    for count, length in ((20, 33), (21, 35)):
        for number in EDGES:
            w, octets = array("i", [9] * 30), bytearray(length + 1)
            p256_field.unpack(number.to_bytes(length, "little"), 5, count, w)
            assert sum(limb << 13 * i for i, limb in enumerate(w[5 : 5 + count])) == number
            assert set(w[:5]) == set(w[5 + count :]) == {9}
            p256_field.pack(octets, 5, count, w)
            assert int.from_bytes(octets, "little") == number


def test_columns():
    for spacing, teeth in ((32, 8), (64, 4)):
        for k in (0, 1, 2**255, 2**256 - 1, 0x123456789ABCDEF << 190, 2**192 - 1):
            digits, flipped = bytearray(spacing), bytearray(spacing)
            p256_field.columns(digits, k.to_bytes(32, "little"), spacing, 0)
            p256_field.columns(flipped, k.to_bytes(32, "little"), spacing, 1)
            assert bytes(digit ^ 128 for digit in digits) == bytes(flipped)
            for i in range(spacing):
                bits = [k >> (i + spacing * j) & 1 for j in range(teeth)]
                row = sum((bit ^ 1 ^ bits[-1]) << j for j, bit in enumerate(bits[:-1]))
                assert digits[i] == row + 128 * bits[-1], (k, i)
