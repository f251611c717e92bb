"""Waves, gates, thresholds and windows: arithmetic, held over what may be asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from srup_host.server import rollout_plan
from srup_host.server.rollout_plan import Policy

HOUR = 3_600_000
MIDNIGHT = 1_800_057_600_000  # 2027-01-16 00:00 UTC


@given(
    st.lists(st.integers(1, 500).map(str) | st.integers(1, 100).map("{}%".format), min_size=1, max_size=8),
    st.integers(0, 1000),
)
def test_waves_take_everybody_once_and_none_is_empty(waves, total):
    ends = rollout_plan.ends(Policy(waves=waves), total)
    assert ends == sorted(set(ends)) and ends[-1] == total
    if total:
        assert ends[0] > 0
        placed = [rollout_plan.wave_of(position, ends) for position in range(total)]
        assert placed == sorted(placed) and set(placed) == set(range(len(ends)))


@pytest.mark.parametrize(
    ("waves", "total", "ends"),
    [
        (["5", "10%", "50%", "100%"], 1000, [5, 100, 500, 1000]),
        (["5", "10%", "50%", "100%"], 6, [5, 6]),
        (["5", "10%", "50%", "100%"], 1, [1]),
        (["100%"], 7, [7]),
        (["1"], 7, [1, 7]),
        (["1%"], 7, [1, 7]),
    ],
)
def test_waves(waves, total, ends):
    assert rollout_plan.ends(Policy(waves=waves), total) == ends


@pytest.mark.parametrize(
    ("share", "let_go", "most"), [(0.1, 5, 0), (0.1, 10, 1), (0.1, 1000, 100), (0, 1000, 0), (1, 7, 7), (0.5, 3, 1)]
)
def test_an_abort_comes_with_the_first_failure_too_many(share, let_go, most):
    policy = Policy(abort=share)
    assert not rollout_plan.breached(policy, let_go, most)
    assert rollout_plan.breached(policy, let_go, most + 1)
    assert not rollout_plan.breached(policy, 0, 0)


def test_a_gate_opens_when_its_wave_is_over_good_and_has_soaked():
    policy = Policy(success=0.9, soak_s=60)
    assert rollout_plan.gate(policy, 9, 0, 0, 1, HOUR) == "wait"
    assert rollout_plan.gate(policy, 10, 0, 0, 0, 59_999) == "wait"
    assert rollout_plan.gate(policy, 10, 0, 0, 0, 60_000) == "open"
    assert rollout_plan.gate(policy, 9, 1, 0, 0, 60_000) == "open"
    assert rollout_plan.gate(policy, 9, 1, 5, 0, 60_000) == "open"
    assert rollout_plan.gate(policy, 8, 2, 0, 0, 60_000) == "closed"
    assert rollout_plan.gate(policy, 0, 0, 3, 0, 60_000) == "closed"  # nobody has tried it
    assert (
        rollout_plan.gate(policy, 0, 0, 0, 0, 60_000) == "open"
    )  # a wave that never had anybody: dynamic ones have such


@pytest.mark.parametrize(
    ("window", "zone", "hour", "inside"),
    [
        ("", "UTC", 12, True),
        ("02:00-04:00", "UTC", 1, False),
        ("02:00-04:00", "UTC", 2, True),
        ("02:00-04:00", "UTC", 4, False),
        ("22:00-04:00", "UTC", 23, True),
        ("22:00-04:00", "UTC", 3, True),
        ("22:00-04:00", "UTC", 12, False),
        ("02:00-04:00", "Europe/Paris", 2, True),  # there it is three
        ("02:00-04:00", "Europe/Paris", 3, False),
        ("02:00-04:00", "Asia/Tokyo", 18, True),
    ],
)
def test_a_window_is_of_its_time_zone(window, zone, hour, inside):
    assert Policy(window=window, zone=zone).in_window(MIDNIGHT + hour * HOUR) == inside


@pytest.mark.parametrize(
    "wrong",
    [
        {"waves": []},
        {"waves": ["0"]},
        {"waves": ["101%"]},
        {"waves": ["-5"]},
        {"waves": ["½"]},
        {"waves": ["ten"]},
        {"success": 1.1},
        {"abort": -0.1},
        {"window": "night"},
        {"window": "25:00-04:00"},
        {"zone": "Atlantis"},
        {"zone": "../../etc/passwd"},
        {"attempts": 0},
        {"unheard": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        Policy(**wrong)


def test_each_try_waits_twice_as_long_and_not_without_end():
    policy = Policy(backoff_s=10)
    assert [policy.backoff_ms(attempt) for attempt in (1, 2, 3)] == [10_000, 20_000, 40_000]
    assert policy.backoff_ms(1000) == policy.backoff_ms(11)


def test_canaries_are_of_all_kinds_and_the_same_each_time():
    devices = [f"{kind}-{number}" for kind in "abcd" for number in range(100)]
    mixed = rollout_plan.order(devices, "1")
    assert mixed == rollout_plan.order(devices[::-1], "1") and sorted(mixed) == sorted(devices)
    assert mixed != rollout_plan.order(devices, "2")
    assert {device[0] for device in mixed[:30]} == set("abcd")
