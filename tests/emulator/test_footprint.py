"""The agent fits on a Pico, and goes on fitting: measured anew, against the figures recorded in footprint.json."""

import pytest

from tests.emulator import bench_rp2040, footprint, heap_at_work
from tests.emulator.conftest import unavailable
from tests.emulator.modules import order

KB = 1024
IDLE = 80 * KB  # free for the application, with MQTT over TLS connected
UPDATE = 60 * KB  # of those, at most, through a whole update
HEADROOM = 1.03


@pytest.fixture
def frozen(emulator):
    if not bench_rp2040.FROZEN.is_file():
        unavailable(f"no firmware at {bench_rp2040.FROZEN}: make chip builds it")
    return bench_rp2040.FROZEN


@pytest.fixture
def recorded():
    if not footprint.RECORDED.is_file():
        unavailable("no figures are recorded: make bench-rp2040 ARGS=--record")
    return footprint.recorded()


def grown(before, kind, measured):
    """The parts of the agent that take more heap than they did."""
    now = {"imports": {kind: measured}}
    totals = {part: (footprint.total(before, kind, part), footprint.total(now, kind, part)) for part in order()}
    return {part: pair for part, pair in totals.items() if pair[1] > pair[0] * HEADROOM}


def test_imports_from_littlefs_take_what_is_recorded(firmware, recorded):
    found = grown(recorded, "littlefs", bench_rp2040.run("imports", firmware))
    assert not found, "if it has to be: make bench-rp2040 ARGS=--record"


def test_imports_of_frozen_modules_take_what_is_recorded(frozen, recorded):
    found = grown(recorded, "frozen", bench_rp2040.run("imports", frozen))
    assert not found, "if it has to be: make bench-rp2040 ARGS=--record"


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_an_update_runs_beside_an_application_that_holds_20_kb_in_pieces(firmware):
    """The agent from littlefs. What a round takes within itself, and what no longer is in one piece, is in it."""
    held = IDLE - UPDATE
    free = heap_at_work.measure(firmware, held)
    assert free["idle"] + held >= IDLE
    assert min(free.values()) > 0


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_an_idle_agent_leaves_80_kb_and_a_whole_update_runs_in_60_of_them(firmware):
    free = heap_at_work.measure(firmware)
    assert free["idle"] >= IDLE
    assert min(free.values()) >= IDLE - UPDATE


def test_the_bounds_hold_for_what_is_recorded(recorded):
    for kind in footprint.KINDS:
        free = recorded["at_work"][kind]
        assert free["idle"] >= IDLE
        assert min(free.values()) >= IDLE - UPDATE


def test_the_page_shows_what_is_recorded(recorded):
    assert footprint.BEGIN + footprint.figures(recorded) + footprint.END in footprint.PAGE.read_text()


def test_a_benchmark_takes_the_same_cycles_twice(firmware):
    first = bench_rp2040.run("steps", firmware)
    assert bench_rp2040.run("steps", firmware) == first
    assert {name for name in first if name.endswith("_cycles")} == set(first)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", bench_rp2040.names())
def test_the_whole_bench_takes_the_same_cycles_and_bytes_twice(name, firmware):
    assert bench_rp2040.run(name, firmware) == bench_rp2040.run(name, firmware)


def test_what_is_no_figure_is_an_error():
    with pytest.raises(ValueError, match="not a figure"):
        bench_rp2040.parse("p256_verify_cycles about 9\n")
