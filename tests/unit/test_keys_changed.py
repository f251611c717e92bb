"""DATA `keys` and `clock`: the authority changes whom a device trusts, and nobody else does, and nothing of the past comes back."""

from srup import MADE, clock, keys, status, tokens, trust, wire
from tests.unit.board import COMMAND, Still
from tests.unit.scratch import folder
from tests.unit.server import DEVICE, NOON, Key, token

AUTHORITY, NEXT, RELEASE = Key("authority"), Key("next"), Key("release")


def changed(nth, operation, role, key, by=AUTHORITY, name=b"keys"):
    """DATA keys, and its token."""
    value = bytes((operation, role)) + key.public
    return by.frame(wire.DATA, target=DEVICE, token=token(NOON, nth), name=name, value=value)


def ask(nth, key=COMMAND):
    return key.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, nth))


def governed():
    """A board that trusts an authority, too."""
    board = Still()
    trust.install(_store(board), keys.AUTHORITY, AUTHORITY.public, tokens.first_at(NOON - 86_400_000))
    return board


def _store(board):
    from srup.store import Store

    return Store(board.root + "/state.log")


def obeyed(board, frame):
    """Is it taken for good? (An ID_REQUEST is answered by an inventory.)"""
    before = len(board.air.sent)
    board.receive(frame)
    return any(sent.type == wire.DATA for sent in board.air.sent[before:])


def test_a_new_command_key_is_good_from_its_frame_on_beside_the_old_one_and_the_old_one_goes():
    with governed() as board:
        early = ask(1, NEXT)
        assert not obeyed(board, early)
        assert board.receive(changed(2, trust.ADD, keys.COMMAND, NEXT)) == [(token(NOON, 2), status.DATA_SUCCESS)]
        assert not obeyed(board, early), "signed before the key was installed"
        assert obeyed(board, ask(3, NEXT)) and obeyed(board, ask(4))
        board.restart()
        assert obeyed(board, ask(5, NEXT)) and obeyed(board, ask(6))
        assert board.receive(changed(7, trust.REMOVE, keys.COMMAND, COMMAND))[-1][1] == status.DATA_SUCCESS
        assert not obeyed(board, ask(8)) and obeyed(board, ask(9, NEXT))


def test_a_key_that_comes_back_brings_nothing_of_its_past():
    with governed() as board:
        captured = ask(50)
        assert obeyed(board, captured)
        for nth, operation, key in ((1, trust.ADD, NEXT), (2, trust.REMOVE, COMMAND), (3, trust.ADD, COMMAND)):
            assert board.receive(changed(nth, operation, keys.COMMAND, key))[-1][1] == status.DATA_SUCCESS
        for nth in range(60, 72):  # until its record is forgotten
            obeyed(board, ask(nth, NEXT))
        assert not obeyed(board, captured)
        assert obeyed(board, ask(80))


def test_a_stolen_command_key_changes_no_keys():
    with governed() as board:
        for frame in (
            changed(1, trust.ADD, keys.COMMAND, NEXT, by=COMMAND),
            changed(2, trust.REMOVE, keys.AUTHORITY, AUTHORITY, by=COMMAND),
            changed(3, trust.ADD, keys.COMMAND, NEXT, by=NEXT),
            changed(4, trust.ADD, keys.AUTHORITY, NEXT, by=COMMAND, name=b"clock"),
        ):
            assert board.receive(frame) == []
        assert board.road.session.refused == {"signature": 4}


def test_what_would_lock_a_device_out_is_refused_and_changes_nothing():
    with governed() as board:
        own = Key("device")
        refused = (
            (trust.REMOVE, keys.AUTHORITY, AUTHORITY),  # by itself
            (trust.REMOVE, keys.COMMAND, COMMAND),  # the last one
            (trust.ADD, keys.COMMAND, own),
            (trust.ADD, keys.RELEASE, COMMAND),  # it has a role
            (trust.ADD, 4, NEXT),
            (trust.REMOVE, 4, NEXT),
            (3, keys.COMMAND, NEXT),
        )
        board.receive(ask(1))
        before = board.road.store.items(b"K")
        for nth, (operation, role, key) in enumerate(refused):
            answers = board.receive(changed(10 + nth, operation, role, key))
            assert answers == [(token(NOON, 10 + nth), status.DATA_UNKNOWN)], (operation, role)
        no_point = AUTHORITY.frame(
            wire.DATA, target=DEVICE, token=token(NOON, 30), name=b"keys", value=bytes((1, 1, 4)) + bytes(64)
        )
        assert board.receive(no_point)[-1][1] == status.DATA_UNKNOWN
        assert board.road.store.items(b"K") == before


def test_an_authority_key_goes_by_another_one_s_word_which_so_is_known_to_work():
    with governed() as board:
        board.receive(changed(1, trust.ADD, keys.AUTHORITY, NEXT))
        itself = changed(2, trust.REMOVE, keys.AUTHORITY, AUTHORITY)
        assert board.receive(itself)[-1][1] == status.DATA_UNKNOWN
        other = changed(3, trust.REMOVE, keys.AUTHORITY, AUTHORITY, by=NEXT)
        assert board.receive(other)[-1][1] == status.DATA_SUCCESS
        assert board.receive(changed(4, trust.ADD, keys.RELEASE, RELEASE)) == []
        assert board.receive(changed(5, trust.ADD, keys.RELEASE, RELEASE, by=NEXT))[-1][1] == status.DATA_SUCCESS


def test_a_role_has_four_keys_and_the_same_order_again_changes_nothing():
    with governed() as board:
        for nth in range(3):
            board.receive(changed(1 + nth, trust.ADD, keys.COMMAND, Key(f"more {nth}")))
        floors = board.road.store.items(b"F")
        assert board.receive(changed(5, trust.ADD, keys.COMMAND, NEXT))[-1][1] == status.DATA_UNKNOWN
        assert board.receive(changed(6, trust.ADD, keys.COMMAND, COMMAND))[-1][1] == status.DATA_SUCCESS
        assert board.receive(changed(7, trust.REMOVE, keys.COMMAND, NEXT))[-1][1] == status.DATA_SUCCESS
        assert board.road.store.items(b"F") == floors


def test_a_power_cut_leaves_the_change_and_its_answer_together_or_neither():
    with governed() as board:
        order = changed(1, trust.ADD, keys.COMMAND, NEXT)
        board.receive(ask(0))
        board.cut(order)
        board.restart()
        answers = board.receive()
        assert answers[-1] == (token(NOON, 1), status.DATA_SUCCESS)
        assert obeyed(board, ask(2, NEXT))
        board.restart()
        assert obeyed(board, ask(3, NEXT)) and board.receive(order)[-1][1] == status.DATA_SUCCESS


# DATA `clock`


def clocked(nth, ms, identity=b"", by=AUTHORITY):
    value = ms.to_bytes(6, "big") + identity
    return by.frame(wire.DATA, target=DEVICE, token=token(NOON, nth), name=b"clock", value=value)


def test_the_authority_sets_the_floor_either_way_and_the_command_key_does_not():
    with governed() as board:
        for nth, ms in ((1, NOON + 500 * 86_400_000), (2, NOON - 1000)):
            assert board.receive(clocked(nth, ms))[-1][1] == status.DATA_SUCCESS
            assert board.road.store.get(clock.FLOOR) == ms.to_bytes(6, "big")
        assert board.receive(clocked(3, NOON + 1, by=COMMAND)) == []
        for nth, wrong in enumerate((b"x", keys.key_id(NEXT.public), keys.key_id(AUTHORITY.public))):
            assert board.receive(clocked(10 + nth, NOON, wrong))[-1][1] == status.DATA_UNKNOWN
        short = AUTHORITY.frame(wire.DATA, target=DEVICE, token=token(NOON, 255), name=b"clock", value=b"12345")
        assert board.receive(short)[-1][1] == status.DATA_UNKNOWN


def test_a_command_key_that_was_sent_far_ahead_is_good_again_from_the_authority_s_frame_on():
    with governed() as board:
        ahead = COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON + 399 * 86_400_000))
        assert obeyed(board, ahead)
        assert not obeyed(board, ask(1))
        assert board.receive(clocked(2, NOON, keys.key_id(COMMAND.public)))[-1][1] == status.DATA_SUCCESS
        assert not obeyed(board, ask(1)) and obeyed(board, ask(3))


def test_no_clock_is_before_the_software_was_made():
    assert clock.Clock({}, 0).floor() == MADE <= NOON
    assert clock.Clock({}, NOON).floor() == NOON


# The table of a new command key


class Prepared:
    """In place of P-256 with a kernel: `table` finds what `prepare` has made to its end."""

    def __init__(self, fails=None):
        self.made, self.steps, self.fails = [], 0, fails

    def keeps_tables(self):
        return True

    def table(self, public_key, make):
        return "table" if public_key in self.made else None

    def prepare(self, public_key, used):
        for _ in range(16):
            self.steps += 1
            if self.fails:
                raise self.fails
            yield
        self.made.append(public_key)


def prepared(p256):
    found = keys.Keys(_empty(), "device.key")
    found._p256 = lambda: p256
    return found


def _empty():
    from srup.store import Store

    return Store(folder() + "/log")


def test_the_table_that_a_key_misses_is_made_a_piece_at_a_time():
    p256 = Prepared()
    trusted = prepared(p256)
    assert trusted.table(NEXT.public) is None and not trusted.preparing(), "who has no key has nothing written"
    trusted.signed(keys.key_id(NEXT.public))
    for step in range(1, 17):
        trusted.prepare()
        assert p256.steps == step and trusted.preparing()
    trusted.prepare()
    assert not trusted.preparing() and trusted.table(NEXT.public) == "table"


def test_a_table_for_which_there_is_no_room_is_given_up_and_commands_are_obeyed_without():
    for fails in (OSError(28), MemoryError()):
        trusted = prepared(Prepared(fails))
        assert trusted.table(NEXT.public) is None
        trusted.signed(keys.key_id(NEXT.public))
        trusted.prepare()
        assert not trusted.preparing()


def test_a_download_takes_the_memory_and_the_table_begins_anew_after_it():
    p256 = Prepared()
    trusted = prepared(p256)
    trusted.table(NEXT.public)
    trusted.signed(keys.key_id(NEXT.public))
    trusted.prepare()
    trusted.leave()
    assert not trusted.preparing()
    trusted.table(NEXT.public)
    trusted.signed(keys.key_id(NEXT.public))
    for _ in range(17):
        trusted.prepare()
    assert trusted.table(NEXT.public) == "table"
