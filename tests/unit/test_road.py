"""The road between a flash, a heap and a source of randomness that may fail; and in memory only while it is needed."""

import sys

from srup import auth, keys, late, limits, port, status, transaction, update, wire
from srup.errors import StorageError
from tests.unit.board import COMMAND, Board, Reset, action, data, identify, told
from tests.unit.check import raises
from tests.unit.faults import ADD, REMOVE, failing, key, left_open, open_ones, trusted
from tests.unit.on_board_ticks import Ticks
from tests.unit.server import DEVICE, NOON, token

# Flash, heap and randomness that fail


def test_what_flash_does_not_take_is_not_acknowledged_and_the_application_goes_on():
    with Board() as board:
        store = board.road.store
        put = store.put

        def refuses(changes):
            raise StorageError("full")

        store.put = refuses
        board.air.coming.append(data(1))
        board.agent.poll()
        assert board.air.acknowledgements == 0 and not board.air.up
        store.put, board.air.up = put, True
        assert board.receive() == [(token(NOON, 1), status.DATA_UNKNOWN)]


def test_a_heap_that_is_full_is_no_reason_to_lose_a_frame():
    with Board() as board:
        admit, board.road.replay.admit = board.road.replay.admit, _no_memory
        board.air.coming.append(data(1))
        board.agent.poll()
        assert board.air.acknowledgements == 0 and not board.air.up
        board.road.replay.admit, board.air.up = admit, True
        assert board.receive() == [(token(NOON, 1), status.DATA_UNKNOWN)]


def _no_memory(*_):
    raise MemoryError()


def test_an_update_for_which_there_is_no_memory_fails_and_is_not_resumed_for_ever():
    with Board() as board:
        board.hands.slots.sweep = _no_memory
        assert board.receive(COMMAND.initiate(token())) == [(token(), status.UPDATE_FAIL_SPACE)]
        board.restart()
        assert board.hands.updater.state == update.IDLE


def test_a_download_whose_initiate_is_lost_has_failed():
    with Board() as board:
        board.road.store.put({b"U": bytes((update.FETCHING,)) + token() + bytes(8)})
        board.restart()
        assert board.receive() == [(token(), status.UPDATE_FAIL_STORAGE)]


def test_an_end_that_flash_did_not_take_is_told_when_it_does():
    with Board() as board:
        store, updater = board.road.store, board.hands.updater
        frame = COMMAND.frame(wire.INITIATE, target=DEVICE, token=token(), url=b"https://elsewhere/x", digest=bytes(32))
        board.air.coming.append(frame)
        put = store.put

        def refuses_the_end(changes):
            if changes.get(b"U", b"\x01")[0] == update.IDLE:
                raise StorageError("full")
            put(changes)

        store.put = refuses_the_end
        for _ in range(4):
            board.air.up = True
            board.agent.poll()
        assert updater.state == update.FETCHING
        store.put, board.air.up = put, True
        assert board.receive() == [(token(), status.UPDATE_FAIL_URL)]


def test_a_trial_that_has_failed_restarts_also_where_flash_does_not_take_that():
    with Board(trial=True) as board:
        board.road.store.put({b"U": bytes((update.TRIAL,)) + token() + keys.key_id(COMMAND.public)})
        board.restart()

        def refuses(reason):
            raise StorageError("boot record")

        board.hands.slots.revert = refuses
        board.agent.on_self_test(lambda: False)
        raises(Reset, board.agent.poll)
        assert board.hands.updater.state == update.TRIAL


def test_a_stuck_random_source_silences_no_board():
    with Board() as board:

        def stuck(count):
            raise port.StuckRandom("stuck")

        port.random = stuck
        assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]
        assert identify(board, 2)["slot"] == "a"


# What is on record and could not be obeyed


def staged():
    yield 0
    return 0, b""


def test_a_key_whose_addition_flash_failed_does_not_come_back_once_it_is_removed():
    with Board() as board:
        store = board.road.store
        store.put = failing(store.put, 2, StorageError("full"))  # the first has it on record
        assert board.receive(key(1, ADD)) == [] and board.air.acknowledgements == 1 and not board.air.up
        board.air.up = True
        assert board.receive() == [(token(NOON, 1), status.DATA_SUCCESS)] and trusted(board)
        assert board.receive(key(2, ADD), key(3, REMOVE))[-1] == (token(NOON, 3), status.DATA_SUCCESS)
        board.restart()
        assert board.receive() == [] and not trusted(board)


def test_what_is_on_record_is_obeyed_before_what_comes_after_it():
    with Board() as board:
        heard = []
        board.agent.on_data(lambda name, value: heard.append(value) or True)
        store = board.road.store
        store.put = failing(store.put, 2, StorageError("full"))
        board.receive(data(1, value=b"first"), data(2, value=b"second"))
        assert heard == [b"first"]  # its hook; then it could not be answered
        board.air.up = True
        answers = board.receive()
        assert sorted(answers) == [(token(NOON, nth), status.DATA_SUCCESS) for nth in (1, 2)]
        assert heard == [b"first", b"first", b"second"]


def test_a_key_whose_frame_finds_no_memory_after_its_record_does_not_come_back_either():
    with Board() as board:
        board.receive()
        board.road.replay._command = failing(board.road.replay._command, 1, MemoryError())
        board.receive(key(1, ADD))
        board.air.up = True
        assert board.receive()[0] == (token(NOON, 1), status.DATA_SUCCESS)
        board.receive(key(2, ADD), key(3, REMOVE))
        board.restart()
        assert board.receive() == [] and not trusted(board)


def test_an_action_whose_proof_finds_no_memory_has_failed_and_is_told_so():
    with Board() as board:
        done = []
        board.agent.on_action(lambda number, parameters: done.append(number) or True)
        board.road._proven = failing(board.road._proven, 1, MemoryError())
        board.receive(action(1, 0x80))
        board.air.up = True
        assert (token(NOON, 1), status.ACTION_FAIL) in board.receive()
        assert board.receive(action(2, 0x80)) == [(token(NOON, 2), status.ACTION_SUCCESS)] and done == [0x80]


def test_a_key_is_not_added_by_a_frame_that_was_left_open_before_it_was_removed():
    with Board() as board:
        left_open(board, key(1, ADD))
        board.receive(key(2, ADD), key(3, REMOVE))
        board.restart()
        assert board.receive() == [(token(NOON, 1), status.DATA_UNKNOWN)] and not trusted(board)


def test_an_initiate_that_was_left_open_takes_no_newer_ones_place():
    with Board() as board:
        left_open(board, COMMAND.initiate(token(NOON, 1)))
        board.hands.updater._fetching = staged
        answers = board.receive(COMMAND.initiate(token(NOON, 2)))
        assert sorted(answers) == [
            (token(NOON, 1), status.SUPERSEDED),
            (token(NOON, 2), status.UPDATE_SUCCESS),
        ] and not open_ones(board)
        board.restart()
        assert board.receive() == [] and transaction.staged(board.road.store)[0] == token(NOON, 2)


def test_of_two_initiates_that_were_left_open_the_newer_is_obeyed():
    with Board() as board:
        for nth in (1, 2):
            left_open(board, COMMAND.initiate(token(NOON, nth)))
        board.restart()
        board.hands.updater._fetching = staged
        answers = board.receive()
        assert sorted(answers) == [(token(NOON, 1), status.SUPERSEDED), (token(NOON, 2), status.UPDATE_SUCCESS)]


def test_what_nothing_has_overtaken_is_taken_up_whatever_came_after_it():
    with Board() as board:
        left_open(board, COMMAND.initiate(token(NOON, 1)))
        left_open(board, data(2))
        board.receive(COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 3)), data(4, b"app.y"))
        board.restart()
        heard = []
        board.agent.on_data(lambda name, value: heard.append(name) or True)
        board.hands.updater._fetching = lambda: (0 for _ in range(9999))
        assert board.receive() == [(token(NOON, 2), status.DATA_SUCCESS)] and heard == ["app.x"]
        assert board.receive(data(5)) == [(token(NOON, 5), status.DATA_SUCCESS)]
        board.restart()
        board.hands.updater._fetching = lambda: (0 for _ in range(9999))
        board.receive()
        assert board.road.fetching() and board.hands.updater.token == token(NOON, 1) and board.hands.updater.at_work()


def test_data_whose_hook_was_overtaken_by_the_next_is_not_handed_over_after_it():
    with Board() as board:
        heard = []

        def hook(name, value):
            heard.append(value)
            if value == b"old":
                board.air.coming.append(data(2, value=b"new"))
                for _ in range(40):
                    board.agent.poll()
                raise Reset()
            return True

        board.agent.on_data(hook)
        board.air.coming.append(data(1, value=b"old"))
        raises(Reset, board.receive)
        board.restart()
        board.agent.on_data(hook)
        assert board.receive() == [] and heard == [b"old", b"new"] and not open_ones(board)


def test_flash_that_fails_is_not_tried_in_each_round():
    with Board() as board:
        board.receive()
        tries = []

        def full(changes):
            tries.append(1)
            raise StorageError("full")

        left_open(board, data(1))
        board.road.store.put = full
        board.road.take_up()
        board.receive()
        assert len(tries) == 1 and not board.air.up
        board.air.up = True
        board.receive()
        assert len(tries) == 2


def test_what_obeys_and_raises_what_nobody_has_foreseen_is_told_and_not_taken_up_for_ever():
    with Board() as board:

        def missing(command):
            raise ImportError("no module named 'srup.inventory'")

        board.hands.commands._inform = missing
        board.air.coming.append(COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 1)))
        assert board.receive() == [(token(NOON, 1), status.ACTION_FAIL)]
        assert not open_ones(board)


# A stolen command key


def test_initiates_that_come_during_a_trial_fill_neither_heap_nor_flash():
    with Ticks(), Board(trial=True) as board:
        board.road.store.put(transaction.change(update.TRIAL, token(), keys.key_id(COMMAND.public), 0))
        board.restart()
        assert board.receive() == [(token(), status.ACTIVATE_TRIAL)]
        board.road.auth.authenticate = lambda it: auth.Authenticated(it, keys.key_id(COMMAND.public), DEVICE)
        board.road.keys.sign = lambda digest: bytes(64)  # or it would take minutes
        elements, most = {"target": DEVICE, "url": b"https://localhost:8443/" + b"x" * 480, "digest": bytes(32)}, 0
        answered = 0
        for nth in range(1, 201):
            elements["token"] = token(NOON, nth)
            board.air.coming.append(wire.seal(wire.preimage(wire.INITIATE, elements), bytes(64)))
            while board.air.coming:
                board.agent.poll()
            most = max(most, len(open_ones(board)))
            answered += board.answers().count((token(NOON, nth - 1), status.SUPERSEDED))
            board.sent.clear()
        assert answered == 199 and most <= 2
        assert open_ones(board) == [token(NOON, 200)]
        board.restart()
        assert identify(board, 201)["trial"] == 1
        assert board.receive(data(202)) == [(token(NOON, 202), status.DATA_UNKNOWN)]


def test_no_more_is_admitted_than_can_be_kept_and_the_rest_comes_again():
    with Board() as board:
        board.receive()
        real, board.road.outbox.holds = board.road.outbox.holds, lambda: True  # so that no inventory goes
        requests = [COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, nth)) for nth in range(1, 13)]
        board.receive(*requests)
        assert len(open_ones(board)) == limits.TRANSACTIONS == board.air.acknowledgements
        assert board.air.up and not board.road.session.refused
        board.road.outbox.holds = real
        board.receive()
        assert len(told(board, b"inventory")) == 12 == board.air.acknowledgements and not open_ones(board)


# What is in memory only while it is needed


def quiet(ticks, board):
    """Time passes, and nothing comes."""
    for _ in range(3):
        ticks.pass_ms(limits.LINGER)
        board.agent.poll()


def test_a_quiet_device_keeps_only_what_waits_for_the_next_frame():
    with Ticks() as ticks, Board() as board:
        assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]
        quiet(ticks, board)
        assert board.road is None
        assert board.receive(data(2)) == [(token(NOON, 2), status.DATA_UNKNOWN)]


def test_what_was_answered_before_a_quiet_while_is_remembered_after_it():
    with Ticks() as ticks, Board() as board:
        board.agent.on_action(lambda number, parameters: done.append(number) or True)
        done = []
        frame = action(9, 0x80)
        answers = [board.receive(frame), quiet(ticks, board), board.receive(frame), quiet(ticks, board)]
        assert answers == [[(token(NOON, 9), status.ACTION_SUCCESS)], None] * 2 and done == [0x80]
        stale = action(1, 0x80)
        assert board.receive(stale) == [(token(NOON, 1), status.TOKEN_STALE)]
        quiet(ticks, board)
        assert board.receive(stale, action(2, 0x80)) == []  # one refusal a minute, and one of each token
        ticks.pass_ms(limits.REFUSAL_PAUSE)
        assert board.receive(stale) == []


def test_the_clock_keeps_its_floor_in_a_quiet_while():
    with Ticks() as ticks, Board() as board:
        board.receive(data(1))
        floor = board.agent._clock.floor()
        quiet(ticks, board)
        assert board.road is None and board.agent._clock.floor() == floor == NOON


def test_an_answer_that_nobody_has_taken_keeps_the_road_in_memory():
    with Ticks() as ticks, Board() as board:
        board.air.publish = lambda *arguments, **options: 0
        board.receive(data(1))
        quiet(ticks, board)
        assert board.road is not None


def test_a_hook_that_takes_its_time_and_polls_does_not_lose_what_called_it():
    with Ticks() as ticks, Board() as board:
        board.agent.on_action(lambda number, parameters: quiet(ticks, board) or board.road is not None)
        assert board.receive(action(1, 0x80)) == [(token(NOON, 1), status.ACTION_SUCCESS)]


def test_a_frame_whose_connection_is_lost_while_the_road_is_imported_comes_again():
    with Ticks() as ticks, Board() as board:
        quiet(ticks, board)
        load, board.agent._late.load = board.agent._late.load, lambda: False
        board.air.coming.append(data(1))
        board.agent.poll()
        board.air.up = False
        board.agent._late.load = load
        board.agent.poll()
        assert board.air.acknowledgements == 0
        board.air.up = True
        assert board.receive() == [(token(NOON, 1), status.DATA_UNKNOWN)]


def test_an_application_that_leaves_no_memory_for_commands_is_started_again():
    with Ticks() as ticks, Board() as board:
        quiet(ticks, board)
        board.agent._late.load = _no_memory
        board.air.coming.append(data(1))
        for _ in range(limits.STARVED - 1):
            board.air.up = True
            board.agent.poll()
        board.air.up = True
        raises(Reset, board.agent.poll)
        assert board.air.acknowledgements == 0
        board.restart()
        assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]


class Short:
    """`with Short():` the heap has no room for all of the agent at once."""

    def __enter__(self):
        self._real, late.short = late.short, lambda: True

    def __exit__(self, *_):
        late.short = self._real


def present():
    return [name for name in ("p256", "hands") if "srup." + name in sys.modules]


def test_where_memory_is_short_what_verifies_and_what_obeys_are_there_by_turns():
    sys.modules.pop("srup.hands", None)  # of another test
    with Short(), Board() as board:
        obeying, publishing = [], []
        publish = board.air.publish
        board.air.publish = lambda *arguments: publishing.append(present()) or publish(*arguments)
        board.agent.on_action(lambda number, parameters: obeying.append(present()) or True)
        frames = [action(nth, 0x80) for nth in (1, 2)]
        assert board.receive(*frames) == [(token(NOON, nth), status.ACTION_SUCCESS) for nth in (1, 2)]
        assert obeying == [["hands"]] * 2 and publishing == [["p256"]] * 2


def test_a_trial_is_judged_once_however_often_its_judge_has_made_room():
    with Short(), Board(trial=True) as board:
        board.road.store.put(transaction.change(update.TRIAL, token(), keys.key_id(COMMAND.public), 0))
        board.restart()
        judged = []
        board.agent.on_self_test(lambda: judged.append(1) or True)
        assert board.receive() == [(token(), status.ACTIVATE_TRIAL)]
        assert board.receive(data(9)) == [(token(NOON, 9), status.DATA_UNKNOWN)] and judged == [1]


def test_a_hook_that_polls_is_handed_the_next_command_where_memory_is_short():
    with Short(), Board() as board:
        done = []

        def hook(number, parameters):
            if number == 0x80:
                board.air.coming.append(action(2, 0x81))
                for _ in range(9):
                    board.agent.poll()
            done.append(number)
            return True

        board.agent.on_action(hook)
        answers = board.receive(action(1, 0x80))
        assert done == [0x81, 0x80]
        assert sorted(answers) == [(token(NOON, nth), status.ACTION_SUCCESS) for nth in (1, 2)]


def test_what_was_admitted_and_finds_no_memory_to_be_obeyed_is_tried_again_and_has_failed_in_the_end():
    with Short(), Board() as board:
        done = []
        board.agent.on_action(lambda number, parameters: done.append(number) or True)
        load, board.road._obeys.load = board.road._obeys.load, _no_memory
        board.air.coming.append(action(1, 0x80))
        for _ in range(9):
            board.agent.poll()
        assert not board.air.up and board.air.acknowledgements == 1
        board.air.up, board.road._obeys.load = True, load
        assert board.receive() == [(token(NOON, 1), status.ACTION_SUCCESS)] and done == [0x80]

        board.road._obeys.load = _no_memory
        board.air.coming.append(action(2, 0x80))
        with_pauses(board)
        board.restart()
        board.agent.on_action(lambda number, parameters: done.append(number) or True)
        assert board.receive() == [(token(NOON, 2), status.ACTION_FAIL)] and done == [0x80]


def with_pauses(board):
    """The connection is lost whenever there is no memory, and comes back; in the end the board restarts."""
    try:
        for _ in range(10 * limits.STARVED):
            board.air.up = True
            board.agent.poll()
    except Reset:
        return
    raise AssertionError("it goes on for ever")


def test_where_memory_is_short_the_connection_makes_room_for_the_download():
    with Board() as board:
        board.agent.config.drop_mqtt = True
        board.hands.slots.sweep = lambda: iter((0,) * 20)
        board.air.coming.append(COMMAND.initiate(token(), url=b"https://elsewhere/x"))
        for _ in range(5):
            board.agent.poll()
        assert board.road.fetching() and not board.air.up and not board.air.coming
        for _ in range(20):
            board.agent.poll()
        assert board.road is None  # it makes room in its turn, until there is a connection
        board.air.up = True
        assert board.receive() == [(token(), status.UPDATE_FAIL_URL)]
