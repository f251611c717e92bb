"""Groups: topics, answers that are spread over time, updates, and what cuts leave."""

from srup import keys, limits, replay, status, wire
from srup.errors import NetworkError, Refused
from srup.store import Store
from tests.unit.board import COMMAND
from tests.unit.check import raises
from tests.unit.grouped import LAMPS, TOPIC, board, install, joined, listed, obeyed, order
from tests.unit.on_board_ticks import Ticks
from tests.unit.server import DEVICE, NOON, Key, token


def test_the_device_listens_to_its_groups_and_to_those_that_it_left_no_more():
    with board() as lamp:
        joined(lamp, 1, LAMPS)
        assert TOPIC in lamp.air.callbacks
        lamp.restart()
        assert list(lamp.air.callbacks)[-1] == TOPIC
        joined(lamp, 2)
        assert TOPIC not in lamp.air.callbacks


def test_answers_of_a_group_are_spread_and_a_device_s_time_is_its_own():
    with board() as lamp:
        joined(lamp, 1, LAMPS)
        held = []
        lamp.road.outbox.hold = lambda token, ms: held.append(ms)
        for nth in range(2, 8):
            lamp.receive(order(nth))
        assert len(set(held)) > 3 and all(0 <= ms <= limits.SPREAD_S * 1000 for ms in held)
        lamp.receive(order(8, DEVICE))
        assert len(held) == 6


def test_an_answer_that_is_held_is_not_forgotten():
    with board() as lamp, Ticks() as ticks:
        joined(lamp, 1, LAMPS)
        assert lamp.receive(order(2)) == [] and not lamp.road.idle()
        ticks.pass_ms(limits.SPREAD_S * 1000 + 1)
        assert lamp.receive() == [(token(NOON, 2), status.ACTION_UNKNOWN)]


def test_a_group_s_update_that_a_device_has_staged_is_not_activated_once_it_has_left():
    with board() as lamp:
        joined(lamp, 1, LAMPS)
        initiate = COMMAND.initiate(token(NOON, 2), target=LAMPS)
        lamp.receive(initiate)
        staged = lamp.road.replay
        staged._staged = lambda: (token(NOON, 2), keys.key_id(COMMAND.public))
        staged._under_way = lambda: token(NOON, 2)
        lamp.receive(listed(3))
        staged._staged = lambda: (token(NOON, 2), keys.key_id(COMMAND.public))
        activate = COMMAND.frame(wire.ACTIVATE, token=token(NOON, 2))
        refusal = raises(Refused, lambda: staged.admit(lamp.road.auth.authenticate(wire.decode(activate))))
        assert refusal.status == status.TOKEN_STALE and "group" in refusal.why


def test_a_topic_that_can_not_be_subscribed_to_now_is_with_the_next_connection():
    with board() as lamp:

        def full(topic, callback=None):
            raise NetworkError("full")

        lamp.air.subscribe = full
        lamp.air.coming.append(listed(1, LAMPS))
        for _ in range(30):
            lamp.agent.poll()
        assert isinstance(lamp.air.fault, NetworkError) and replay.groups(lamp.road.store) == [LAMPS]


def test_the_changes_of_a_list_are_one_record():
    with board() as lamp:
        lamp.receive(order(1, DEVICE))
        lamp.cut(listed(2, LAMPS))
        lamp.restart()
        assert lamp.receive()[-1][1] == status.DATA_SUCCESS and obeyed(lamp, order(3))


def test_a_group_is_given_no_keys():
    with board() as lamp:
        install(Store(lamp.root + "/state.log"), keys.AUTHORITY, Key("authority").public, token(NOON, 0))
        lamp.restart()
        joined(lamp, 1, LAMPS)
        value = bytes((1, keys.COMMAND)) + Key("next").public
        frame = Key("authority").frame(wire.DATA, target=LAMPS, token=token(NOON, 2), name=b"keys", value=value)
        lamp.road.outbox.hold = lambda token, ms: None
        assert lamp.receive(frame) == [(token(NOON, 2), status.DATA_UNKNOWN)]
