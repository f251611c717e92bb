"""What a device finds out about itself when it is asked: the self-test, and the last traceback."""

import json

from srup import health, limits, status
from srup.reply import hexed
from tests.unit.board import Board, action, answer, data, told
from tests.unit.scratch import exists, write
from tests.unit.server import NOON, token

SELF_TEST = 5


def test_a_self_test_tells_what_it_found_and_is_answered():
    with Board() as board:
        board.agent.on_self_test(lambda: True)
        assert answer(board, 1, SELF_TEST) == status.ACTION_SUCCESS
        (value,) = told(board, b"self-test")
        found = json.loads(value)
        assert found["flash"] and found["link"] and found["app"] and found["heap"]
        assert found["of"] == hexed(token(NOON, 1))
        assert found["slot"] is False and found["passed"] is False  # there is none in this folder
        assert not exists(board.root + "/self-test")


def test_a_self_test_that_a_cut_has_ended_has_failed_once():
    with Board() as board:
        board.cut(action(1, SELF_TEST))
        board.restart()
        assert board.receive() == [(token(NOON, 1), status.ACTION_FAIL)] and not told(board, b"self-test")
        board.restart()
        assert board.receive() == []


def test_flash_that_does_not_take_a_file_is_found():
    def full(*_):
        raise OSError(28)

    with Board() as board:
        real, health._flash = health._flash, full
        try:
            answer(board, 1, SELF_TEST)
        finally:
            health._flash = real
        assert json.loads(told(board, b"self-test")[0])["flash"] is False


def test_the_end_of_the_last_traceback_is_told_to_who_asks():
    with Board() as board:
        assert board.receive(data(1, b"log", b"")) == [(token(NOON, 1), status.DATA_SUCCESS)]
        write(board.root + "/crash.txt", b"Traceback" + bytes(1000) + b"ValueError: app")
        board.receive(data(2, b"log", b""))
        before, after = told(board, b"log")
        assert before == b"" and len(after) == limits.VALUE and after.endswith(b"ValueError: app")
