"""Low power: asleep between two looks at what has come, and never with something left to do."""

from srup import keys, limits, port, status, transaction, wire
from srup.store import Store
from tests.unit.board import COMMAND, Board, action, answer, data, identify
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


def unsaid(board):
    """In low power, and nobody takes the answer to the last command."""
    low_power(board, 30)
    board.agent._session.called = port.ticks_ms()
    board.air.publish = lambda *arguments, **options: 0
    board.receive(data(2))
    board.agent._session.called = None
    board.ticks.pass_ms(limits.AWAKE)
    board.slept.clear()


def resting(board, state):
    """In low power, at a start that finds an update in this state, or none."""
    low_power(board, 30)
    if state:
        named = bytes((state,)) + token() + keys.key_id(COMMAND.public) + b"\0"
        Store(board.root + "/state.log").put({b"U": named})
    board.restart()


def test_what_waits_for_a_connection_that_is_gone_is_slept_through_and_said_later():
    """The radio stayed on until the network came back."""
    with Clocked() as board:
        unsaid(board)
        port.network_start = lambda wifi, ppp: None
        board.air.up = False
        sleep_through(board, 1)
        assert board.slept == [30_000]
        sleep_through(board, 40)
        assert len(board.slept) == 1, "it has woken, and waits for a connection as long as ever"
        del board.air.publish
        board.air.up = True
        assert board.receive() == [(token(NOON, 2), status.DATA_UNKNOWN)]
        assert len(board.slept) > 1, "and now there is nothing left to be said"


def test_an_inventory_that_nobody_has_heard_and_an_update_that_waits_for_the_network_are_slept_through():
    for state in (transaction.WAITING, None):
        with Clocked() as board:
            resting(board, state)
            if not state:
                board.road.reports.append((wire.DATA, {}, {}))
            port.network_start = lambda wifi, ppp: None
            board.air.up = False
            sleep_through(board)
            board.slept.clear()
            board.ticks.pass_ms(limits.AWAKE)
            sleep_through(board, 2)
            assert board.slept, state


def test_whether_it_was_the_network_is_settled_before_the_board_sleeps():
    """Asleep it does not look for that: just awake again, it took what it had slept through for the time in which there was none."""
    with Clocked() as board:
        resting(board, transaction.DOUBT)
        port.network_start = lambda wifi, ppp: None
        board.air.up = False
        sleep_through(board)
        board.slept.clear()
        board.ticks.pass_ms(limits.AWAKE)
        sleep_through(board)
        assert not board.slept and board.road.state() == transaction.DOUBT
        board.ticks.pass_ms(board.agent.config.trial_s * 1000)
        sleep_through(board)
        assert board.slept and board.road.state() == transaction.WAITING


def test_a_download_a_trial_and_a_restart_are_not_slept_through_for_want_of_a_connection():
    for state in (transaction.FETCHING, transaction.TRIAL, None):
        with Clocked() as board:
            resting(board, state)
            board.road._found = False  # the hands have it
            board.road.reports.append((wire.DATA, {}, {}))
            board.air.up = False
            assert board.road.cut_off() is (state is None)
            board.agent._session.end("action")
            assert not board.road.cut_off()
