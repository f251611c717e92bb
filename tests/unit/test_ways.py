"""Two transports: polls while the device rests, MQTT while it does not, and the other one where the server falls silent."""

from srup import keys, limits, poller, port, status, transaction, wire
from tests.unit.board import COMMAND, Air, action, data, identify
from tests.unit.server import NOON, token
from tests.unit.test_low_power import CONNECT, LOW_POWER, SUCCESS, WAKE, Clocked, low_power, sleep_through


class Https(Air):
    """In place of the Poller."""

    def __init__(self, server, device, authorities, sign, tls_failed):
        super().__init__(server, device, authorities, tls_failed)
        self.server = server
        self.sign = sign
        self.polled = None  # the frame of a poll, once it is signed

    def poll(self):
        """As the Poller: connected before it is signed, up when it has been answered."""
        if not self.up:
            self.polled = self.polled or self.sign(b"nonce")
            self.up = self.polled is not None
        return super().poll()

    @property
    def linked(self):
        return True


class TwoWays(Clocked):
    def __init__(self, **settings):
        super().__init__(https={"host": "c2", "port": 8443}, **settings)

    def __enter__(self):
        self._poller, poller.Poller = poller.Poller, lambda *arguments: self.wired(Https(*arguments))
        return super().__enter__()

    def __exit__(self, *_):
        poller.Poller = self._poller
        super().__exit__()

    def polls(self):
        self.agent.poll()
        return isinstance(self.air, Https)


def test_in_low_power_it_polls_and_awake_it_has_its_connection():
    with TwoWays() as board:
        heard = []
        board.agent.subscribe("led", lambda topic, payload: heard.append(payload))
        mqtt = board.air
        assert not board.polls()
        assert low_power(board, 90) == SUCCESS and board.polls()
        assert not mqtt.up and board.air.server == {"host": "c2", "port": 8443}
        assert board.receive(data(2)) == [(token(NOON, 2), status.DATA_UNKNOWN)]
        assert board.receive(action(3, WAKE)) == [(token(NOON, 3), SUCCESS)]
        assert not board.polls()
        assert set(board.air.topics) == set(mqtt.topics) and len(mqtt.topics) == 2, "subscribed again"


def test_a_board_without_room_for_two_connections_signs_its_poll_all_the_same():
    """It let the road go before each round, to make room for a connection that it had: no RP2040 ever polled."""
    with TwoWays() as board:
        board.agent.config.drop_mqtt = True
        low_power(board, 90)
        port.network_start = lambda wifi, ppp: None  # or it would be up before it has polled
        assert board.polls()
        board.air.up = False
        for _ in range(40):
            board.agent.poll()
        assert wire.decode(board.air.polled).type == wire.DATA


def test_it_sleeps_between_polls():
    with TwoWays() as board:
        low_power(board, 90)
        sleep_through(board)
        assert board.slept[:3] == [60_000, 30_000, 60_000] and board.network[:3] == ["start", "stop", "start"]


def test_a_device_that_polls_opens_its_connection_when_it_is_called_and_polls_again_after_a_while():
    with TwoWays() as board:
        low_power(board, 90)
        assert board.polls()
        assert board.receive(action(2, CONNECT)) == [(token(NOON, 2), SUCCESS)]
        assert not board.polls()
        board.ticks.pass_ms(limits.CONNECTED)
        sleep_through(board)
        assert board.polls()


def test_a_device_that_rests_polls_from_its_start_on():
    with TwoWays() as board:
        low_power(board, 90)
        board.restart()
        assert board.polls()


def test_a_device_without_a_second_way_rests_on_the_first():
    with Clocked() as board:
        assert low_power(board, 90) == SUCCESS
        sleep_through(board)
        assert type(board.air) is Air


def hours(board, count):
    """Connected, and not a word from the server."""
    for _ in range(count):
        board.ticks.pass_ms(3_600_000)
        board.agent.poll()


def test_a_server_that_is_not_heard_for_three_heartbeats_is_asked_the_other_way_once():
    with TwoWays(heartbeat_s=36_000) as board:
        hours(board, 30)
        assert not board.polls()
        board.ticks.pass_ms(3_600_000)
        assert board.polls()
        assert not board.polls(), "it has listened, and goes back"
        hours(board, 9)
        assert not board.polls()
        board.ticks.pass_ms(3_600_000)
        assert board.polls()
        assert identify(board, 1)["starved"] == 2


def asks_the_other_way(board, count=60):
    """Within so many hours."""
    for _ in range(count):
        board.ticks.pass_ms(3_600_000)
        if board.polls():
            return True
    return False


def test_a_broker_that_is_gone_with_an_answer_unsaid_is_not_waited_for():
    with TwoWays(heartbeat_s=36_000) as board:
        board.air.publish = lambda *arguments, **options: 0
        board.receive(data(1))
        board.air.up = False
        assert not board.road.outbox.empty() and asks_the_other_way(board)
        assert board.answers() == [(token(NOON, 1), status.DATA_UNKNOWN)], "and the answer goes that way"
        board.receive()
        assert board.road.outbox.empty() and not board.polls()


def test_a_broker_that_takes_no_answer_and_brings_no_word_is_not_waited_for():
    with TwoWays(heartbeat_s=36_000) as board:
        board.air.publish = lambda *arguments, **options: 0
        board.receive(data(1))
        assert board.air.up and not asks_the_other_way(board, 29)
        assert asks_the_other_way(board, 4)


def test_an_answer_that_is_on_its_way_is_waited_for():
    with TwoWays() as board:
        board.air.publish = lambda *arguments, **options: 0
        assert board.receive(action(1, LOW_POWER, bytes((0, 0, 0, 90)))) == []
        assert not board.polls() and not board.polls()
        board.air.up = False
        assert board.polls()


def test_an_update_that_waits_for_the_network_is_asked_for_the_other_way():
    with TwoWays(heartbeat_s=36_000) as board:
        board.road.store.put({b"U": bytes((transaction.WAITING,)) + token() + keys.key_id(COMMAND.public) + b"\0"})
        board.restart()
        board.air.up = False
        assert asks_the_other_way(board)


def test_a_second_way_for_which_there_was_no_memory_is_tried_again():
    """It had said that it polls before it did, and so never tried."""
    with TwoWays() as board:
        made, tries = poller.Poller, []

        def starved(*arguments):
            tries.append(1)
            if len(tries) == 1:
                raise MemoryError()
            return made(*arguments)

        poller.Poller = starved
        low_power(board, 90)
        board.air.up = True
        sleep_through(board)
        assert board.polls() and len(tries) == 2


def test_a_word_from_the_server_starts_the_count_anew():
    with TwoWays(heartbeat_s=36_000) as board:
        for nth in range(1, 8):
            hours(board, 25)
            assert not board.polls()
            board.receive(data(nth))


def test_each_poll_is_signed_with_a_token_above_the_one_before_also_after_a_restart():
    with TwoWays() as board:
        low_power(board, 90)
        found = []
        for _ in range(2):
            assert board.polls()
            for _ in range(20):
                frame = None
                while frame is None:
                    frame = board.air.sign(b"nonce")
                elements = wire.decode(frame).elements
                assert elements["name"] == b"poll" and elements["value"] == b"nonce"
                found.append(elements["token"])
            board.restart()
        assert found == sorted(set(found))
