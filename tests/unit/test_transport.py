"""Step 1 against a broker that misbehaves: nothing it sends raises, blocks or is remembered without end."""

import sys

from srup import limits, link, port
from srup.errors import NetworkError, NoMemory, TlsError
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.scratch import MICROPYTHON

if not MICROPYTHON:  # what umqtt.simple imports, under the names that MicroPython has for it
    import binascii
    import socket
    import struct

    sys.modules["usocket"], sys.modules["ustruct"], sys.modules["ubinascii"] = socket, struct, binascii
    sys.path.append(".cache/micropython-lib")

from srup import transport

CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"
C2 = b"srup/1/c2"


class Broker:
    """In place of a Link: the other end of it. room: bytes that it takes before it takes no more."""

    def __init__(self):
        self.sent = bytearray()
        self.coming = b""
        self.room = 100_000
        self.dialled = 0

    def __call__(self, host, number, authorities):
        self.dialled += 1
        return self

    def step(self):
        return True

    def flush(self):
        return True

    def close(self):
        pass

    def send(self, data):
        if len(self.sent) + len(data) > self.room:
            raise NetworkError("takes no more")
        self.sent.extend(data)

    def read_into(self, buffer):
        count = min(len(buffer), len(self.coming))
        buffer[:count] = self.coming[:count]
        self.coming = self.coming[count:]
        return count


def publish(payload, topic=C2, number=7):
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    size, length = len(body), b""
    while size > 127:
        length += bytes((size & 127 | 128,))
        size >>= 7
    return b"\x32" + length + bytes((size,)) + body


def dialled(tls_failed=lambda: None, *others):
    """(Transport, Broker) that have shaken hands; a subscription, and those of others before it, are on their way."""
    broker = Broker()
    transport.Link = broker
    made = transport.Transport({"host": "h", "port": 1, "tls": False}, "1", [], tls_failed)
    for topic in others + (C2,):
        made.subscribe(topic)
    for _ in range(3):
        made.poll()
    broker.coming = CONNACK
    made.poll()
    return made, broker


def connected():
    made, broker = dialled()
    broker.coming = SUBACK
    made.poll()
    assert made.up
    broker.sent[:] = b""
    return made, broker


def test_a_message_is_held_until_it_is_acknowledged():
    made, broker = connected()
    broker.coming = publish(b"one") + publish(b"two", number=8)
    topic, payload = made.poll()
    assert (topic, bytes(payload)) == (C2, b"one")
    assert bytes(made.poll()[1]) == b"one" and broker.sent == b""  # the same one, and no PUBACK yet
    made.acknowledge()
    assert broker.sent == b"\x40\x02\x00\x07"
    assert bytes(made.poll()[1]) == b"two"


def test_a_packet_goes_out_whole_or_not_at_all():
    made, broker = connected()
    for room in range(60):
        broker.room = room
        raises(NetworkError, made.publish, C2, b"x" * 60)
        assert broker.sent == b""
    broker.room = 200
    made.publish(C2, b"x" * 60)
    assert broker.sent[0] == 0x32 and broker.sent[1] == len(broker.sent) - 2


def test_a_broker_that_takes_no_acknowledgement_is_left():
    made, broker = connected()
    broker.coming = publish(b"one")
    made.poll()
    broker.room = 0
    made.acknowledge()
    assert not made.up and made.poll() is None


def test_a_message_longer_than_any_frame_is_dropped_a_piece_at_a_time():
    made, broker = connected()
    broker.coming = publish(bytes(50_000)) + publish(b"next")
    rounds = 0
    while not made.dropped:
        before = len(broker.coming)
        assert made.poll() is None
        assert before - len(broker.coming) < 3 * limits.FRAME
        rounds += 1
    assert rounds > 20 and broker.sent == b"\x40\x02\x00\x07"
    assert bytes(made.poll()[1]) == b"next"


def test_the_longest_frame_on_the_longest_topic_fits_and_a_byte_more_does_not():
    made, broker = connected()
    topic = b"t" * limits.TOPIC
    made.subscribe(topic)
    broker.coming = publish(bytes(limits.FRAME), topic)
    assert len(made.poll()[1]) == limits.FRAME
    made.acknowledge()
    broker.coming = publish(bytes(limits.FRAME + 1), topic)
    assert made.poll() is None and made.dropped == 1


def test_topics_that_umqtt_or_the_buffer_have_no_room_for_are_refused():
    made, _ = connected()
    for topic in (b"t" * (limits.TOPIC + 1), b"app/#", b"app/+/x"):
        raises(ValueError, made.subscribe, topic)


def test_an_application_may_answer_a_message_that_comes_before_the_subscription_is_acknowledged():
    """As a broker does that has kept it for us: were it a fault, the message would come again on each connection."""
    made, broker = dialled()
    made.subscribe(b"in", lambda topic, payload: made.publish(b"out", payload))
    broker.coming = publish(b"kept", b"in")
    made.poll()
    assert made.fault is None and b"out" in broker.sent and broker.dialled == 1


def test_packet_identifiers_have_16_bits():
    made, broker = connected()
    made._client.pid = 0xFFFF
    made.subscribe(b"more")
    assert broker.sent[2:4] == b"\x00\x01"
    made._client.pid = 0xFFFF
    assert made.publish(C2, b"") == 1


def test_acknowledgements_of_what_was_never_sent_are_not_remembered_without_end():
    made, broker = dialled()
    broker.coming = SUBACK + b"".join([b"\x40\x02" + number.to_bytes(2, "big") for number in range(1000)])
    for _ in range(1001):
        made.poll()
    assert made.acknowledged == list(range(1000 - limits.OUTBOX, 1000))


def test_a_tls_failure_is_told_before_the_next_attempt():
    told = []
    made, broker = dialled(lambda: told.append(1))

    def fails(buffer):
        raise TlsError("date")

    broker.read_into = fails
    made.poll()
    assert told == [1] and not made.up
    made.drop(NetworkError("gone"))
    assert told == [1]


def test_a_lack_of_memory_is_told_apart_from_a_peer_that_is_not_there():
    class Dialled(link.Link):
        def _dial(self, host, number):
            return None

    def failing(code):
        raise OSError(code)

    opened = Dialled("broker", 8883, [b""])
    raises(NoMemory, opened._guard, failing, 12)
    assert type(raises(NetworkError, opened._guard, failing, 104)) is NetworkError


def test_a_week_without_network_does_not_keep_it_from_dialling_again():
    with Ticks() as ticks:
        made, broker = connected()
        up, port.network_up = port.network_up, lambda: False
        try:
            made.drop(NetworkError("gone"))
            for _ in range(8):
                ticks.pass_ms(86_400_000)
                made.poll()
        finally:
            port.network_up = up
        made.poll()
        assert broker.dialled == 2


def test_whatever_a_broker_sends_nothing_is_raised():
    state = 1
    for _ in range(400):
        made, broker = connected()
        made.subscribe(b"in", lambda topic, payload: None)
        noise = bytearray(publish(b"x" * 20, b"in") + SUBACK + CONNACK + b"\x40\x02\x00\x01\xd0\x00" + publish(b"y"))
        for _ in range(4):
            state = state * 1103515245 + 12345 & 0x7FFFFFFF
            noise[(state >> 8) % len(noise)] = state >> 16 & 0xFF
        broker.coming = bytes(noise)
        for _ in range(12):
            if made.poll():
                made.acknowledge()
        assert len(made.acknowledged) < 4


GROUP = b"srup/group/886313e1-3b8a-5372-9b90-0c9aee199e5d/c2"


def test_a_broker_that_refuses_a_group_s_topic_is_no_reason_to_be_on_no_network():
    made, broker = connected()
    made.subscribe(GROUP)
    broker.coming = b"\x90\x03" + made._client.pid.to_bytes(2, "big") + b"\x80"
    made.poll()
    assert made.up and made.fault is None
    made._pinged = port.ticks_add(port.ticks_ms(), -limits.KEEPALIVE_S * 1000)
    broker.sent[:] = b""
    made.poll()
    assert broker.sent.count(GROUP) == 1  # asked again: the broker may have heard of it later


def test_a_broker_that_refuses_an_application_s_topic_to_who_is_in_no_fleet_is_no_reason_either():
    """Whichever comes first: it is to ask to join."""
    made, broker = dialled(lambda: None, b"app/1/lamp")
    order = list(made.topics)  # as the runtime has it
    for at, topic in enumerate(order):
        pid = made._client.pid - len(order) + 1 + at
        granted = b"\x01" if topic == C2 else b"\x80"
        broker.coming = b"\x90\x03" + pid.to_bytes(2, "big") + granted
        made.poll()
    assert made.up and made.fault is None


def test_a_broker_that_refuses_a_device_s_own_topic_is_left():
    made, broker = dialled()
    broker.coming = b"\x90\x03" + made._client.pid.to_bytes(2, "big") + b"\x80"
    made.poll()
    assert not made.up and "refuses" in str(made.fault)


def test_a_topic_that_is_left_is_unsubscribed_from_and_again_when_a_message_comes_all_the_same():
    made, broker = connected()
    made.subscribe(GROUP)
    broker.sent[:] = b""
    made.unsubscribe(GROUP)
    pid = made._client.pid.to_bytes(2, "big")
    assert broker.sent == b"\xa2" + bytes((4 + len(GROUP),)) + pid + len(GROUP).to_bytes(2, "big") + GROUP
    broker.coming = b"\xb0\x02" + pid
    assert made.poll() is None and made.up
    broker.sent[:] = b""
    broker.coming = publish(b"late", GROUP)
    assert made.poll() is None and made.up
    assert broker.sent[0] == 0xA2 and broker.sent[-4:] == b"\x40\x02\x00\x07"
