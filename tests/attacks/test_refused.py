"""Ten thousand frames that are refused leave nothing behind: the heap after them is the heap before, on one as small as a board's."""

import re

from tests.unit.on_micropython import ROOT, run

SCRIPT = ROOT / "tests" / "attacks" / "refused_device.py"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
SLACK = 512  # bytes: the figure itself, as text, and what a conservative collector takes for a pointer


def left_behind(said: str) -> tuple[int, int]:
    """(how many were refused, bytes of heap that are free no more)"""
    count, before, after = map(int, re.findall(r"\d+", said))
    return count, before - after


def test_ten_thousand_refused_frames_texts_and_packets_leave_nothing_in_memory() -> None:
    count, lost = left_behind(run(SCRIPT, str(CORPUS), "10000", heap="170k"))
    assert count >= 10_000
    assert lost < SLACK
