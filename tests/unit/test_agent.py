"""The agent between a transport, an application and a flash that all may fail: what a restart finds, and what nobody may do."""

from os import mkdir, rmdir

from srup import keys, limits, reply, status, update, wire
from srup.errors import InvalidKey, NetworkError, NoMemory
from srup.store import Store
from srup_boot import record
from tests.unit.board import AUTHORITY, COMMAND, UUID, Board, Reset, action, answer, data
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import exists, tree, write
from tests.unit.server import DEVICE, NOON, token

# The application's faults are its own


def test_a_callback_that_raises_ends_nothing():
    with Board() as board:
        board.agent.subscribe("in", lambda topic, payload: 1 // 0)
        board.air.callbacks[b"app/" + UUID.encode() + b"/in"](b"in", b"x")


def test_data_that_a_cut_left_received_is_handed_over_once_the_hooks_are_there():
    with Board() as board:
        board.cut(data(1))
        board.restart()
        heard = []
        board.agent.on_data(lambda name, value: heard.append((name, value)) or True)
        assert board.receive() == [(token(NOON, 1), status.DATA_SUCCESS)]
        assert heard == [("app.x", b"v")]
        board.restart()
        assert board.receive() == []


def test_data_that_ends_in_a_reset_is_not_taken_up_for_ever():
    def resets(name, value):
        raise Reset()

    with Board() as board:
        board.agent.on_data(resets)
        board.air.coming.append(data(1))
        raises(Reset, board.receive)
        board.restart()
        board.agent.on_data(resets)
        raises(Reset, board.receive)
        board.restart()
        board.agent.on_data(resets)
        assert board.receive() == [(token(NOON, 1), status.DATA_UNKNOWN)]


def test_an_action_that_a_cut_left_received_has_failed_and_is_not_done():
    with Board() as board:
        board.cut(action(1, 0x80))
        board.restart()
        done = []
        board.agent.on_action(lambda number, parameters: done.append(number) or True)
        assert board.receive() == [(token(NOON, 1), status.ACTION_FAIL)] and not done


def test_a_crash_leaves_the_board_on_the_network_for_a_minute_after_its_start():
    with Ticks() as ticks, Board() as board:
        stopped = []
        board.agent.on_stop(lambda: stopped.append(1))
        board.agent.crashed(ValueError("app"))
        assert stopped == [1] and exists(board.root + "/crash.txt")
        assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]
        ticks.pass_ms(limits.REACHABLE)
        raises(Reset, board.agent.poll)
        assert stopped == [1] and board.resets == 1


def counted(board, starts=4):
    """The boot part has counted so many starts of the slot that runs; then the agent starts."""
    state = record.load(board.root)
    state.active, state.starts = 0, starts
    state.save(board.root)
    board.restart()
    return lambda: record.load(board.root).starts


def test_a_stable_minute_is_no_crash_loop_and_costs_one_write():
    with Ticks() as ticks, Board() as board:
        starts = counted(board)
        ticks.pass_ms(limits.REACHABLE - 1)
        board.agent.poll()
        assert starts() == 4
        ticks.pass_ms(1)
        board.agent.poll()
        assert starts() == 0
        sequence = record.load(board.root).sequence
        for _ in range(9):
            ticks.pass_ms(limits.REACHABLE)
            board.agent.poll()
        assert record.load(board.root).sequence == sequence


def test_a_board_whose_slots_can_not_be_found_is_in_reach():
    """slots.json means flash that this machine has not got, or is damaged."""
    for described in (
        b'{"regions": [[0, 4096], [4096, 4096]]}',
        b'{"regions": ["/nowhere", "/nowhere"]}',
        b"{}",
        b"\xff",
        b"7",
    ):
        with Board() as board:
            write(board.root + "/slots.json", described)
            board.restart()
            assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)], described


def test_a_minute_after_a_crash_is_not_a_stable_one():
    with Ticks() as ticks, Board() as board:
        starts = counted(board)
        board.agent.crashed(ValueError("app"))
        ticks.pass_ms(limits.REACHABLE)
        raises(Reset, board.agent.poll)
        assert starts() == 4


def test_a_reboot_that_was_ordered_is_not_counted_as_a_crash():
    with Board() as board:
        starts = counted(board)
        board.air.coming.append(action(1, 0x01))
        raises(Reset, board.receive)
        assert starts() == 0


def test_a_restart_for_a_trial_is_not_counted_as_a_crash():
    with Ticks(), Board() as board:  # time stands still, or a slow machine has the hands let go
        starts = counted(board)
        board.hands.slots.check_previous = board.hands.slots.activate = lambda *arguments: None
        board.air.coming.append(action(1, 0x08))
        raises(Reset, board.receive)
        assert starts() == 0


def test_nothing_more_is_done_in_a_round_that_a_restart_ends():
    with Ticks(), Board() as board:
        done = []
        board.hands.slots.check_previous = lambda: None
        board.hands.slots.activate = lambda *arguments: done.append("activated")
        board.road._prepare = lambda up: done.append("more")
        board.air.coming.append(action(1, 0x08))
        raises(Reset, board.receive)
        assert done[-1] == "activated"


def test_a_crash_on_trial_goes_back_at_once():
    """And not after another round, for which there may be no memory."""
    with Ticks(), Board(trial=True) as board:
        board.hands.updater.state = update.TRIAL
        raises(Reset, board.agent.crashed, ValueError("app"))


def test_calls_nested_too_deep_are_a_lack_of_room_and_no_crash_of_the_application():
    with Board() as board:
        deliver, board.road._deliver = board.road._deliver, lambda up: too_deep()
        board.agent.poll()
        board.road._deliver = deliver
        assert board.resets == 0 and not board.agent._transport.up


def test_nothing_is_held_by_way_of_a_road_that_was_let_go():
    """Seen on a Pico: a stale pointer to a generator of it, in a socket, kept 19 KB for as long as the connection lasted."""
    with Ticks() as ticks, Board() as board:
        board.receive(data(1))
        road = board.road
        for _ in range(3):
            ticks.pass_ms(limits.LINGER + 1)
            board.receive()
        assert road and board.road is None
        assert not [name for name, value in road.__dict__.items() if value is not None]


def test_a_hook_that_polls_is_not_left_by_the_road_that_called_it():
    with Ticks() as ticks, Board() as board:

        def hook(number, parameters):
            road = board.road
            road.idle = lambda: True
            ticks.pass_ms(limits.LINGER + 1)
            board.agent.poll()
            assert board.road is road
            del road.idle
            return True

        board.agent.on_action(hook)
        assert answer(board, 1, 0x80) == status.ACTION_SUCCESS


def test_where_memory_is_in_too_small_pieces_for_a_connection_all_starts_anew():
    """Else nobody could reach it any more, with 90 KB free: seen on a Pico, after an update."""
    with Board() as board:
        board.air.up = False
        for _ in range(limits.STARVED - 1):
            board.air.fault = NoMemory("no memory for a connection")
            for _ in range(20):
                board.agent.poll()
        assert board.resets == 0
        board.air.fault = NetworkError("no answer")
        board.agent.poll()
        assert board.resets == 0
        board.air.fault = NoMemory("no memory for a connection")
        raises(Reset, board.agent.poll)


def test_a_download_that_takes_the_memory_of_the_connection_is_not_ended_for_that():
    with Board() as board:
        board.hands  # noqa: B018, have them imported
        board.road.fetching = lambda: True
        board.air.up = False
        for _ in range(2 * limits.STARVED):
            board.air.fault = NoMemory("no memory for a connection")
            board.agent.poll()
        assert board.resets == 0


class Real(Board):
    """Where `poll` catches what it catches on a board."""

    caught = Exception


def test_settings_with_a_number_for_a_name_are_refused_and_the_application_goes_on():
    """Signed by the authority, and MicroPython's json takes it: it threw a TypeError out of `poll`, and again after a restart."""
    with Real() as board:
        frame = AUTHORITY.frame(wire.DATA, target=DEVICE, token=token(NOON, 1), name=b"settings", value=b"{1:2}")
        assert board.receive(frame) == [(token(NOON, 1), status.DATA_UNKNOWN)]
        board.restart()
        assert board.receive() == [] and not board.road.replay.received()


def test_no_fault_of_ours_comes_out_of_poll_and_one_that_lasts_ends_in_a_restart():
    faults = (TypeError("a fault"), InvalidKey("device.key"), OSError(5), KeyError("x"))
    for fault in faults:
        with Real() as board:

            def fails(up, fault=fault):
                raise fault

            works, board.road._deliver = board.road._deliver, fails
            board.agent.poll()
            assert not board.air.up and board.air.fault is fault
            board.road._deliver = works
            board.air.up = True
            assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]
            board.road._deliver = fails
            for _ in range(limits.STARVED - 1):
                board.air.up = True
                board.agent.poll()
            board.air.up = True
            raises(Reset, board.agent.poll)


def test_who_wants_out_of_poll_gets_out():
    for wish in (KeyboardInterrupt, SystemExit):
        with Real() as board:

            def interrupted(up, wish=wish):
                raise wish()

            board.road._deliver = interrupted
            raises(wish, board.agent.poll)


def too_deep():
    return too_deep()


def test_an_application_that_sends_the_board_to_sleep_says_so_and_is_not_counted_as_crashing():
    with Board() as board:
        starts = counted(board)
        board.agent.steady()
        assert starts() == 0


def test_a_stable_minute_that_flash_does_not_take_ends_nothing():
    with Ticks() as ticks, Board() as board:
        starts = counted(board)
        mkdir(board.root + "/boot0")  # where the next copy is to be written
        ticks.pass_ms(limits.REACHABLE)
        assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]
        assert starts() == 4
        rmdir(board.root + "/boot0")


def test_a_crash_does_not_end_a_download():
    with Ticks() as ticks, Board() as board:
        board.air.up = False
        board.road.state = lambda: update.FETCHING
        board.agent.crashed(ValueError("app"))
        ticks.pass_ms(limits.REACHABLE)
        board.agent.poll()
        board.road.state = lambda: update.IDLE
        raises(Reset, board.agent.poll)


def test_a_stop_hook_may_poll():
    with Board() as board:
        ends = []

        def hook():
            for _ in range(3):
                board.agent.poll()
            ends.append(1)

        board.agent.on_stop(hook)
        board.air.coming.append(action(1, 0x01))
        raises(Reset, board.receive)
        assert ends == [1] and board.resets == 1


def test_names_are_judged_before_the_application_hears_them():
    with Board() as board:
        board.agent.on_data(lambda name, value: True)
        for nth, name in enumerate((b"app.\xff", b"app.X", b"app. ", b"other")):
            assert board.receive(data(nth + 1, name))[0][1] == status.DATA_UNKNOWN
        assert board.receive(data(9, b"app.a-1"))[0][1] == status.DATA_SUCCESS


# Replays


def test_a_replay_is_answered_again_and_wears_no_flash_out():
    with Board() as board:
        frame = action(1, 0x80)
        expected = [(token(NOON, 1), status.ACTION_UNKNOWN)]
        assert board.receive(frame) == expected
        before = tree(board.root)
        for _ in range(3):
            assert board.receive(frame) == expected
        assert tree(board.root) == before


def test_replays_of_stale_frames_fill_no_heap_and_are_answered_once_each():
    with Ticks() as ticks, Board() as board:
        board.receive(action(200, 0x80))
        said = []
        for turn in range(2):
            for nth in range(3):
                ticks.pass_ms(limits.REFUSAL_PAUSE)
                said += board.receive(action(nth, 0x80))
        assert said == [(token(NOON, nth), status.TOKEN_STALE) for nth in range(3)]
        board.air.up = True
        outbox = board.road.outbox
        for nth in range(100):
            ticks.pass_ms(limits.REFUSAL_PAUSE)
            outbox.refuse(token(NOON - 1, nth), status.TOKEN_STALE)
        assert len(outbox._refused) <= limits.OUTBOX


def test_refusals_are_told_also_after_a_week_of_silence():
    with Ticks() as ticks, Board() as board:
        board.receive(action(200, 0x80))
        board.receive(action(1, 0x80))
        ticks.pass_ms(7 * 86_400_000)
        assert board.receive(action(2, 0x80)) == [(token(NOON, 2), status.TOKEN_STALE)]


# Power cuts between two writes


def test_cancel_and_its_answer_are_one_record():
    with Board() as board:
        board.road.store.put({b"U": bytes((update.STAGED,)) + token(NOON, 1) + keys.key_id(COMMAND.public)})
        board.road.store.put(reply.answer(token(NOON, 1), status.UPDATE_SUCCESS))
        board.restart()
        put = board.road.store.put
        puts = []

        def counted(changes):
            if len(puts) == 2:  # its admission, and what it does
                raise Reset()
            puts.append(changes)
            put(changes)

        board.road.store.put = counted
        board.air.coming.append(action(2, 0x09, token(NOON, 1)))
        raises(Reset, board.receive)
        board.restart()
        answers = board.receive()
        assert sorted(answers) == [(token(NOON, 1), status.SUPERSEDED), (token(NOON, 2), status.ACTION_SUCCESS)]


def test_an_activate_that_a_cut_left_received_fails_its_own_update_and_no_other():
    with Board() as board:
        key_id = keys.key_id(COMMAND.public)
        board.road.store.put({b"U": bytes((update.STAGED,)) + token(NOON, 1) + key_id})
        board.restart()
        board.cut(COMMAND.frame(wire.ACTIVATE, token=token(NOON, 1)))
        Store(board.root + "/state.log").put({b"U": bytes((update.STAGED,)) + token(NOON, 2) + key_id})
        board.restart()
        assert board.receive() == [] and board.hands.updater.state == update.STAGED
        assert not board.road.replay.received()


def test_a_fleet_that_nobody_asked_to_join_is_refused_and_leaving_one_takes_two_keys():
    with Board() as board:
        join = COMMAND.frame(wire.JOIN_COMMAND, target=DEVICE, token=token(NOON, 1), settings=b"")
        assert board.receive(join) == [(token(NOON, 1), status.JOIN_REFUSED)]
        leave = COMMAND.frame(wire.DEREGISTER_COMMAND, target=DEVICE, token=token(NOON, 2), second_signature=b"")
        assert board.receive(leave) == [(token(NOON, 2), status.DEREGISTER_FAIL)]


def test_the_update_under_way_is_not_forgotten_however_many_commands_come():
    with Board() as board:
        board.air.up = False  # no download begins
        initiate = COMMAND.initiate(token(NOON, 0))
        board.road.replay.admit(board.road.auth.authenticate(wire.decode(initiate)))
        board.road.store.put({b"U": bytes((update.TRIAL,)) + token(NOON, 0) + keys.key_id(COMMAND.public)})
        board.road.store.put(board.road.replay.command(board.road.replay.received()[0]).done())
        board.road.store.put(reply.answer(token(NOON, 0), status.UPDATE_SUCCESS))
        board._trial = True
        board.restart()
        for nth in range(1, limits.TRANSACTIONS + 3):
            board.receive(action(nth, 0x80))
        assert board.road.outbox.latest(token(NOON, 0)) is not None
        assert (token(NOON, 0), status.ACTIVATE_TRIAL) in board.receive(initiate)


def test_answers_that_nobody_has_acknowledged_are_not_forgotten():
    with Board() as board:
        board.air.publish = lambda *arguments, **options: 0
        for nth in range(limits.TRANSACTIONS + 4):
            board.receive(action(nth, 0x80))
        board.restart()
        answered = board.receive() + board.receive()
        assert len(set(answered)) == limits.TRANSACTIONS + 4
