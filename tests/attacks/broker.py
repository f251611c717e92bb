"""A broker that does what a story tells it, over real TCP and without TLS: MQTT 3.1.1 by hand, wrong packets too."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PING = 0x10, 0x30, 0x40, 0x82, 0xC0
CONNACK = b"\x20\x02\x00\x00"


class Wire:
    """One connection of a board, from the broker's side."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        connection.settimeout(30)

    def packet(self) -> tuple[int, bytes]:
        """(type and flags, body) of the next packet; ConnectionError where there is none."""
        head = self._exactly(1)[0]
        size = shift = 0
        while True:
            byte = self._exactly(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return head, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                raise ConnectionError("the board has gone")
            data += piece
        return data

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def greet(self, connack: bytes = CONNACK) -> None:
        """Up to and with the first subscriptions."""
        assert self.packet()[0] == CONNECT
        self.send(connack)
        head, body = self.packet()
        assert head == SUBSCRIBE
        self.send(b"\x90\x03" + body[:2] + b"\x01")

    def until_closed(self) -> None:
        """Whatever the board still sends."""
        with suppress(OSError):
            while self.connection.recv(4096):
                pass


def publish(topic: bytes, payload: bytes, qos: int = 1, number: int = 7) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + (number.to_bytes(2, "big") if qos else b"") + payload
    return bytes((PUBLISH | qos << 1,)) + length(len(body)) + body


def length(size: int) -> bytes:
    out = b""
    while size > 127:
        out += bytes((size & 127 | 128,))
        size >>= 7
    return out + bytes((size,))


class HostileBroker:
    """Plays `acts`, one for each connection; the last one for all that come after it."""

    def __init__(self, port: int, *acts: Callable[[Wire], None]):
        self._acts = list(acts)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.connections = 0
        self.failed: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(40)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
            with connection, suppress(OSError):
                try:
                    act(Wire(connection))
                except AssertionError as error:
                    self.failed = error
