"""Fuzz targets: what a hostile HTTPS server and a hostile broker say, in pieces of any size."""

import binascii
import socket
import struct
import sys
from hashlib import sha256
from pathlib import Path

from srup import download, limits, status
from srup.errors import NetworkError, UpdateFailed
from srup.incoming import Incoming

# what umqtt.simple imports, under the names that MicroPython has for it
sys.modules.update(usocket=socket, ustruct=struct, ubinascii=binascii)
sys.path.append(str(Path(__file__).parents[2] / ".cache" / "micropython-lib"))

from srup import transport

FILE = bytes(range(128))
ROOM = 600
ATTEMPTS = 3
NEXT = b"\n--\n"  # between what one connection and the next one say
FAILURES = {
    status.UPDATE_FAIL_SERVER,
    status.UPDATE_FAIL_FILE,
    status.UPDATE_FAIL_HTTP,
    status.UPDATE_FAIL_DIGEST,
    status.UPDATE_FAIL_SPACE,
}


class Peer:
    """In place of a Link: says what it is told, `piece` bytes at a time, and hangs up."""

    def __init__(self, said: bytes, piece: int):
        self.said = said
        self.piece = piece
        self.heard = bytearray()

    def step(self) -> bool:
        return True

    def send(self, data: bytes) -> None:
        if len(self.heard) + len(data) > 100_000:
            raise NetworkError("takes no more")
        self.heard.extend(data)

    def flush(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def read_into(self, buffer) -> int:
        count = min(len(buffer), self.piece, len(self.said))
        if not count:
            raise NetworkError("closed the connection")
        buffer[:count], self.said = self.said[:count], self.said[count:]
        return count


class InMemory(Incoming):
    """Incoming, without a file."""

    def __init__(self, kept: bytes):
        super().__init__("", ROOM)
        self.data = bytearray(kept)
        self.most = len(kept)

    def kept(self, buffer):
        for at in range(0, len(self.data), len(buffer)):
            piece = self.data[at : at + len(buffer)]
            buffer[: len(piece)] = piece
            yield buffer[: len(piece)]

    def append(self, chunk):
        self.data += chunk
        self.most = max(self.most, len(self.data))
        assert self.most <= ROOM, "never more than there is room for"
        yield 0
        return len(chunk)

    def discard(self) -> None:
        self.data.clear()


def target_http(data: bytes) -> None:
    """data: size of the pieces | bytes in flash, good ones or not | the answers of the connections"""
    if len(data) < 2:
        return
    said = data[2:].split(NEXT)
    kept = FILE[: data[1] & 127] if data[1] & 128 else bytes(data[1])
    into, dialled = InMemory(kept), 0

    def link(host, number, authorities):
        nonlocal dialled
        dialled += 1
        assert dialled <= ATTEMPTS * (ATTEMPTS + 1) * (into.most + 1), "a server that has it go on for ever"
        return Peer(said[(dialled - 1) % len(said)] if dialled < 60 else b"", data[0] + 1)

    real, download.Link = download.Link, link
    try:
        fetching = download.Download(b"https://h:1/x", sha256(FILE).digest(), into, [], ["h:1"], ATTEMPTS)
        _fetch(fetching, into)
    finally:
        download.Link = real


def _fetch(fetching: download.Download, into: InMemory) -> None:
    try:
        for _ in fetching.run():
            pass
    except UpdateFailed as failure:
        assert failure.status in FAILURES
        return
    assert bytes(into.data) == FILE


def _head(code: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} x", *headers, "", ""]).encode()


def seeds_http() -> list[bytes]:
    whole = _head(200, "Content-Length: 128") + FILE
    rest = _head(206, "Content-Length: 96", "Content-Range: bytes 32-127/128") + FILE[32:]
    odd = [_head(416, "Content-Range: bytes */127"), _head(200, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n"]
    odd += [_head(200, "Content-Encoding: gzip", "Content-Length: 9"), _head(302, "Location: https://h:2/"), _head(404)]
    odd += [whole[:40] + NEXT + _head(416)]
    said = [whole, rest, *odd, whole[:71] + NEXT + rest, _head(416) + NEXT + _head(200, "Content-Length: 3") + b"abc"]
    return [bytes((255, kept)) + each for kept in (0, 128 + 32, 32) for each in said] + [b"\x00\x00" + whole]


# MQTT

TOPIC = b"srup/1/c2"
APP = b"app/1/x"
HELLO = b"\x20\x02\x00\x00\x90\x03\x00\x01\x01\x90\x03\x00\x02\x01"


def target_mqtt(data: bytes) -> None:
    """data: size of the pieces, by its highest bit after a proper greeting | what the broker says"""
    if not data:
        return
    said = (HELLO if data[0] & 128 else b"") + data[1:]
    broker = Peer(said, (data[0] & 127) * 9 + 1)
    real, transport.Link = transport.Link, lambda *_: broker
    try:
        _listen(transport.Transport({"host": "h", "port": 1, "tls": False}, "1", []), broker, said)
    finally:
        transport.Link = real


def _listen(client: transport.Transport, broker: Peer, said: bytes) -> None:
    buffer = client._buffer
    client.subscribe(TOPIC)
    client.subscribe(APP, lambda topic, payload: _said_as(topic, payload, said))
    client._pause = -1  # begin at once
    for _ in range(3 * len(said) + 20):
        client.poll() and _take(client, broker, said)
        assert client._buffer is buffer and len(client.acknowledged) <= limits.OUTBOX
        if client.fault:
            return
    raise AssertionError("the broker has hung up, and was not left")


def _take(client: transport.Transport, broker: Peer, said: bytes) -> None:
    topic, payload = client._message
    assert topic == TOPIC and len(payload) <= limits.FRAME
    numbers = _said_as(topic, bytes(payload), said)
    sent = len(broker.heard)
    client.acknowledge()
    assert bytes(broker.heard[sent:]) in [b"", *(b"\x40\x02" + number for number in numbers)]


def _said_as(topic: bytes, payload: bytes, said: bytes) -> set[bytes]:
    """The packet identifiers, or what is there without one, with which the broker has said all of it."""
    text, found = len(topic).to_bytes(2, "big") + topic, set()
    at = said.find(text)
    while at >= 0:
        end = at + len(text)
        if payload in (said[end : end + len(payload)], said[end + 2 : end + 2 + len(payload)]):
            found.add(said[end : end + 2])
        at = said.find(text, at + 1)
    assert found, "a message that the broker has not sent"
    return found


def _publish(topic: bytes, payload: bytes, first: int = 0x32, number: bytes = b"\x00\x07") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + number + payload
    size = len(body)
    return bytes((first,)) + (bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7))) + body


def seeds_mqtt() -> list[bytes]:
    said = [_publish(TOPIC, b"one") + _publish(APP, b"two", 0x30, b""), _publish(TOPIC, bytes(1025)) + b"\xd0\x00"]
    said += [
        b"\x40\x02\x00\x09" * 40,
        _publish(b"other", b"x"),
        b"\xb0\x02\x00\x01",
        b"\x32\xff\xff\xff\xff\x7f",
        b"\xf0\x00",
    ]
    return [b"\xff" + each for each in said] + [
        b"\x80" + said[0],
        b"\x7f" + HELLO[:9] + said[0],
        b"\x7f\x20\x02\x00\x05",
    ]
