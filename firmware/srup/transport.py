"""Step 1. Bytes from MQTT and to it, over umqtt.simple; no frame is parsed here (protocol.md, section 4).

umqtt.simple builds every packet that goes out. What it does with what comes in is replaced: it trusts the broker's lengths
and waits for its answers without end, and the agent may do neither. So `_Client` lets umqtt write a packet and leaves at the
point where umqtt would wait, and the packet goes out whole or not at all. `Transport.poll` reads what comes, a packet at a
time, into one preallocated buffer, and holds a QoS 1 message until `acknowledge`, which is when the frame is safely on record.
"""

from umqtt import simple

from srup import limits, port
from srup.errors import NetworkError, TlsError
from srup.limits import const
from srup.link import Link

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_UNSUBACK = const(0xB0)
_PINGRESP = const(0xD0)

_HEAD = 9 + limits.TOPIC  # of a PUBLISH, at most: type, length 1...4, L16 topic, packet identifier

# Phases of a connection
_DOWN = const(0)
_DIALLING = const(1)
_GREETING = const(2)  # CONNECT sent
_SUBSCRIBING = const(3)  # messages may come: the broker has kept some
_UP = const(4)


class _WouldWait(Exception):
    """umqtt has written its packet and would now wait for the answer."""


class _Socket:
    """What umqtt takes for the module `socket` and its socket: writes are collected, reads leave."""

    def __init__(self):
        self.written = bytearray()

    def socket(self):
        return self

    def getaddrinfo(self, host, number):
        return ((None,),)

    def connect(self, address):
        pass  # the transport's link is

    def settimeout(self, seconds):
        pass  # umqtt 1.8 asks for it; the link has its own

    def setblocking(self, flag):
        pass

    def write(self, data, size=None):
        self.written.extend(data if size is None else memoryview(data)[:size])

    def read(self, size):
        raise _WouldWait()

    def close(self):
        pass  # the transport closes the link


class _Client(simple.MQTTClient):
    """umqtt as the writer of packets."""

    def packet(self, call, *arguments):
        """The packet that this method of umqtt's writes."""
        self.sock = written = _Socket()
        sockets, simple.socket = simple.socket, written
        if self.pid >= 0xFFFF:
            self.pid = 0  # umqtt counts on; a packet identifier is 16 bits and not 0
        try:
            call(*arguments)
        except _WouldWait:
            pass
        finally:
            simple.socket = sockets
        return written.written

    def wait_msg(self):
        raise _WouldWait()


class Transport:
    """One MQTT connection. broker: {"host", "port", "tls", "user", "password"} · device: UUID text, client id and user name.

    authorities: [DER bytes] · tls_failed: called when TLS does, before the next attempt
    """

    def __init__(self, broker, device, authorities, tls_failed=lambda: None):
        self._broker = broker
        self._authorities = authorities if broker.get("tls", True) else None
        if self._authorities is not None:
            port.tls_keep()
        self._own_topic = b"srup/" + device.encode() + b"/c2"
        self._state_topic = b"srup/" + device.encode() + b"/state"
        self._client = _Client(
            device.encode(),
            broker["host"],
            broker["port"],
            device.encode(),
            broker.get("password", "").encode(),
            limits.KEEPALIVE_S,
        )
        self._client.set_callback(self)
        self._client.set_last_will(self._state_topic, b"offline", True, 1)
        self._tls_failed = tls_failed
        self.topics = {}  # topic: callback, or None for the agent's own
        self._buffer = bytearray(_HEAD + limits.FRAME)
        self._link = None
        self._phase = _DOWN
        self._awaited = 0  # SUBACKs
        self._own = 0  # packet identifier of the SUBSCRIBE without which we would be deaf
        self._denied = False  # the broker has refused another, which it may grant later
        self._pause = 0  # milliseconds from `_dropped_at` to the next attempt
        self._dropped_at = port.ticks_ms()
        self.acknowledged = []  # handles of publishes that the broker has taken
        self.dropped = 0  # messages longer than any frame
        self.fault = None  # the last NetworkError
        self.quiet = False  # from the next connection on, tell nobody if we are online

    @property
    def up(self):
        return self._phase == _UP

    @property
    def linked(self):
        """The connection has the memory that it needs."""
        return self.up

    def listened(self):
        """True once the broker has nothing more for us now, as far as one can tell: in low power the device may sleep."""
        return self.up and not port.within(limits.LISTEN, self._heard)

    def subscribe(self, topic, callback=None):
        """Subscribe now, and again on every new connection; poll returns the messages, or hands them to callback(topic,
        payload). topic: bytes, at most TOPIC of them, without wildcards (ValueError)."""
        if len(topic) > limits.TOPIC or b"+" in topic or b"#" in topic:
            raise ValueError("a topic that can't be subscribed to")
        self.topics[topic] = callback
        if self._phase >= _SUBSCRIBING:
            self._awaited += 1
            self._write(self._client.subscribe, topic, 1)

    def unsubscribe(self, topic):
        """No more messages of this topic. One that comes all the same, as the broker has it from an earlier session, is dropped,
        and the broker told again."""
        self.topics.pop(topic, None)
        if self._phase >= _SUBSCRIBING:
            pid = self._client.pid = self._client.pid % 0xFFFF + 1
            size = len(topic)
            self._link.send(b"\xa2" + bytes((size + 4, pid >> 8, pid & 0xFF, size >> 8, size & 0xFF)) + topic)

    def publish(self, topic, payload, retain=False, qos=1):
        """Queue a message; the handle turns up in `acknowledged` for QoS 1. Raises NetworkError while there is no connection,
        and while so much is queued that this does not fit."""
        if self._phase < _SUBSCRIBING:
            raise NetworkError("not connected")
        self._write(self._client.publish, topic, payload, retain, qos)
        return self._client.pid

    def _write(self, call, *arguments):
        self._link.send(self._client.packet(call, *arguments))

    def poll(self):
        """Move the connection on by one step. Returns (topic, payload) of a message for the agent, or None.

        The message stays in the buffer, and is returned each time, and nothing further is read, until `acknowledge`.
        """
        try:
            return self._step()
        except NetworkError as error:
            self.drop(error)
            return None

    def drop(self, error):
        """End the connection, because of `error`; after a pause there is a new one. What is not acknowledged comes again."""
        self.fault = error
        if isinstance(error, TlsError):
            self._tls_failed()
        if self._link:
            self._link.close()
        self._link = self._held = self._message = None
        self._phase = _DOWN
        self.acknowledged.clear()
        self._pause = min(max(2 * self._pause, limits.RECONNECT_PAUSE), limits.RECONNECT_PAUSE_MOST)
        self._dropped_at = port.ticks_ms()

    def close(self):
        """Say goodbye: the broker publishes no last will. Nothing where there is no connection."""
        if self._phase == _DOWN:
            return
        try:
            if self.up:
                self._tell(b"offline")
                self._write(self._client.disconnect)
                self._link.flush()
        except NetworkError:
            pass  # it will find out by itself
        self.drop(None)

    def _tell(self, state):
        if not self.quiet:
            self.publish(self._state_topic, state, True, 1)

    def acknowledge(self):
        """The message that `poll` returned is safe: PUBACK it, and read on."""
        try:
            if self._held:
                self._link.send(b"\x40\x02" + self._held.to_bytes(2, "big"))
            self._begin_packet()
        except NetworkError as error:
            self.drop(error)

    # the connection

    def _step(self):
        if self._phase == _DOWN:
            self._dial()
        elif self._phase == _DIALLING and self._link.step():
            self._client.lw_topic = None if self.quiet else self._state_topic
            self._write(self._client.connect, False)  # with a persistent session
            self._begin_packet()
            self._phase = _GREETING
        elif self._phase >= _GREETING:
            return self._talk()
        return None

    def _dial(self):
        if not port.within(self._pause, self._dropped_at) and port.network_up():
            self._link = Link(self._broker["host"], self._broker["port"], self._authorities)
            self._phase = _DIALLING

    def _talk(self):
        self._link.flush()
        if self._held is not None:
            return self._message
        while self._read_some():
            if self._whole():
                return self._handle()
            if self._got > len(self._buffer):
                break  # longer than any frame: a piece of it in each round
        self._keep_alive()
        return None

    def _keep_alive(self):
        patience = limits.KEEPALIVE_S * 1000 if self.up else limits.TRANSPORT_TIMEOUT
        if not port.within(patience, self._heard):
            raise NetworkError("the broker has gone quiet")
        if self.up and not port.within(limits.KEEPALIVE_S * 500, self._pinged):
            self._pinged = port.ticks_ms()
            self._write(self._client.ping)
            if self._denied:
                self._denied = False
                self._subscribe_all()

    # packets (MQTT 3.1.1, section 2)

    def _begin_packet(self):
        self._held = self._message = None
        self._got = 0  # bytes of this packet so far
        self._size = None  # header and body, once the length is known
        self._heard = port.ticks_ms()

    def _read_some(self):
        """Read into the buffer up to the packet's end; what does not fit is read over the payload, and so dropped."""
        most = len(self._buffer)
        want = 1 if self._size is None else self._size - self._got
        at = self._got if self._got < most else _HEAD
        count = self._link.read_into(memoryview(self._buffer)[at : min(at + want, most)])
        if count:
            self._got += count
            self._heard = port.ticks_ms()
            if self._size is None:
                self._size = _packet_size(self._buffer, self._got)
        return count

    def _whole(self):
        return self._size is not None and self._got >= self._size

    def _handle(self):
        """One whole packet. Returns the message if it is the agent's."""
        kind = self._buffer[0] & 0xF0
        size, start = self._size, _body(self._buffer)
        if kind == _PUBLISH:
            return self._published(start, size)
        self._begin_packet()
        if kind == _CONNACK:
            self._greeted(start, size)
        elif kind == _PUBACK and size - start >= 2:
            del self.acknowledged[: 1 - limits.OUTBOX]  # a broker may acknowledge what was never sent, without end
            self.acknowledged.append(self._buffer[start] << 8 | self._buffer[start + 1])
        elif kind == _SUBACK and size - start >= 3:
            if self._buffer[start + 2] == 0x80:
                self._refused(self._buffer[start] << 8 | self._buffer[start + 1])
            self._subscribed()
        elif kind not in (_PINGRESP, _UNSUBACK):
            raise NetworkError("packet 0x%02x from the broker" % kind)
        return None

    def _greeted(self, start, size):
        if self._phase != _GREETING or size - start != 2 or self._buffer[start + 1] != 0:
            raise NetworkError("the broker refuses the connection (%d)" % self._buffer[start + 1])
        self._phase = _SUBSCRIBING
        self._awaited = 0
        self._subscribe_all()

    def _subscribe_all(self):
        for topic, callback in self.topics.items():  # in no order that says anything
            self.subscribe(topic, callback)
            if topic == self._own_topic:
                self._own = self._client.pid

    def _refused(self, pid):
        """A group's topic, or one of the application, is no reason to be on no network at all."""
        if pid == self._own:
            raise NetworkError("the broker refuses a subscription")
        self._denied = True

    def _subscribed(self):
        """Up once the broker has taken the first subscriptions: from now on nothing that is sent to us is lost."""
        self._awaited -= 1
        if self._phase == _SUBSCRIBING and not self._awaited:
            self._phase = _UP
            self._pause = 0
            self._pinged = port.ticks_ms()
            self._tell(b"online")

    def _published(self, start, size):
        topic_end = start + 2 + (self._buffer[start] << 8 | self._buffer[start + 1])
        qos = self._buffer[0] >> 1 & 3
        payload = topic_end + (2 if qos else 0)
        if self._phase < _SUBSCRIBING or qos > 1 or payload > min(size, _HEAD):
            raise NetworkError("a publication that makes no sense")
        self._held = self._buffer[topic_end] << 8 | self._buffer[topic_end + 1] if qos else 0
        if size - payload > limits.FRAME:
            self.dropped += 1
            self.acknowledge()
            return None
        return self._deliver(bytes(self._buffer[start + 2 : topic_end]), memoryview(self._buffer)[payload:size])

    def _deliver(self, topic, payload):
        callback = self.topics.get(topic)
        if callback is None and topic in self.topics:
            self._message = topic, payload
            return self._message
        if topic not in self.topics:
            self.unsubscribe(topic)
        try:
            if callback:
                callback(topic, bytes(payload))
        finally:
            self.acknowledge()
        return None


def _body(buffer):
    """Where the body begins: after the type and a length of one to four bytes."""
    at = 1
    while buffer[at] & 0x80:
        at += 1
    return at + 1


def _packet_size(buffer, got):
    """Header and body in bytes, or None while the length is not all there. Raises NetworkError for a fifth length byte."""
    if got < 2 or (buffer[got - 1] & 0x80 and got < 5):
        return None
    size = shift = 0
    for at in range(1, got):
        size |= (buffer[at] & 0x7F) << shift
        shift += 7
    if buffer[got - 1] & 0x80:
        raise NetworkError("a length that does not end")
    return got + size
