"""A board that is put into groups, and what is sent to one."""

from srup import status, wire
from tests.unit.board import COMMAND, Still
from tests.unit.server import DEVICE, NOON, token

LAMPS = bytes.fromhex("886313e13b8a53729b900c9aee199e5d")
DOORS = bytes.fromhex("21f7f8de80515b8986800195ef798b6a")
TOPIC = b"srup/group/886313e1-3b8a-5372-9b90-0c9aee199e5d/c2"
MODE = 0x80


def listed(nth, *members, key=COMMAND, target=DEVICE):
    """DATA groups: the device is in these."""
    return key.frame(wire.DATA, target=target, token=token(NOON, nth), name=b"groups", value=b"".join(members))


def order(nth, group=LAMPS, key=COMMAND):
    """An ACTION to a group."""
    return key.frame(wire.ACTION, target=group, token=token(NOON, nth), action=MODE, parameters=b"")


def install(store, role, public_key, floor):
    from srup import trust  # now, as on a board: it takes memory

    trust.install(store, role, public_key, floor)


def board():
    """One whose application does as it is told; what it was told is in `.done`."""
    made = Still()
    made.done = []
    return made


def obeyed(board, frame):
    before = len(board.done)
    board.agent.on_action(lambda action, parameters: board.done.append(action) or True)
    board.receive(frame)
    return len(board.done) > before


def joined(board, nth, *members):
    assert board.receive(listed(nth, *members))[-1] == (token(NOON, nth), status.DATA_SUCCESS)
