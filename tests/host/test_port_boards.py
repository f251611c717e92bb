"""The port modules of real boards, run on MicroPython with a made-up machine and network beneath them."""

from pathlib import Path

import pytest

from tests.unit import on_micropython

SCRIPT = Path(__file__).with_name("board_port.py")


@pytest.fixture(scope="module", params=[("rp2", "1970"), ("esp32", "2000")], ids=lambda param: param[0])
def lines(request):
    return on_micropython.run(SCRIPT, *request.param).splitlines()


def test_board_and_unique_id_come_from_the_firmware(lines):
    assert "board True b'\\x01\\x02'" in lines


def test_the_clock_is_in_milliseconds_since_1970_whatever_the_chip_counts_from(lines):
    assert "clock True False" in lines


def test_the_clock_is_set_once_the_time_is_known_and_a_floor_is_not_knowledge(lines):
    start = lines.index("rtc (2023, 11, 14, 1, 22, 13, 20, 0)")  # 1,700,000,000 s; a Tuesday
    assert lines[start + 1] == "set False"
    assert lines[start + 2 : start + 5] == [lines[start]] * 2 + ["set True"]


def test_a_date_that_gmtime_of_the_chip_does_not_take_is_set_to_the_last_that_it_takes(lines):
    """As a floor of 2040 would have it: it raised, at each start again."""
    latest = {"latest 2147483647000": (2038, 1, 19, 1), "latest 3094168447000": (2068, 1, 19, 3)}
    (said,) = latest.keys() & set(lines)
    assert lines[lines.index(said) - 1] == f"rtc {(*latest[said], 3, 14, 7, 0)}"


def test_random_works(lines):
    assert "random 32" in lines


def test_wifi_tries_its_networks_in_turn_and_waits_for_none(lines):
    start = lines.index("active True")
    assert lines[start - 1] == "up False"
    assert lines[start + 1 : lines.index("a week later False") + 1] == [
        "connect first secret",
        "0 False",
        "19 False",
        "connect broken None",
        "21 False",
        "22 False",
        "connect open None",
        "42 False",
        "connect first secret",
        "63 False",
        "connect broken None",
        "84 False",
        "up True",
        "1010 False",
        "connect open None",
        "1021 False",
        "connect first secret",
        "a week later False",
    ]


def test_ppp_is_called_again_when_it_is_lost_and_hung_up_before_a_reset():
    lines = on_micropython.run(SCRIPT, "rp2", "1970").splitlines()
    start = lines.index("uart (1,) [('baudrate', 115200), ('rx', 'GP5'), ('rxbuf', 4096), ('tx', 'GP4')]")
    assert lines[start + 1 :] == [
        "call",
        "calling False",
        "no address yet False",
        "up True",
        "the peer begins anew False",
        "up True",
        "call",
        "gone False",
        "gone still False",
        "call",
        "and still False",
        "up True",
        "hang up",
        "reset",
        "after 500",
        "hang up",
        "reset",
        "after 0",
    ]


UNIX = """
from srup import port
print(port.BOARD, port.unique_id(), port.clock_is_set(), port.now_ms() // 86_400_000)
for known in (False, True):
    port.set_clock(1_700_000_000_000, known)
    print(port.clock_is_set(), port.now_ms() // 60_000)
"""


def test_a_process_can_be_a_board_that_does_not_know_the_time(monkeypatch, tmp_path):
    monkeypatch.setenv("SRUP_UNIQUE_ID", "one")
    monkeypatch.setenv("SRUP_CLOCK_UNSET", "1")
    (tmp_path / "unix.py").write_text(UNIX)
    assert on_micropython.run(tmp_path / "unix.py").splitlines() == [
        "UNIX b'one' False 18628",  # days since 1970: it is 2021-01-01
        "False 28333333",
        "True 28333333",
    ]
