"""Runs on the chip, for test_p256_thumb.py: native/p256_thumb.py against Python's integers. Prints what held."""

import gc
import random

import machine

import p256_thumb as kernel
from p256_thumb import LIN, LOAD, MUL, SQR, N, P

R = 1 << 256
EDGES = [0, 1, 2, P - 1, P, P + 1, R - 1, R >> 1, 1 << 224, R - (1 << 224)]
EDGES += [(1 << 96) - 1, P - (1 << 192), P + (1 << 192)]

random.seed(1)
w = kernel.workspace(5)


def put(i, number):
    start = 32 * (i + kernel.FIRST)
    w[start : start + 32] = number.to_bytes(32, "little")


def get(i):
    start = 32 * (i + kernel.FIRST)
    return int.from_bytes(w[start : start + 32], "little")


def a_number():
    """An edge, or random bits with a run of ones or of zeros in them."""
    number = 0
    for _ in range(9):
        number = number << 30 | random.getrandbits(30)
    kind = random.getrandbits(2)
    if kind == 0:
        return EDGES[number % len(EDGES)]
    ones = (1 << random.getrandbits(7)) - 1 << random.getrandbits(8)
    return (number | ones if kind == 1 else number & ~ones) % R


def below(modulus):
    return a_number() % (modulus - 1) + 1


def operations():
    """Each operation with any operands, of which two may be the same element, and any small factors."""
    for i in range(360):
        kind = (MUL, SQR, LIN)[i % 3]
        r, a, b, c = [1 + random.getrandbits(2) for _ in range(4)]
        s = random.getrandbits(8) % 17 - 8
        if kind == LIN:
            b = random.getrandbits(8) % 9
        numbers = [0] + [a_number() for _ in range(5)]
        for place in range(1, 6):
            put(place, numbers[place])
        kernel.run(kernel.program((kind, r, a, b, s, c)), 1, w)
        product = b * R if kind == LIN else numbers[b if kind == MUL else a]
        wanted = numbers[a] * product + s * R * numbers[c]
        assert (get(r) * R - wanted) % P == 0, (kind, r, a, b, s, c, numbers)
        assert all(place == r or get(place) == numbers[place] for place in range(1, 6)), (kind, r)


def programs():
    """In their order, as often as said; not at all if that is 0."""
    put(1, 3 * R % P)
    squares = kernel.program((SQR, 2, 1), (LIN, 1, 2, 2, 1, 1))  # b = a^2, a = 2b + a
    kernel.run(squares, 3, w)
    a = 3
    for _ in range(3):
        b = a * a
        a += 2 * b
    assert (get(1) - a * R) % P == (get(2) - b * R) % P == 0
    kernel.run(squares, 0, w)
    kernel.run(kernel.program(), 1, w)
    assert (get(1) - a * R) % P == 0


def rows():
    """Saved, loaded, with either sign, from a table at any address, and in a walk."""
    points = [(below(P), below(P)) for _ in range(3)]
    table = bytearray(b"\xa5" * 256)
    for i, (x, y) in enumerate(points):
        put(1, x * R % P + (P if x * R % P < R - P else 0))
        put(2, y * R % P)
        kernel.save(i, 1, table, w)
    saved = b"".join([(number * (1 << 260) % P).to_bytes(32, "little") for point in points for number in point])
    assert table == saved + b"\xa5" * 64
    for offset in range(4):
        moved = memoryview(bytes(offset) + table)[offset:]
        for i, (x, y) in enumerate(points):
            for sign in (0, 0x8000):
                kernel.load(3, i | sign, moved, w)
                assert (get(3) - x * R) % P == 0 and (get(4) - (-y if sign else y) * R) % P == 0, (offset, i, sign)
    total = kernel.program((LOAD, 1, 0), (LIN, 5, 5, 1, 1, 1), (LOAD, 1, 1), (LIN, 5, 5, 1, 2, 2))
    put(5, 0)
    digits_u, digits_v = kernel.array("H", (9, 2, 0, 1)), kernel.array("H", (0x8001, 2, 0x8000))
    kernel.walk(total, 3, w, (table, digits_u, 1), (table, digits_v, 0))
    wanted = sum([x for x, _ in points]) + 2 * (-points[1][1] + points[2][1] - points[0][1])
    assert (get(5) - wanted * R) % P == 0


def digits():
    """Bit by bit, as it says."""
    for teeth, parts in ((8, 2), (8, 1), (4, 1), (4, 4), (8, 4)):
        spacing = 256 // teeth
        positions = spacing // parts
        for k in (0, 1, 2, N - 1, N - 2, 1 << 255, below(N), below(N), below(N)):
            found = kernel.array("H", [0xA5A5] * (spacing + 1))
            kernel.digits(k, N, teeth, parts, found)
            even = 1 - (k & 1)
            bits = (N - k if even else k) + (1 << 256) - 1 >> 1
            at = 0
            for position in range(positions - 1, -1, -1):
                for part in range(parts):
                    column = [bits >> position + positions * part + spacing * tooth & 1 for tooth in range(teeth)]
                    row = sum([(bit ^ 1 ^ column[-1]) << i for i, bit in enumerate(column[:-1])])
                    minus = 1 ^ column[-1] ^ even
                    assert found[at] == minus << 15 | part << teeth - 1 | row, (teeth, parts, k, at)
                    at += 1
            assert at == spacing and found[at] == 0xA5A5


def inverses():
    for modulus in (P, N):
        numbers = [1, 2, 3, 1 << 255, (1 << 128) - 1, modulus >> 1, modulus - 2, modulus - 1]
        for number in numbers + [below(modulus) for _ in range(60)]:
            inverse = kernel.inverse(number, modulus)
            assert 0 < inverse < modulus and inverse * number % modulus == 1, (number, modulus)


def cycles(function, *arguments):
    """The least of some times, for an interrupt may fall into one. What has four arguments is called without
    allocating."""
    least = 1 << 30
    a, b, c, d = arguments
    for _ in range(3):
        gc.collect()
        start = machine.mem32[0x40070000]
        function(a, b, c, d)
        least = min(least, machine.mem32[0x40070000] - start)
    return least


def times():
    """The same cycles for all values: of operations, of loading a row with either sign, of divisions."""
    for operation in ((MUL, 3, 1, 2, -1, 4), (SQR, 3, 1, 0, -1, 4), (LIN, 3, 1, 1, 1, 2), (LIN, 3, 1, 1, -1, 2)):
        steps = kernel.program(*[operation] * 5)
        seen = set()
        for number in EDGES:
            for place in range(1, 5):
                put(place, number if place & 1 else a_number())
            seen.add(cycles(kernel._run, steps, w, 1, kernel._digits))
        assert len(seen) == 1, (operation, seen)

    table = bytearray(256)
    seen = set()
    for i, number in enumerate(EDGES):
        row = i & 2
        table[64 * row : 64 * row + 32] = (number % P).to_bytes(32, "little")
        digits = kernel.array("H", [row | (i & 1) << 15] * 3)
        load = kernel.program((LOAD, 1, 0))
        kernel.walk(load, 0, w, (table, digits, 0), (b"", digits, 0))
        seen.add(cycles(kernel._run, load, w, 1, kernel._digits))
    assert len(seen) == 1, seen

    limbs, negative_inverse, _ = kernel._MODULI[N]
    seen = set()
    for number in (1, 2, N >> 1, N - 1, below(N), below(N)):
        kernel.inverse(number, N)
        seen.add(cycles(lambda a, b, c, _: kernel._divsteps(a, b, c), kernel._state, limbs, negative_inverse, 0))
    assert len(seen) == 1, seen


for part in (operations, programs, rows, digits, inverses, times):
    part()
    print("ok", part.__name__)
