"""What fails once, and what that leaves open: for stories of faults. With it, a second command key, which comes and goes."""

from srup import keys, wire
from tests.unit.board import AUTHORITY
from tests.unit.server import DEVICE, NOON, Key, token

SECOND = Key("command two")
ADD, REMOVE = b"\1\1", b"\2\1"


def key(nth, operation):
    """DATA `keys`, of a second command key."""
    value = operation + SECOND.public
    return AUTHORITY.frame(wire.DATA, target=DEVICE, token=token(NOON, nth), name=b"keys", value=value)


def trusted(board):
    return SECOND.public in [public for _, public in board.road.keys.of(keys.COMMAND)]


def failing(call, nth, error):
    """In place of `call`: its nth call from now on raises this error."""
    calls = []

    def instead(*arguments):
        calls.append(1)
        if len(calls) == nth:
            raise error
        return call(*arguments)

    return instead


def left_open(board, frame):
    """On record, and whoever was to obey it has forgotten it."""
    board.receive()  # what the last start left is taken up before
    board.road.replay.admit(board.road.auth.authenticate(wire.decode(frame)))


def open_ones(board):
    return [value[10:26] for _, value in board.road.store.items(b"X") if value[0] == 1]
