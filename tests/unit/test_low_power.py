"""Low power: asleep between two looks at what has come, and never with something left to do."""

from srup import limits, port, status
from tests.unit.board import Board, action, answer, data, identify
from tests.unit.on_board_ticks import Ticks
from tests.unit.server import NOON, token

LOW_POWER, WAKE, CONNECT = 2, 3, 10
SUCCESS, REFUSED, FAIL = status.ACTION_SUCCESS, status.ACTION_REFUSED, status.ACTION_FAIL


def sleep_through(board, rounds=40):
    for _ in range(rounds):
        board.agent.poll()


def low_power(board, seconds):
    def sleep(ms):
        board.slept.append(ms)
        board.ticks.pass_ms(ms)

    port.light_sleep = sleep
    return answer(board, 1, LOW_POWER, seconds.to_bytes(4, "big"))


class Clocked(Board):
    """With its clock stopped but for its sleep."""

    def __enter__(self):
        self.ticks = Ticks()
        self.ticks.__enter__()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self.ticks.__exit__()


def test_in_low_power_the_board_sleeps_and_takes_what_waits_for_it():
    with Clocked() as board:
        assert low_power(board, 90) == SUCCESS
        sleep_through(board, 2)
        assert board.slept[:3] == [60_000, 30_000, 60_000] and board.network[:3] == ["start", "stop", "start"]
        board.slept.clear()
        assert board.receive(data(2)) == [(token(NOON, 2), status.DATA_UNKNOWN)]


def test_low_power_outlives_a_restart_and_wake_ends_it():
    with Clocked() as board:
        low_power(board, 30)
        board.restart()
        sleep_through(board)
        assert len(board.slept) > 1 and identify(board, 2)["poll"] == 30
        board.receive(action(3, WAKE))
        board.slept.clear()
        sleep_through(board)
        board.restart()
        sleep_through(board)
        assert not board.slept and "poll" not in identify(board, 4)


def test_a_board_sleeps_no_longer_than_it_is_let():
    with Board(max_sleep=600) as board:
        for nth, seconds, expected in ((1, 601, REFUSED), (2, 0, FAIL), (3, 600, SUCCESS)):
            assert answer(board, nth, LOW_POWER, seconds.to_bytes(4, "big")) == expected
    with Board() as board:
        assert answer(board, 1, LOW_POWER, (86_401).to_bytes(4, "big")) == REFUSED
        assert answer(board, 2, LOW_POWER, b"\1") == FAIL


def test_after_connect_it_stays_for_a_while():
    with Clocked() as board:
        low_power(board, 30)
        board.receive(action(2, CONNECT))
        board.slept.clear()
        sleep_through(board)
        assert not board.slept
        board.ticks.pass_ms(limits.CONNECTED)
        sleep_through(board)
        assert board.slept


def test_without_a_connection_it_gives_up_for_this_time_and_sleeps():
    with Clocked() as board:
        low_power(board, 30)
        port.network_start = lambda wifi, ppp: None
        sleep_through(board)
        board.slept.clear()
        sleep_through(board)
        assert not board.air.up and not board.slept
        board.ticks.pass_ms(limits.AWAKE)
        board.agent.poll()
        assert board.slept == [30_000]


def test_nothing_that_is_under_way_is_slept_through():
    with Clocked() as board:
        low_power(board, 30)
        board.slept.clear()
        board.agent._session.called = port.ticks_ms()
        board.air.publish = lambda *arguments, **options: 0  # nobody takes the answer
        board.receive(data(2))
        board.agent._session.called = None
        sleep_through(board)
        assert not board.slept
