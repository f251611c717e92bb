"""A real board asks to join over a real broker, is let in, leaves, and comes back: by a person's hand each time."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.host.backdrop import Backdrop
from tests.host.shell import failed, srup

HAND = """
import os
def setup(agent):
    agent.on_self_test(lambda: True)
    if "hand.txt" in os.listdir("/srup-data"):
        os.remove("/srup-data/hand.txt")
        agent.join({voucher})
    if "leave.txt" in os.listdir("/srup-data"):
        os.remove("/srup-data/leave.txt")
        agent.resign()
"""


@pytest.fixture
def backdrop(tmp_path, monkeypatch) -> Iterator[Backdrop]:
    with Backdrop(tmp_path / "fleet") as backdrop:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        yield backdrop


@contextlib.contextmanager
def board(folder: Path, backdrop: Backdrop, voucher: str = "") -> Iterator[VirtualBoard]:
    source = folder / "source"
    source.mkdir()
    (source / "app.py").write_text(HAND.format(voucher=f"bytes.fromhex({voucher!r})" if voucher else ""))
    making.make(folder / "shed", backdrop.fleet, "shed", application=source, joins=True)
    made = VirtualBoard(folder / "shed")
    try:
        yield made
    finally:
        made.power_cut()


def by_hand(folder: Path, board: VirtualBoard, what: str) -> None:
    """Somebody comes to the board."""
    board.power_cut()
    making._put_contents(folder / "shed", {f"srup-data/{what}.txt": b""})
    board.start()


def asked() -> dict[str, str]:
    for _ in range(200):
        if found := srup("join", "list", "--json").json:
            return found[0]
        time.sleep(0.1)
    raise TimeoutError("nobody asks")


def test_a_board_joins_leaves_and_joins_again(tmp_path, backdrop) -> None:
    fleet = backdrop.fleet
    with board(tmp_path, backdrop) as shed:
        shed.start()
        shed.wait_for("srup: asks to join")
        waits = asked()
        shown = next(line for line in shed.lines() if "asks to join" in line).partition("words: ")[2]
        assert shown == waits["words"] and len(shown.split()) == 6
        failed("join", "accept", waits["uuid"], *["abandon"] * 6, code=1)
        accepted = srup("join", "accept", waits["uuid"], *shown.split(), "--name", "shed", "--json").json
        assert accepted["status"] == "JOIN_SUCCESS"
        shed.power_cut()
        shed.start()  # the nonce of this start is asked for first
        gone = srup("send", "deregister", "shed", "--json").json
        assert gone["status_name"] == "DEREGISTER_SUCCESS" and fleet.devices() == []
        by_hand(tmp_path, shed, "hand")
        again = asked()
        assert again["words"] == shown  # the same key
        back = srup("join", "accept", again["uuid"], *shown.split(), "--name", "shed", "--json").json
        assert back["status"] == "JOIN_SUCCESS"
        by_hand(tmp_path, shed, "leave")
        for _ in range(200):
            if not fleet.devices():
                break
            time.sleep(0.1)
        assert fleet.devices() == []


def test_a_voucher_lets_a_board_in_with_nobody_at_the_server(tmp_path, backdrop) -> None:
    voucher = srup("voucher", "make", "--name", "shed", "--json").json["voucher"]
    with board(tmp_path, backdrop, voucher) as shed:
        by_hand(tmp_path, shed, "hand")
        shed.wait_for("srup: JOIN_COMMAND", 30)
        assert srup("send", "id-request", "shed", "--json").json["outcome"] == "DONE"
