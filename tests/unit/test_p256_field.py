"""native/p256_field.py against Python's integers."""

from array import array
from hashlib import sha256

from tests.unit.viper import CHECKED, p256_field

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
MUL, SQR, LIN = p256_field.MUL, p256_field.SQR, p256_field.LIN
A, B, C, D = range(1, 5)

EDGES = [0, 1, 2, 2**13 - 1, 2**13, 2**96 - 1, 2**96, 2**224, 2**247 - 1, 2**247, 2**256 - 1, 2**256]
EDGES += [P - 2, P - 1, P, P + 1, 2 * P - 1, 2 * P, 3 * P + 5, 4 * P - 1]
EDGES += [2**258 - 1]  # more than 4p; so no element has larger limbs
EDGES += [sum(8191 << 13 * i for i in range(start, 19, 2)) for start in (0, 1)]


def workspace(*numbers):
    """Elements that stand for these numbers, and two more."""
    w = p256_field.workspace(len(numbers) + 2)
    for place, number in enumerate(numbers, 1):
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
    numbers = (0,) + tuple(numbers)  # elements are counted from 1
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
        do(w, i % 5 % 3, A + r, A + a, b if i % 5 % 3 == LIN else A + b, s, A + c)
        product = (numbers[a] * numbers[b], numbers[a] * numbers[a], b * numbers[a])[i % 5 % 3]
        numbers[r] = (product + s * numbers[c]) % P
        assert value(w, A + r) < 2.1 * P, i
        assert (value(w, A + r) - (numbers[r] << 260)) % P == 0, i


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
    """Of 32 bytes a number; the second with its sign. What is saved is less than p, and so are the elements then."""
    for x, y in [(P - 3, 2**255 + 12345), (0, 1), (P - 1, P - 2)] + [(e, 2 * P) for e in EDGES if e < 3 * P]:
        table = bytearray(b"\xa5" * 192)
        w = workspace(x, y)
        p256_field.save(1, A, table, w)
        assert table[:64] == table[128:] == b"\xa5" * 64
        numbers = [int.from_bytes(table[at : at + 32], "little") for at in (64, 96)]
        assert numbers == [x % P, y % P] == [value(w, A), value(w, B)]
        w = workspace(0, 0, 0)
        p256_field.load(B, 1, table, w)
        assert (value(w, A), value(w, B), value(w, C), value(w, D)) == (0, numbers[0], numbers[1], 0)
        p256_field.load(B, 1 + 0x8000, table, w)
        assert (value(w, A), value(w, B), value(w, C), value(w, D)) == (0, numbers[0], P - numbers[1], 0)


def test_a_walk():
    """Rows come from two combs, each in the order of its digits, from the place that is said."""
    table_u, table_v = (b"".join(bytes([i + j]) + bytes(31) for j in range(12)) for i in (10, 100))
    digits_u, digits_v = array("H", [9, 2, 5, 0]), array("H", [1, 4, 3])
    w = workspace(0, 0, 0, 0)
    steps = p256_field.program(
        (p256_field.LOAD, A, 0), (LIN, D, D, 8, 1, A), (p256_field.LOAD, B, 1), (LIN, D, D, 8, 1, B)
    )
    p256_field.walk(steps, 2, w, (table_u, digits_u, 1), (table_v, digits_v, 0))
    expected_sum = 0
    for i in (10 + 2 * 2, 100 + 2 * 1, 10 + 2 * 5, 100 + 2 * 4):
        expected_sum = expected_sum * 8 + i
    assert value(w, D) % P == expected_sum
