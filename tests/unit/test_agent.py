"""The agent between a transport, an application and a flash that all may fail: what a restart finds, and what nobody may do."""

import json

from srup import agent, keys, limits, port, reply, status, tokens, update, wire
from srup.errors import NetworkError, StorageError
from srup.store import Store
from srup_boot import record, start
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import exists, folder, read, write
from tests.unit.server import DEVICE, NOON, Key, token

COMMAND = Key("command")
UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
NAMES = ("reset", "arm", "clock_is_set", "network_start", "random")


class Reset(BaseException):
    """Where a board would start again, or lose its power."""


class Air:
    """In place of the transport: `deliver` a frame, look at what was `sent`."""

    def __init__(self, broker, device, authorities, tls_failed):
        self.up = True
        self.fault = None
        self.coming = []
        self.sent = []
        self.acknowledged = []
        self.acknowledgements = 0
        self.callbacks = {}

    def poll(self):
        return (b"c2", self.coming[0]) if self.up and self.coming else None

    def acknowledge(self):
        self.coming.pop(0)
        self.acknowledgements += 1

    def publish(self, topic, payload, retain=False, qos=1):
        if not self.up:
            raise NetworkError("not connected")
        self.sent.append(wire.decode(payload))
        self.acknowledged.append(len(self.sent))
        return len(self.sent)

    def subscribe(self, topic, callback=None):
        self.callbacks[topic] = callback

    def drop(self, error):
        self.up, self.fault = False, error

    def close(self):
        self.up = False


class Board:
    """`with Board() as board:` an agent over a folder in flash; `restart` forgets all that is not there."""

    def __init__(self, trial=False):
        self.root = folder()
        config = {
            "uuid": UUID,
            "board": "UNIX",
            "broker": {"host": "localhost", "port": 1, "tls": False},
            "allow": ["localhost:8443"],
            "provisioned": NOON - 86_400_000,
        }
        write(self.root + "/config.json", json.dumps(config).encode())
        write(self.root + "/device.key", Key("device").private)
        keys.install(Store(self.root + "/state.log"), keys.COMMAND, COMMAND.public, tokens.first_at(NOON - 86_400_000))
        self._trial = trial
        self.resets = 0

    def __enter__(self):
        self._real = [(name, getattr(port, name)) for name in NAMES]
        port.reset, port.arm = self._reset, lambda seconds: None
        port.clock_is_set, port.network_start = (lambda: False), (lambda wifi: None)
        self.restart()
        return self

    def __exit__(self, *_):
        for name, real in self._real:
            setattr(port, name, real)

    def _reset(self):
        self.resets += 1
        raise Reset()

    def restart(self):
        choice = start.Choice(0, self._trial, record.load(self.root), "")
        self.agent = agent.Agent(choice, Air, self.root)
        self.agent.start()
        self.air = self.agent._transport

    def receive(self, *frames):
        """Deliver, and let the agent work until it has nothing more to say. Returns [(token, status)] of its answers."""
        self.air.coming += frames
        before = len(self.air.sent)
        for _ in range(2 * len(frames) + 6):
            self.agent.poll()
        return self.answers(before)

    def answers(self, since=0):
        frames = [frame for frame in self.air.sent[since:] if frame.type == wire.RESPONSE]
        return [(frame.elements["token"], frame.elements["status"]) for frame in frames]

    def cut(self, *frames):
        """Deliver; the power goes before what is admitted can be obeyed."""
        self.agent._commands.obey = self._power_cut
        self.air.coming += frames
        raises(Reset, self.agent.poll)

    def _power_cut(self, *_):
        raise Reset()


def data(nth, name=b"app.x", value=b"v"):
    return COMMAND.frame(wire.DATA, target=DEVICE, token=token(NOON, nth), name=name, value=value)


def action(nth, number, parameters=b""):
    return COMMAND.frame(wire.ACTION, target=DEVICE, token=token(NOON, nth), action=number, parameters=parameters)


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
        raises(Reset, board.agent.poll)
        board.restart()
        board.agent.on_data(resets)
        raises(Reset, board.agent.poll)
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


def test_a_crash_does_not_end_a_download():
    with Ticks() as ticks, Board() as board:
        board.air.up = False
        board.agent._updater.state = update.FETCHING
        board.agent.crashed(ValueError("app"))
        ticks.pass_ms(limits.REACHABLE)
        board.agent.poll()
        board.agent._updater.state = update.IDLE
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
        before = read(board.root + "/state.log")
        for _ in range(3):
            assert board.receive(frame) == expected
        assert read(board.root + "/state.log") == before


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
        outbox = board.agent._outbox
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


# Flash, heap and randomness that fail


def test_what_flash_does_not_take_is_not_acknowledged_and_the_application_goes_on():
    with Board() as board:
        store = board.agent._store
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
        admit, board.agent._replay.admit = board.agent._replay.admit, _no_memory
        board.air.coming.append(data(1))
        board.agent.poll()
        assert board.air.acknowledgements == 0 and not board.air.up
        board.agent._replay.admit, board.air.up = admit, True
        assert board.receive() == [(token(NOON, 1), status.DATA_UNKNOWN)]


def _no_memory(*_):
    raise MemoryError()


def test_an_update_for_which_there_is_no_memory_fails_and_is_not_resumed_for_ever():
    with Board() as board:
        board.agent._slots.sweep = _no_memory
        assert board.receive(COMMAND.initiate(token())) == [(token(), status.UPDATE_FAIL_SPACE)]
        board.restart()
        assert board.agent._updater.state == update.IDLE


def test_a_download_whose_initiate_is_lost_has_failed():
    with Board() as board:
        board.agent._store.put({b"U": bytes((update.FETCHING,)) + token() + bytes(8)})
        board.restart()
        assert board.receive() == [(token(), status.UPDATE_FAIL_STORAGE)]


def test_an_end_that_flash_did_not_take_is_told_when_it_does():
    with Board() as board:
        store, updater = board.agent._store, board.agent._updater
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
        board.agent._store.put({b"U": bytes((update.TRIAL,)) + token() + keys.key_id(COMMAND.public)})
        board.restart()

        def refuses(reason):
            raise StorageError("boot record")

        board.agent._slots.revert = refuses
        board.agent.on_self_test(lambda: False)
        raises(Reset, board.agent.poll)
        assert board.agent._updater.state == update.TRIAL


def test_a_stuck_random_source_silences_no_board():
    with Board() as board:

        def stuck(count):
            raise port.StuckRandom("stuck")

        port.random = stuck
        assert board.receive(data(1)) == [(token(NOON, 1), status.DATA_UNKNOWN)]
        identify = COMMAND.frame(wire.ID_REQUEST, target=DEVICE, token=token(NOON, 2))
        assert board.receive(identify) == [(token(NOON, 2), status.ACTION_FAIL)]


# Power cuts between two writes


def test_cancel_and_its_answer_are_one_record():
    with Board() as board:
        board.agent._store.put({b"U": bytes((update.STAGED,)) + token(NOON, 1) + keys.key_id(COMMAND.public)})
        board.agent._store.put(reply.answer(token(NOON, 1), status.UPDATE_SUCCESS))
        board.restart()
        put = board.agent._store.put
        puts = []

        def counted(changes):
            if len(puts) == 2:  # its admission, and what it does
                raise Reset()
            puts.append(changes)
            put(changes)

        board.agent._store.put = counted
        board.air.coming.append(action(2, 0x09, token(NOON, 1)))
        raises(Reset, board.receive)
        board.restart()
        answers = board.receive()
        assert sorted(answers) == [(token(NOON, 1), status.SUPERSEDED), (token(NOON, 2), status.ACTION_SUCCESS)]


def test_an_activate_that_a_cut_left_received_fails_its_own_update_and_no_other():
    with Board() as board:
        key_id = keys.key_id(COMMAND.public)
        board.agent._store.put({b"U": bytes((update.STAGED,)) + token(NOON, 1) + key_id})
        board.restart()
        board.cut(COMMAND.frame(wire.ACTIVATE, token=token(NOON, 1)))
        Store(board.root + "/state.log").put({b"U": bytes((update.STAGED,)) + token(NOON, 2) + key_id})
        board.restart()
        assert board.receive() == [] and board.agent._updater.state == update.STAGED
        assert not board.agent._replay.received()


def test_a_command_that_is_not_known_fails_by_the_name_of_its_type():
    with Board() as board:
        join = COMMAND.frame(wire.JOIN_COMMAND, target=DEVICE, token=token(NOON, 1), settings=b"")
        assert board.receive(join) == [(token(NOON, 1), status.JOIN_FAIL)]
        leave = COMMAND.frame(wire.DEREGISTER_COMMAND, target=DEVICE, token=token(NOON, 2), second_signature=b"")
        assert board.receive(leave) == [(token(NOON, 2), status.DEREGISTER_FAIL)]


def test_the_update_under_way_is_not_forgotten_however_many_commands_come():
    with Board() as board:
        board.air.up = False  # no download begins
        initiate = COMMAND.initiate(token(NOON, 0))
        board.agent._replay.admit(board.agent._auth.authenticate(wire.decode(initiate)))
        board.agent._store.put({b"U": bytes((update.TRIAL,)) + token(NOON, 0) + keys.key_id(COMMAND.public)})
        board.agent._store.put(board.agent._replay.received()[0].done())
        board.agent._store.put(reply.answer(token(NOON, 0), status.UPDATE_SUCCESS))
        board._trial = True
        board.restart()
        for nth in range(1, limits.TRANSACTIONS + 3):
            board.receive(action(nth, 0x80))
        assert board.agent._outbox.latest(token(NOON, 0)) is not None
        assert (token(NOON, 0), status.ACTIVATE_TRIAL) in board.receive(initiate)


def test_answers_that_nobody_has_acknowledged_are_not_forgotten():
    with Board() as board:
        board.air.publish = lambda *arguments, **options: 0
        for nth in range(limits.TRANSACTIONS + 4):
            board.receive(action(nth, 0x80))
        board.restart()
        answered = board.receive() + board.receive()
        assert len(set(answered)) == limits.TRANSACTIONS + 4
