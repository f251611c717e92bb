"""Step 1 for devices that sleep: SRUP over HTTPS (protocol.md, section 5). What the agent asks of a transport, as `transport` does
it over MQTT; but nothing is connected between two polls, and the application's own messages do not go this way.

A poll: connect; hand in the frames that wait; show a signed DATA `poll`, with the server's last nonce; take the messages of the
answer one by one, each acknowledged when it is on record; hand in what the agent says to them. A server that wants a fresher
nonce answers 401, and is asked again.
"""

from srup import http, limits, port
from srup.errors import HttpError, Malformed, NetworkError, TlsError
from srup.link import Link


class Poller:
    """server: {"host", "port"} · device: UUID text · authorities: [DER bytes]

    sign: (nonce) -> frame of a DATA `poll`, or None where that takes another round · tls_failed: called when TLS does.
    """

    def __init__(self, server, device, authorities, sign, tls_failed=lambda: None):
        self._server = server
        self._authorities = authorities
        self._path = "/srup/v1/devices/%s/" % device
        self._topic = b"srup/" + device.encode() + b"/c2"
        self._sign = sign
        self._tls_failed = tls_failed
        self._nonce = b""
        self._queue = []  # (handle, frame)
        self._handle = 0
        self._message = None
        self._buffer = memoryview(bytearray(limits.HTTP_LINE))
        self._piece = bytearray(limits.POLL_MESSAGE)
        self._link = self._session = None
        self._sends = False  # something that the network has not taken yet
        self._wants = False  # a signed poll
        self._frame = None
        self._failures = 0
        self._pause = 0  # milliseconds from `_paused_at` to the next poll
        self._paused_at = port.ticks_ms()
        self._empty = False  # the last poll brought nothing
        self.topics = {}  # as a connection by MQTT is to have them
        self.up = False  # the last poll went well
        self.linked = False  # the connection of this one has the memory that it needs
        self.acknowledged = []  # handles of publishes that the server has taken
        self.dropped = 0  # messages that are no frames
        self.fault = None  # what ended the last poll before its end

    def subscribe(self, topic, callback=None):
        """Nothing: what is for this device, and for its groups, comes with each poll. The application hears of its topics when
        there is MQTT again."""
        self.topics[topic] = callback

    def unsubscribe(self, topic):
        self.topics.pop(topic, None)

    def publish(self, topic, payload, retain=False, qos=1):
        """Queue a frame; the handle turns up in `acknowledged`. Raises NetworkError where the last poll went wrong, where too much
        waits, and for the application's messages."""
        if not self.up or len(self._queue) >= limits.POLL_QUEUE or topic.startswith(b"app/"):
            raise NetworkError("not connected")
        self._handle += 1
        self._queue.append((self._handle, payload))
        return self._handle

    def poll(self):
        """Move on by one step. Returns (topic, payload) of a message for the agent, or None; the same one until `acknowledge`."""
        if self._message:
            return self._message
        if self._session is None:
            if self._pauses() or not port.network_up():
                return None
            self._session = self._poll()
        try:
            if self._ready():
                next(self._session)
        except StopIteration:
            self._failures = 0
            self._end(limits.POLL_AGAIN)
        except (NetworkError, HttpError, Malformed) as error:
            self.drop(error)
        return self._message

    def _ready(self):
        """May the session go on? What takes much of a chip's stack, a TLS handshake and a signature, is done here, and not where it
        is wanted, some generators further in."""
        if self._sends and not self._link.flush():
            return False
        self._sends = False
        if self._wants:
            self._frame = self._sign(self._nonce)
            self._wants = self._frame is None
        return not self._wants

    def acknowledge(self):
        """The message that `poll` returned is safe: go on."""
        self._message = None

    def listened(self):
        """True once the server has nothing more for us now, and we have nothing for it: in low power the device may sleep."""
        return self.up and self._empty and self._session is None and not self._queue

    def drop(self, error):
        """End this poll, because of `error`; after a pause there is another. What is not acknowledged comes again."""
        if isinstance(error, TlsError):
            self._tls_failed()
        self._failures = min(self._failures + 1, 6)
        self._forget()
        self.fault = error
        self._end(limits.RECONNECT_PAUSE << self._failures)

    def close(self):
        """Until the next `poll`, which begins at once. Nothing is said where nobody is connected."""
        self._forget()
        self._end(0)

    def _forget(self):
        self.up = self._empty = False
        self._queue.clear()  # the outbox has them
        self.acknowledged.clear()

    def _end(self, pause):
        if self._link:
            self._link.close()
        self._link = self._session = self._message = None
        self.linked = self._sends = self._wants = False
        self._pause, self._paused_at = pause, port.ticks_ms()

    def _pauses(self):
        return port.within(self._pause, self._paused_at) and not self._queue

    # a poll

    def _poll(self):
        """Generator: yields between pieces of work."""
        self._empty, quiet = False, True
        link = self._link = Link(self._server["host"], self._server["port"], self._authorities)
        while not link.step():
            yield
        self.linked = True
        reader = http.Reader(link, self._buffer)
        yield from self._hand_in(reader)
        while (yield from self._ask(reader)):
            quiet = False  # more may come of it: another poll, soon
            yield from self._hear(reader)
        self._empty = quiet

    def _hand_in(self, reader):
        """The frames that wait."""
        while self._queue:
            handle, frame = self._queue[0]
            code, length = yield from self._post(reader, "messages", frame)
            while length:
                length -= yield from reader.some(length)
            if code != 204:
                raise NetworkError("HTTP %d to a frame of ours" % code)
            self._queue.pop(0)
            self.acknowledged.append(handle)

    def _hear(self, reader):
        """What the agent has to say to the messages."""
        since = port.ticks_ms()
        while port.within(limits.POLL_ANSWER, since):
            if self._queue:
                yield from self._hand_in(reader)
                since = port.ticks_ms()
            yield

    def _ask(self, reader):
        """True if there were messages."""
        from srup.polled import Polled  # now, and not while the device waits

        for _ in range(2):
            self._wants = True
            yield
            code, length = yield from self._post(reader, "poll", self._frame)
            if code not in (200, 401) or length > limits.POLL_BODY:
                raise NetworkError("HTTP %d to a poll, %d bytes" % (code, length))
            self.up = self.up or code == 200
            polled = Polled(self._piece)
            yield from self._take(reader, polled, length)
            self._nonce = polled.nonce()
            if code == 200:
                return polled.messages > 0
        raise NetworkError("no nonce is fresh enough")

    def _take(self, reader, polled, length):
        """Deliver the messages of a body, each when it has come."""
        while length:
            count = yield from reader.some(length)
            length -= count
            for byte in bytes(self._buffer[:count]):
                message = polled.feed(byte)
                if message:
                    yield from self._deliver(message)

    def _deliver(self, message):
        from srup import wire_json  # now: it may have been let go meanwhile

        try:
            self._message = self._topic, wire_json.decode(message)
        except Malformed:
            self.dropped += 1
        while self._message:
            yield

    def _post(self, reader, what, frame):
        """(code, length of the body) of the answer to a frame."""
        from srup import wire_json  # as above

        body = wire_json.encode(frame).encode()
        head = "POST %s%s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: srup\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        values = self._path, what, self._server["host"], self._server["port"], len(body)
        self._link.send((head % values).encode())
        self._link.send(body)
        self._sends = True
        yield
        code = http.status_code((yield from reader.line()))
        headers = yield from reader.headers()
        if "transfer-encoding" in headers or http.encoded(headers):
            raise HttpError("an encoding that we do not ask for")
        return code, 0 if code == 204 else http.length(headers)
