"""What the host makes of an inventory: a device's own words, and words that make no sense."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srup import inventory as device
from srup_host import inventory

TREE, OTHER, TOKEN = "ab" * 32, "cd" * 32, bytes(range(16))
TOLD = {
    "slot": "b",
    "a": ["lamp", "1.0", 1, device.tree(OTHER)],
    "b": ["lamp", "2.0", 2, device.tree(TREE)],
    "counter": 2,
    "trial": 1,
    "mp": "1.25.0",
    "up": 90_061,
    "clock": 1_790_000_000_000,
    "set": 0,
    "poll": 600,
    "reset": "watchdog",
    "heap": 84_544,
    "refused": {"stale": 2},
    "nonce": device.text(bytes(16)),
    "latest": {device.text(TOKEN): 0x20},
}


def test_a_device_and_the_host_mean_the_same():
    read = inventory.read(device.packed(dict(TOLD)))
    assert (read["name"], read["version"], read["tree"], read["other"]) == ("lamp", "2.0", TREE, "1.0")
    assert read["slots"]["a"] == {"name": "lamp", "version": "1.0", "counter": 1, "tree": OTHER}
    assert (read["trial"], read["clock_set"], read["uptime"], read["poll_s"]) == (True, False, 90_061, 600)
    assert (read["nonce"], read["latest"]) == ("00" * 16, {TOKEN.hex(): 0x20})


def test_a_person_is_shown_words():
    shown = dict(inventory.rows(inventory.read(device.packed(dict(TOLD)))))
    assert shown["runs"] == f"lamp 2.0 in slot b ({TREE[:16]}…), on trial"
    assert shown["other slot"].startswith("lamp 1.0 in slot a")
    assert shown["started"] == "1 day, 1:01:01 ago, watchdog"
    assert shown["clock"] == "2026-09-21 14:13:20 UTC, or later: nobody has set it"
    assert shown["latest"] == "ACTION_SUCCESS (000102030405…)" and shown["refused"] == "2 stale"


_ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        1 << 70,
        0.5,
        "",
        "x",
        "AA",
        [],
        [1],
        [[]],
        ["n", "v", 1, "AA"],
        ["n"] * 5,
        {},
        {"AA": 1},
        {"AA": []},
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(TOLD)), _ODD), st.sets(st.sampled_from(sorted(TOLD)), max_size=3))
def test_whatever_a_device_signs_is_shown_or_refused(changes, missing):
    told = {key: value for key, value in (TOLD | changes).items() if key not in missing}
    try:
        read = inventory.read(json.dumps(told).encode())
    except ValueError:
        return
    assert inventory.rows(read)


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "a\nb", "\x1b[2J"])
@pytest.mark.parametrize("place", ["name", "version", "data", "board", "reason", "other's", "word"])
def test_a_text_that_no_database_takes_is_refused_wherever_it_is(place, text):
    """Not only where it is known: all that a device says is kept, and shown."""
    changes = {
        "name": {"b": [text, "2.0", 2, device.tree(TREE)]},
        "version": {"a": ["lamp", text, 1, device.tree(OTHER)]},
        "data": {"data": ["words", text, device.tree(TREE)]},
        "board": {"board": text},
        "reason": {"refused": {text: 1}},
        "other's": {"more": [[{"deep": text}]]},
        "word": {text: 1},
    }
    with pytest.raises(ValueError, match=r"half a character, or a control character"):
        inventory.read(json.dumps(TOLD | changes[place]).encode())


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{}",
        b"{",
        b"\xff",
        b"[" * 700,
        b'{"slot":"a","latest":{"!":1}}',
        b'{"slot":"a","latest":{"AA":256}}',
    ],
)
def test_what_is_no_inventory_is_refused(value):
    with pytest.raises(ValueError, match=r"."):
        inventory.read(value)
