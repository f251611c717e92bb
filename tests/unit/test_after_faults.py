"""Flash that does not take something, or a heap that is full, once and at the worst moment: nothing is swallowed, nothing comes back, and
the board stays in reach."""

from srup import keys, late, limits, port, replay, status, tokens, transaction, trust, wire
from srup.errors import StorageError
from srup.store import Store
from srup_boot import record
from tests.unit.board import COMMAND, Board, Reset, action, data, told
from tests.unit.check import raises
from tests.unit.faults import ADD, REMOVE, SECOND, failing, key, open_ones, trusted
from tests.unit.on_board_ticks import Ticks
from tests.unit.server import DEVICE, NOON, Key, token
from tests.unit.test_low_power import Clocked, low_power, sleep_through

OTHER = Key("authority two")
ACTIVATE = COMMAND.frame(wire.ACTIVATE, token=token())
INITIATE_5 = COMMAND.initiate(token(NOON, 5))
FLASH, HEAP = StorageError("full"), MemoryError()


def for_ever():
    """In place of a download."""
    return (0 for _ in range(9999))


def rounds_with_a_broker(board, count):
    """That many minutes, in which there would be a connection."""
    for _ in range(count):
        board.air.up = True
        board.ticks.pass_ms(60_000)
        board.agent.poll()


# What a cut has left open


def test_a_key_is_not_added_once_another_authority_has_removed_it():
    """The old order was held against the tokens of its own signer alone; and what took it up found no memory, and was not tried again."""
    with Board() as board:
        trust.install(board.road.store, keys.AUTHORITY, OTHER.public, tokens.first_at(NOON - 86_400_000))
        board.receive()
        board.cut(key(1, ADD))
        board.restart()
        board.road.take_up = failing(board.road.take_up, 1, HEAP)
        board.receive()
        board.air.up = True
        removal = OTHER.frame(
            wire.DATA, target=DEVICE, token=token(NOON, 2), name=b"keys", value=REMOVE + SECOND.public
        )
        board.receive(removal)
        assert not trusted(board)
        board.restart()
        board.receive()
        assert not trusted(board) and not open_ones(board)


def test_what_a_cut_left_open_is_taken_up_though_there_was_no_memory_for_it_at_first():
    with Board() as board:
        board.receive()
        board.cut(data(1))
        board.restart()
        heard = []
        board.agent.on_data(lambda name, value: heard.append(value) or True)
        board.road.take_up = failing(board.road.take_up, 1, HEAP)
        board.receive()
        board.air.up = True
        board.receive()
        assert len(heard) == 1 and not open_ones(board)


def flooded(board, count):
    """INITIATEs that came during a trial, as an agent before this one has left them: all of them."""
    board.receive()
    signer = keys.key_id(COMMAND.public)
    for nth in range(1, count + 1):
        elements = {
            "target": DEVICE,
            "token": token(NOON, nth),
            "url": b"https://elsewhere/x.srup",
            "digest": bytes(32),
        }
        frame = wire.seal(wire.preimage(wire.INITIATE, elements), bytes(64))
        head = bytes((replay.RECEIVED, wire.INITIATE)) + signer + token(NOON, nth) + DEVICE
        entry = b"X" + port.sha256(frame).digest()
        board.road.store.put({entry: head + frame, b"T" + signer + DEVICE: token(NOON, nth)})


def test_a_board_that_an_older_agent_has_left_with_a_flood_is_in_reach():
    """To let all of them go at once took more than a record of the store holds: nothing was admitted any more."""
    with Board() as board:
        flooded(board, 45)
        board.restart()
        for _ in range(5):  # connections: there may be no memory for it at first
            board.air.up = True
            board.receive()
            board.sent.clear()
        assert not open_ones(board)
        board.receive(COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 200)))
        assert told(board, b"inventory")


def test_an_update_that_waited_for_the_end_of_a_trial_is_not_begun_where_its_key_was_removed_meanwhile():
    with Board(trial=True) as board:
        board.road.store.put(transaction.change(transaction.TRIAL, token(), keys.key_id(COMMAND.public), 0))
        trust.install(board.road.store, keys.COMMAND, SECOND.public, tokens.first_at(NOON - 86_400_000))
        board.restart()
        board.receive()
        board.receive(SECOND.initiate(token(NOON, 5)))
        board.receive(key(6, REMOVE))
        board._trial = False
        board.restart()
        assert (token(NOON, 5), status.SUPERSEDED) in board.receive()
        assert not board.road.fetching() and not open_ones(board)


# What could not be carried out


def deaf_once(board, fault):
    """STAGED, where the connection makes room for a download; the next INITIATE finds this fault when it discards that."""
    board.receive()
    board.road.store.put(transaction.change(transaction.STAGED, token(), keys.key_id(COMMAND.public), 0))
    board.restart()
    board.receive()
    board.hands.updater._fetching = for_ever
    board.hands.slots.discard_other = fault
    board.air.coming.append(INITIATE_5)
    for _ in range(40):
        board.agent.poll()


def test_a_fault_between_two_updates_leaves_no_board_waiting_for_a_download_that_never_began():
    """With its connection closed for that: out of reach until its power was cycled."""
    with Clocked(memory={"drop_mqtt": True}) as board:
        deaf_once(board, failing(lambda: None, 1, HEAP))
        rounds_with_a_broker(board, 20)
        assert board.air.up and (token(NOON, 5), status.UPDATE_FAIL_STORAGE) in board.answers()


def test_nor_do_two_faults():
    with Clocked(memory={"drop_mqtt": True}) as board:

        def discard():
            board.road.store.put = failing(board.road.store.put, 1, FLASH)
            raise FLASH

        deaf_once(board, discard)
        connected = []
        for _ in range(50):
            rounds_with_a_broker(board, 1)
            connected.append(board.air.up or board.road is not None and board.road.working())
        assert connected[-1], "it can be told, or is at it again"


def test_files_that_the_application_has_taken_are_told_to_be_taken():
    with Board() as board:
        board.receive()
        done = []

        class Slots:
            def hand_over(self, token):
                done.append("taken")

            def discard_other(self):
                done.append("the other discarded")

            def record(self):
                return taken

        class taken:
            token, outcome = token(), record.CONFIRMED

        board.road.store.put(transaction.change(transaction.STAGED, token(), keys.key_id(COMMAND.public), 3))
        board.restart()
        board.receive()
        board.hands.updater._data = board.road._hands._data = Slots
        store = board.road.store
        store.put = failing(store.put, 3, FLASH)  # admitted, TRIAL, and not its end
        board.receive(ACTIVATE)
        board.hands.updater._data = Slots
        assert done == ["taken"] and (token(), status.ACTIVATE_FAIL) not in board.answers()


def test_what_only_waits_to_be_said_is_not_taken_up_with_what_a_fault_has_left():
    """It was done and told twice."""
    with Ticks(), Board() as board:
        board.receive()
        holds, board.road.outbox.holds = board.road.outbox.holds, lambda: True  # its group's members take turns
        board.receive(COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 1)), action(2, 5))
        store = board.road.store
        store.put = failing(store.put, 2, FLASH)
        board.receive(data(3))
        board.air.up = True
        board.receive()
        board.road.outbox.holds = holds
        board.receive()
        assert [value for name, value in board.answers() if name == token(NOON, 2)] == [status.ACTION_SUCCESS]
        assert len(told(board, b"inventory")) == 1 and not open_ones(board)


# What waits for the next connection


def left_open(board):
    """Frames that are on record and open, whether the road is in memory or not."""
    return [entry for entry, value in Store(board.root + "/state.log").items(b"X") if value[0] == replay.RECEIVED]


def left_by_a_fault(board):
    """A command is on record, and open; the connection was dropped for it, and there is no network."""
    store = board.road.store
    store.put = failing(store.put, 2, FLASH)
    board.receive(data(3))
    assert not board.air.up and left_open(board)
    port.network_start = lambda wifi, ppp: None


def test_a_board_in_low_power_sleeps_though_a_fault_has_left_something_open():
    with Clocked() as board:
        low_power(board, 30)
        board.agent._session.called = port.ticks_ms()
        board.receive(data(2))
        left_by_a_fault(board)
        board.agent._session.called = None
        board.slept.clear()
        for _ in range(5):
            board.ticks.pass_ms(limits.AWAKE)
            board.agent.poll()
        assert board.slept
        port.network_start = board._start_network
        board.ticks.pass_ms(limits.AWAKE)
        sleep_through(board)
        board.receive()
        assert not left_open(board)


def test_what_a_fault_has_left_open_is_in_the_way_of_no_connection():
    """TLS needs the memory in which the road lies."""
    with Clocked(memory={"drop_mqtt": True}) as board:
        board.receive()
        left_by_a_fault(board)
        for _ in range(5):
            board.agent.poll()
        assert board.road is None
        board.air.up = True
        board.receive()
        assert not left_open(board)


def test_flash_that_fails_while_a_start_finds_out_where_it_is_is_tried_once_for_each_connection():
    with Board() as board:
        board.receive()
        board.road.store.put(transaction.change(transaction.TRIAL, token(), keys.key_id(COMMAND.public), 0))
        board.restart()
        tries = []

        def full(changes):
            tries.append(changes)
            raise FLASH

        board.road.store.put = full
        for _ in range(100):
            board.agent.poll()
        assert len(tries) <= 2


def test_a_boot_record_for_which_there_is_no_memory_ends_no_application():
    class Real(Board):
        caught = Exception

    with Real() as board:
        board.receive()
        once, late.once = late.once, failing(late.once, 1, HEAP)
        try:
            raises(Reset, board.receive, action(1, 1))  # REBOOT
        finally:
            late.once = once
        assert board.resets == 1
