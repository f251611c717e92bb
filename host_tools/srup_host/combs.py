"""The tables by which a board verifies faster, made here so that it need not: see srup.p256_comb and srup.p256_files."""

import hashlib

from srup import p256_reference as reference

TEETH, PARTS = 8, 2
SPACING = 256 // TEETH
POSITIONS = SPACING // PARTS
G = b"\x04" + reference.GX.to_bytes(32, "big") + reference.GY.to_bytes(32, "big")

Point = tuple[int, int, int]


def section(public_key: bytes) -> bytes:
    """What the board would make of this key: 256 rows, whose they are, and a checksum."""
    made = rows(int.from_bytes(public_key[1:33], "big"), int.from_bytes(public_key[33:], "big"))
    return made + hashlib.sha256(public_key).digest() + hashlib.sha256(public_key + made).digest()


def rows(x: int, y: int) -> bytes:
    """Of each part, all sums of its units, each added or, where its bit in the row's number is 0, subtracted; the last is added."""
    units = [(x, y, 1)]
    while len(units) < TEETH * PARTS:
        units.append(_doubled(units[-1], POSITIONS))
    found = []
    for part in range(PARTS):
        sums = [units[(TEETH - 1) * PARTS + part]]
        for tooth in range(TEETH - 1):
            unit = units[tooth * PARTS + part]
            minus = unit[0], reference.P - unit[1], unit[2]
            sums = [reference.add(point, minus) for point in sums] + [reference.add(point, unit) for point in sums]
        found += sums
    return b"".join(map(_row, found))


def tables(folder: str, *public_keys: bytes) -> dict[str, bytes]:
    """Path -> contents, for the generator, which signing needs as well, and for these keys: on the board, beside its keys."""
    return {f"{folder}/p256.combs": b"".join(map(section, (G, *public_keys)))}


def _doubled(point: Point, times: int) -> Point:
    for _ in range(times):
        point = reference.double(point)
    return point


def _row(point: Point) -> bytes:
    x, y, z = point
    inverse = pow(z, -1, reference.P)
    numbers = x * inverse**2, y * inverse**3
    return b"".join((number * 2**260 % reference.P).to_bytes(32, "little") for number in numbers)


if __name__ == "__main__":
    print(f"ROWS = {rows(reference.GX, reference.GY)!r}")  # p256_g.py, to be frozen: see firmware/manifest.py
