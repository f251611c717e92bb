"""Actions: what policy, two keys and the application let happen, and modes."""

import os

from srup import limits, port, status
from srup_boot import ends, hw, start
from tests.unit.board import AUTHORITY, COMMAND, Board, Reset, action, answer, identify, two_keys
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import exists
from tests.unit.server import NOON, Key, token

REBOOT, LOW_POWER, WAKE, TURN_OFF, SET_MODE, SELF_DESTRUCT = 1, 2, 3, 4, 6, 7
SUCCESS, REFUSED, UNKNOWN, FAIL = (
    status.ACTION_SUCCESS,
    status.ACTION_REFUSED,
    status.ACTION_UNKNOWN,
    status.ACTION_FAIL,
)


# Policy and the application


def test_an_action_that_this_board_refuses_is_not_done_and_the_word_for_it_may_be_misspelt():
    for word in ("refuse", "refused", "", None, 7):
        with Board(policy={"WAKE": word, "APPLICATION": word, "0x81": "allow"}) as board:
            done = []
            board.agent.on_action(lambda number, parameters: done.append(number) or True)  # noqa: B023 - of this round
            assert answer(board, 1, WAKE) == REFUSED
            assert answer(board, 2, 0x80) == REFUSED
            assert answer(board, 3, 0x81) == SUCCESS
            assert done == [0x81]


def test_a_board_may_ask_for_two_keys_for_any_action():
    with Board(policy={"SET_MODE": "two-keys"}) as board:
        modes = []
        board.agent.on_mode(lambda mode: modes.append(mode) or True)
        nonce = board.agent._session.nonce()
        assert answer(board, 1, SET_MODE, b"pump") == REFUSED
        assert board.receive(two_keys(2, SET_MODE, nonce, b"pump", COMMAND)) == [(token(NOON, 2), REFUSED)]
        assert not modes
        assert board.receive(two_keys(3, SET_MODE, nonce, b"pump")) == [(token(NOON, 3), SUCCESS)]
        assert modes == ["pump"] and identify(board, 4)["mode"] == "pump"


def test_two_keys_of_the_start_before_are_none():
    with Board(policy={"WAKE": "two-keys"}) as board:
        nonce = board.agent._session.nonce()
        frame = two_keys(1, WAKE, nonce)
        board.restart()
        assert board.agent._session.nonce() != nonce
        assert board.receive(frame) == [(token(NOON, 1), REFUSED)]


def test_the_application_may_object_and_says_what_to():
    with Board() as board:
        asked = []
        board.agent.on_before(lambda name, parameters: asked.append((name, parameters)) or True)
        assert answer(board, 1, REBOOT) == REFUSED
        assert answer(board, 2, LOW_POWER, b"\0\0\0\x0a") == REFUSED
        assert answer(board, 3, 0x80, b"x") == REFUSED
        assert asked == [("REBOOT", b""), ("LOW_POWER", b"\0\0\0\x0a"), ("APPLICATION", b"x")]
        assert board.agent._session.interval == 0 and board.agent._session.ending is None


def test_an_application_that_is_out_of_its_mind_keeps_nobody_from_stopping_it():
    with Board() as board:
        board.agent.on_before(lambda name, parameters: True)
        board.air.coming.append(action(1, SET_MODE, b"safe"))
        raises(Reset, board.receive)
        assert board.answers() == [(token(NOON, 1), SUCCESS)]


def test_a_hook_that_fails_or_says_nothing_does_not_object():
    with Board() as board:
        board.agent.on_before(lambda name, parameters: 1 // 0)
        assert answer(board, 1, WAKE) == SUCCESS
        board.agent.on_before(lambda name, parameters: None)
        assert answer(board, 2, WAKE) == SUCCESS


def test_what_does_not_happen_the_application_is_not_asked_about():
    with Board() as board:
        asked = []
        board.agent.on_before(lambda name, parameters: asked.append(name))
        assert answer(board, 1, 0x7F) == UNKNOWN
        assert answer(board, 2, LOW_POWER, b"\x7f\0\0\0") == REFUSED
        assert answer(board, 3, WAKE, b"x") == FAIL
        assert not asked


# Modes


def test_safe_stops_the_application_over_restarts_until_normal():
    with Board() as board:
        assert not board.agent.safe
        raises(Reset, board.receive, action(1, SET_MODE, b"safe"))
        for nth in (2, 3):
            board.restart()
            assert board.agent.safe and identify(board, nth)["mode"] == "safe"
        assert answer(board, 4, SET_MODE, b"safe") == SUCCESS  # it is that already
        raises(Reset, board.receive, action(5, SET_MODE, b"normal"))
        board.restart()
        assert not board.agent.safe and identify(board, 6)["mode"] == "normal"


def test_beacon_is_the_applications_or_else_the_boards_light():
    with Board() as board:
        assert answer(board, 1, SET_MODE, b"beacon") == SUCCESS and board.blinks
        assert answer(board, 2, SET_MODE, b"normal") == SUCCESS and not board.blinks
        port.beacon = lambda on, pin: None
        assert answer(board, 3, SET_MODE, b"beacon") == UNKNOWN
        board.agent.on_mode(lambda mode: mode == "beacon")
        assert answer(board, 4, SET_MODE, b"beacon") == SUCCESS and identify(board, 5)["mode"] == "beacon"
        assert answer(board, 6, SET_MODE, b"\xff") == FAIL


def test_two_keys_are_the_authoritys_and_no_application_stands_in_their_way():
    with Board(policy={"WAKE": "two-keys"}) as board:
        board.agent.on_before(lambda name, parameters: True)
        frame = two_keys(1, WAKE, board.agent._session.nonce(), b"", AUTHORITY)
        assert board.receive(frame) == [(token(NOON, 1), SUCCESS)]


# The ends of a device


def marked(board):
    return exists(board.root + ".end"), exists(board.root + "/off")


def fingerprint(board):
    return port.sha256(Key("device").public).digest()


def test_turn_off_takes_two_keys_answers_and_leaves_a_marker():
    with Board() as board:
        nonce = board.agent._session.nonce()
        assert answer(board, 1, TURN_OFF) == REFUSED
        assert board.receive(two_keys(2, TURN_OFF, nonce, b"x")) == [(token(NOON, 2), FAIL)]
        assert marked(board) == (False, False)
        raises(Reset, board.receive, two_keys(3, TURN_OFF, nonce))
        assert board.answers()[-1] == (token(NOON, 3), SUCCESS) and marked(board) == (False, True)


def test_an_off_board_sleeps_at_whatever_wakes_it_until_its_power_is_cycled():
    with Board() as board:
        ends.off(board.root)
        real = hw.cause, hw.sleep
        slept = []
        hw.sleep = lambda: slept.append(1)
        try:
            for cause in ("watchdog", "reset", "sleep", "power", "watchdog"):
                hw.cause = lambda: cause  # noqa: B023 - called in this round
                start._heed_ends(board.root)
        finally:
            hw.cause, hw.sleep = real
        assert len(slept) == 3 and marked(board) == (False, False)


def test_self_destruct_names_its_device_and_is_answered_before_the_marker():
    with Board() as board:
        nonce = board.agent._session.nonce()
        assert answer(board, 1, SELF_DESTRUCT, fingerprint(board)) == REFUSED
        assert board.receive(two_keys(2, SELF_DESTRUCT, nonce, bytes(32))) == [(token(NOON, 2), REFUSED)]
        assert board.receive(two_keys(3, SELF_DESTRUCT, nonce)) == [(token(NOON, 3), REFUSED)]
        assert marked(board) == (False, False)
        raises(Reset, board.receive, two_keys(4, SELF_DESTRUCT, nonce, fingerprint(board)))
        assert board.answers()[-1] == (token(NOON, 4), SUCCESS) and marked(board) == (True, False)
        remove_marker(board)


def test_who_does_not_listen_for_the_answer_saves_no_device():
    with Ticks() as ticks, Board() as board:
        frame = two_keys(1, SELF_DESTRUCT, board.agent._session.nonce(), fingerprint(board))
        board.air.publish = lambda *arguments, **options: 0
        assert board.receive(frame) == [] and marked(board) == (False, False)
        ticks.pass_ms(limits.DESTROY_S * 1000)
        raises(Reset, board.agent.poll)
        assert marked(board) == (True, False)
        remove_marker(board)


def test_a_cut_after_the_answer_is_on_record_does_not_save_it_either():
    with Board() as board:
        frame = two_keys(1, SELF_DESTRUCT, board.agent._session.nonce(), fingerprint(board))
        board.air.publish = lambda *arguments, **options: 0
        board.receive(frame)
        board.restart()
        raises(Reset, board.receive)
        assert board.answers() == [(token(NOON, 1), SUCCESS)] and marked(board) == (True, False)
        remove_marker(board)


def test_a_cut_before_it_is_obeyed_is_told_as_a_failure_once():
    for number, own in ((TURN_OFF, b""), (SELF_DESTRUCT, port.sha256(Key("device").public).digest())):
        with Board() as board:
            board.cut(two_keys(1, number, board.agent._session.nonce(), own))
            board.restart()
            assert board.receive() == [(token(NOON, 1), FAIL)] and marked(board) == (False, False)
            board.restart()
            assert board.receive() == []


def test_a_board_may_rule_out_its_own_end():
    with Board(policy={"SELF_DESTRUCT": "refuse", "TURN_OFF": "allow"}) as board:
        nonce = board.agent._session.nonce()
        assert board.receive(two_keys(1, SELF_DESTRUCT, nonce, fingerprint(board))) == [(token(NOON, 1), REFUSED)]
        assert answer(board, 2, TURN_OFF) == REFUSED  # allowed, and two keys all the same


def remove_marker(board):
    os.remove(board.root + ".end")
