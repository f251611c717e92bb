"""The floor and the clock: where they may not go, and how a board comes back that they have cut off."""

from srup import clock, limits, port, status, tokens, wire
from srup.errors import Refused
from tests.unit import test_trust
from tests.unit.board import AUTHORITY, COMMAND, Board, data
from tests.unit.check import raises
from tests.unit.server import DEVICE, NOON, token

DAY = 86_400_000
LONG = NOON + 401 * DAY  # no board that was off until then knows of anything less than 400 days ago
TAKEN, REFUSED = status.DATA_SUCCESS, status.DATA_UNKNOWN


class Chip(Board):
    """Its date is set as a chip's is: one that it can't show raises."""

    def __enter__(self):
        self._set_clock, port.set_clock = port.set_clock, self._set
        self.dates = []
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        port.set_clock = self._set_clock

    def _set(self, ms, known=False):
        if ms > port.LATEST:
            raise OverflowError("overflow converting long int to machine word")
        self.dates.append(ms)

    def floor(self):
        return self.agent._clock.floor()


def set_floor(ms, at=NOON, nth=1):
    return AUTHORITY.frame(wire.DATA, target=DEVICE, token=token(at, nth), name=b"clock", value=ms.to_bytes(6, "big"))


def test_a_stolen_command_key_does_not_push_the_floor_to_where_no_chip_starts_again():
    with Chip() as board:
        board.road.store.put({clock.FLOOR: (port.LATEST - 40 * DAY).to_bytes(6, "big")})  # a hundred frames later
        for nth in range(3):
            named = tokens.mint(board.floor() + 300 * DAY, tokens.ZERO, bytes((0, nth)) + bytes(6))
            board.receive(COMMAND.frame(wire.DATA, target=DEVICE, token=named, name=b"app.x", value=b""))
        assert board.floor() == port.LATEST
        board.restart()
        assert board.dates[-1] == port.LATEST


def test_a_floor_that_no_chip_could_start_with_is_refused_also_of_the_authority():
    with Chip() as board:
        for nth, ms in enumerate((port.LATEST + 1, 2_208_988_800_000, (1 << 48) - 1)):
            assert board.receive(set_floor(ms, nth=nth)) == [(token(NOON, nth), REFUSED)]
        assert board.floor() == NOON
        assert board.receive(set_floor(port.LATEST, nth=3)) == [(token(NOON, 3), TAKEN)]
        board.restart()
        assert board.dates[-1] == port.LATEST


def test_a_time_that_the_clock_can_not_show_is_not_learned_as_another():
    with Chip() as board:
        board.road.store.put({clock.FLOOR: (port.LATEST - DAY).to_bytes(6, "big")})
        before = len(board.dates)
        assert board.agent._clock.learn(port.LATEST + 1) is False and len(board.dates) == before
        assert board.agent._clock.learn(port.LATEST) is True


def test_a_board_that_was_off_for_more_than_400_days_is_brought_back_by_the_authoritys_word():
    with Chip() as board:
        command = COMMAND.frame(wire.DATA, target=DEVICE, token=token(LONG, 2), name=b"app.x", value=b"")
        assert board.agent._clock.learn(LONG) is False
        assert board.receive(command) == [(token(LONG, 2), status.TOKEN_AHEAD)]
        assert board.receive(set_floor(LONG, LONG)) == [(token(LONG, 1), TAKEN)]
        assert board.receive(command) == [(token(LONG, 2), REFUSED)], "obeyed: the application takes none"
        assert board.agent._clock.learn(LONG + DAY) is True


def test_nothing_else_is_good_for_a_board_that_was_off_for_so_long():
    with Board() as board:
        for nth, name in enumerate((b"keys", b"settings", b"clocks")):
            key = COMMAND if name == b"clocks" else AUTHORITY
            named = token(LONG + limits.REFUSAL_PAUSE * nth, nth)
            board.receive(key.frame(wire.DATA, target=DEVICE, token=named, name=name, value=b"{}"))
        assert board.agent._session.refused == {"ahead": 3}
        assert board.receive(data(1)) == [(token(NOON, 1), REFUSED)], "and nothing has changed"


def test_the_authoritys_word_for_the_clock_is_in_order_and_no_exception_where_the_clock_is_set():
    board = test_trust.Board(now=None)
    board.receive(set_floor(LONG, LONG, 2))
    for older in (set_floor(NOON, LONG, 1), set_floor(NOON, NOON, 9)):
        assert raises(Refused, board.receive, older).status == status.TOKEN_STALE
    board = test_trust.Board(now=NOON)
    assert raises(Refused, board.receive, set_floor(LONG, LONG)).status == status.TOKEN_AHEAD
    board.now = LONG + limits.FRESH + 1
    assert raises(Refused, board.receive, set_floor(NOON, LONG)).status == status.TOKEN_EXPIRED
