"""SRUP over HTTPS against a server that misbehaves: a message is handed out once, and nothing ends the polling for good."""

import json

from srup import limits, poller, wire, wire_json
from srup.errors import Malformed, NetworkError, TlsError
from srup.polled import Polled
from tests.unit.check import raises
from tests.unit.on_board_ticks import Ticks
from tests.unit.test_wire import SIGNATURE, elements_of, frame_of

DEVICE = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


class Server:
    """In place of a Link: the other end of it. Answers with `answers`, one after the other: (code, body) or bytes."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []  # (path, frame)
        self.coming = b""
        self.sent = b""
        self.dialled = 0
        self.open = False

    def __call__(self, host, number, authorities):
        self.dialled += 1
        self.open = True
        return self

    def step(self):
        return True

    def send(self, data):
        self.sent += bytes(data)

    def flush(self):
        head, _, body = self.sent.partition(b"\r\n\r\n")
        self.sent = b""
        self.asked.append((head.split()[1].decode().rpartition("/")[2], wire_json.decode(body)))
        answer = self.answers.pop(0) if self.answers else polled()
        if isinstance(answer, Exception):
            raise answer
        self.coming += answer
        return True

    def read_into(self, buffer):
        count = min(len(buffer), len(self.coming), 100)
        buffer[:count] = self.coming[:count]
        self.coming = self.coming[count:]
        return count

    def close(self):
        self.open = False


def http(code, body=b"", *headers):
    lines = [f"HTTP/1.1 {code} So"] + list(headers)
    if code != 204:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode() + body


def body(messages, nonce=""):
    return '{"nonce":"' + nonce + '","messages":[' + messages + "]}"


def polled(*frames, code=200, nonce="bm9uY2U"):
    return http(code, body(",".join([wire_json.encode(frame) for frame in frames]), nonce).encode())


def sign(nonce):
    return wire.seal(wire.preimage(wire.DATA, elements_of(wire.DATA) | {"name": b"poll", "value": nonce}), SIGNATURE)


def polling(*answers, tls_failed=lambda: None):
    server = Server(*answers)
    poller.Link = server
    return poller.Poller({"host": "c2", "port": 8443}, DEVICE, [], sign, tls_failed), server


def settle(poll, ticks):
    """Nothing more is said to the last message."""
    until_message(poll)
    ticks.pass_ms(limits.POLL_ANSWER)
    until_message(poll)


def until_message(poll, rounds=60):
    for _ in range(rounds):
        message = poll.poll()
        if message:
            return message
    return None


def test_messages_come_one_by_one_and_each_waits_until_it_is_on_record():
    with Ticks() as ticks:
        initiate, activate = frame_of(wire.INITIATE), frame_of(wire.ACTIVATE)
        poll, server = polling(polled(initiate, activate))
        for frame in (initiate, activate):
            assert until_message(poll) == (f"srup/{DEVICE}/c2".encode(), frame)
            assert until_message(poll)[1] == frame, "again, until it is acknowledged"
            poll.acknowledge()
        assert poll.up
        settle(poll, ticks)
        assert [what for what, _ in server.asked] == ["poll", "poll"], "asked again: more may have waited"
        assert server.dialled == 1 and not server.open


def test_a_server_that_wants_a_fresher_nonce_is_asked_again_with_it():
    with Ticks():
        poll, server = polling(polled(code=401, nonce="Zmlyc3Q"), polled(frame_of(wire.INITIATE)))
        assert until_message(poll)
        assert [wire.decode(frame).elements["value"] for _, frame in server.asked] == [b"", b"first"]


def test_a_server_that_never_has_enough_is_left():
    with Ticks():
        poll, server = polling(polled(code=401), polled(code=401), polled(code=401))
        assert until_message(poll) is None
        assert len(server.asked) == 2 and not poll.up and "fresh" in str(poll.fault)


def test_answers_are_handed_in_on_the_same_connection_and_acknowledged():
    with Ticks() as ticks:
        poll, server = polling(polled(frame_of(wire.INITIATE)), http(204), polled())
        until_message(poll)
        poll.acknowledge()
        handle = poll.publish(b"srup/x/up", frame_of(wire.RESPONSE))
        until_message(poll)
        assert server.asked[1] == ("messages", frame_of(wire.RESPONSE))
        assert poll.acknowledged == [handle] and server.dialled == 1
        settle(poll, ticks)
        assert not server.open


def test_an_answer_that_comes_while_nobody_is_connected_opens_a_connection():
    with Ticks():
        poll, server = polling(polled(), http(204))
        until_message(poll)
        assert not server.open and poll.listened()
        poll.publish(b"srup/x/up", frame_of(wire.RESPONSE))
        assert not poll.listened()
        until_message(poll)
        assert [what for what, _ in server.asked] == ["poll", "messages", "poll"] and server.dialled == 2


def test_what_the_server_does_not_take_is_not_acknowledged():
    with Ticks():
        poll, _ = polling(polled(), http(400, b"{}"))
        until_message(poll)
        poll.publish(b"srup/x/up", frame_of(wire.RESPONSE))
        until_message(poll)
        assert not poll.acknowledged and not poll.up and "400" in str(poll.fault)
        assert "not connected" in str(raises(NetworkError, poll.publish, b"srup/x/up", frame_of(wire.RESPONSE)))


def test_between_two_polls_there_is_a_pause_and_none_after_a_sleep():
    with Ticks() as ticks:
        poll, server = polling()
        until_message(poll)
        assert server.dialled == 1 and poll.listened()
        ticks.pass_ms(limits.POLL_AGAIN - 1)
        until_message(poll)
        assert server.dialled == 1
        ticks.pass_ms(1)
        until_message(poll)
        assert server.dialled == 2
        poll.close()
        assert not poll.listened()
        until_message(poll)
        assert server.dialled == 3 and poll.listened()


def test_after_a_message_the_device_stays_awake_for_another_poll():
    with Ticks() as ticks:
        poll, server = polling(polled(frame_of(wire.INITIATE)))
        until_message(poll)
        poll.acknowledge()
        settle(poll, ticks)
        assert not server.open and not poll.listened()
        ticks.pass_ms(limits.POLL_AGAIN)
        until_message(poll)
        assert poll.listened()


def test_a_server_that_fails_is_tried_again_less_and_less_often_and_never_given_up():
    with Ticks() as ticks:
        poll, server = polling(*[http(500, b"oops")] * 20)
        waits = []
        for _ in range(10):
            until_message(poll, 10)
            dialled, waited = server.dialled, 0
            while server.dialled == dialled:
                ticks.pass_ms(1000)
                waited += 1
                poll.poll()
            waits.append(waited)
        assert waits[:4] == [2, 4, 8, 16] and waits[-1] == 64
        server.answers = [polled(frame_of(wire.INITIATE))]
        ticks.pass_ms(64_000)
        assert until_message(poll) and poll.up


def test_tls_that_fails_is_told():
    told = []
    with Ticks():
        poll, _ = polling(TlsError("date"), tls_failed=lambda: told.append(1))
        until_message(poll)
        assert told == [1] and not poll.up


def test_a_message_that_is_no_frame_is_counted_and_the_next_one_taken():
    with Ticks():
        good = wire_json.encode(frame_of(wire.INITIATE))
        bad = good.replace('"type":1', '"type":99')
        poll, _ = polling(http(200, body(bad + "," + good).encode()))
        assert until_message(poll)[1] == frame_of(wire.INITIATE)
        assert poll.dropped == 1


def test_answers_that_make_no_sense_end_the_poll_and_not_the_polling():
    frame = wire_json.encode(frame_of(wire.INITIATE))
    for text in (
        "",
        "{}",
        "[]",
        '{"nonce":"","messages":{}}',
        '{"nonce":"","messages":[1]}',
        '{"nonce":"","messages":["a"]}',
        '{"nonce":"","messages":[[]]}',
        '{"nonce":"","messages":[,]}',
        body(frame + ","),
        body(frame + " " + frame),
        '{"nonce":"","messages":[]',
        '{"nonce":"","messages":[',
        '{"nonce":"","messages":[]}x',
        '{"messages":[]}',
        '{"nonce":""}',
        '{"nonce":[],"messages":[]}',
        '{"nonce":1,"messages":[]}',
        '{"nonce":"*","messages":[]}',
        '{"nonce":"","nonce":"","messages":[]}',
        '{"nonce":"","messages":[],"more":1}',
        body("", "A" * 400),
        body('{"' + "a" * limits.POLL_MESSAGE),
        body(",".join(["{}"] * 9)),
    ):
        with Ticks():
            poll, server = polling(http(200, text.encode()))
            for _ in range(60):
                if poll.poll():
                    poll.acknowledge()
            assert poll.fault is not None, text
            assert not poll.up and not server.open, text


def test_a_body_longer_than_is_taken_is_not_read():
    for answer in (
        http(200, b" " * (limits.POLL_BODY + 1)),
        http(200, b"{}", "Transfer-Encoding: chunked"),
        http(302, b"", "Location: https://elsewhere/"),
        b"SSH-2.0-OpenSSH\r\n",
    ):
        with Ticks():
            poll, server = polling(answer)
            until_message(poll)
            assert poll.fault is not None and not server.open


def test_the_applications_messages_do_not_go_this_way():
    with Ticks():
        poll, _ = polling()
        until_message(poll)
        raises(NetworkError, poll.publish, b"app/x/temperature", b"20")
        poll.subscribe(b"app/x/led", print)
        assert poll.topics == {b"app/x/led": print}, "for when there is MQTT again"


def test_any_split_of_a_body_gives_the_same_messages():
    frames = [wire_json.encode(frame_of(kind)) for kind in (wire.INITIATE, wire.DATA)]
    whole = json.dumps({"messages": [json.loads(frame) for frame in frames], "nonce": "AQID"}).encode()
    found = Polled(bytearray(limits.POLL_MESSAGE))
    messages = [message for message in [found.feed(byte) for byte in whole] if message]
    assert [wire_json.decode(message) for message in messages] == [frame_of(wire.INITIATE), frame_of(wire.DATA)]
    assert found.nonce() == b"\x01\x02\x03" and found.messages == 2
    for end in range(len(whole)):
        cut = Polled(bytearray(limits.POLL_MESSAGE))
        for byte in whole[:end]:
            cut.feed(byte)
        raises(Malformed, cut.nonce)
