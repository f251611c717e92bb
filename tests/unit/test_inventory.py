"""What a device says of itself when it is asked what it is."""

import json

from srup import inventory, limits
from srup.cause import note
from tests.unit.board import Board, Reset, action, data, identify
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import exists
from tests.unit.server import NOON, STRANGER, token

REBOOT, WAKE, SELF_TEST = 1, 3, 5


def test_the_inventory_says_why_the_board_has_started_and_for_how_long():
    with Ticks() as ticks, Board() as board:
        assert identify(board, 1)["reset"] == "power"
        raises(Reset, board.receive, action(2, REBOOT))
        for nth, cause, expected in ((3, "watchdog", "ordered"), (4, "watchdog", "watchdog"), (5, "reset", "reset")):
            board.cause = cause
            board.restart()
            for _ in range(20):  # longer than the machine's ticks tell
                ticks.pass_ms(1 << 28)
                board.agent.poll()
            board.air.up = True
            shown = identify(board, nth)
            assert (shown["reset"], shown["up"]) == (expected, 20 * (1 << 28) // 1000)
        note(board.root, "crash")
        board.cause = "power"
        board.restart()
        assert board.agent._session.cause == "power" and not exists(board.root + "/why")


def test_refused_frames_are_counted_by_what_was_wrong_with_them():
    with Board() as board:
        board.receive(data(5), data(1), b"x", action(6, WAKE, b"", STRANGER))
        assert identify(board, 7)["refused"] == {"stale": 1, "malformed": 1, "target": 1}


def test_an_inventory_fits_whatever_there_is_to_tell():
    name, long = "n" * 32, "v" * 32
    full = {
        "slot": "a",
        "a": [name, long, 0x7FFFFFFF, inventory.tree("ab" * 32)],
        "b": [name, long, 0x7FFFFFFF, inventory.tree("cd" * 32)],
        "data": [name, long, inventory.tree("ef" * 32)],
        "counter": 0x7FFFFFFF,
        "board": "b" * 32,
        "mp": "1.25.0",
        "agent": "10.10.10",
        "heap": 1 << 24,
        "flash": 1 << 24,
        "reset": "watchdog",
        "up": 1 << 31,
        "mode": "m" * 32,
        "poll": 86_400,
        "clock": NOON,
        "set": 1,
        "nonce": inventory.text(bytes(16)),
        "refused": {reason * 8: 1 << 30 for reason in "abcdefghijk"},
        "lost": 255,
        "note": "n" * limits.NOTE,
        "latest": {inventory.text(token(NOON, nth)): 0x20 for nth in range(4)},
    }
    usual = dict(full, refused={"signature": 3, "stale": 1}, board="RPI_PICO_W", mode="normal", poll=3600)
    for slot in ("a", "b"):
        usual[slot] = ["thermometer", "1.10", 3, inventory.tree("ab" * 32)]
    usual["data"] = ["table", "7", inventory.tree("ef" * 32)]
    del usual["note"]
    shown = json.loads(inventory.packed(usual))
    assert "cut" not in shown and len(shown["latest"]) == 4
    packed = inventory.packed(full)
    shown = json.loads(packed)
    assert len(packed) <= limits.VALUE and shown["cut"] == 1
    assert (
        shown["a"] == full["a"]
        and shown["nonce"] == full["nonce"]
        and list(shown["latest"]) == [inventory.text(token(NOON, 3))]
    )
