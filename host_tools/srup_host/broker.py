"""The embedded MQTT broker, for whoever has none: amqtt, behind a door of our own.

The door listens, reads CONNECT, asks for the password and the topics, and only then lets amqtt see the connection: amqtt
itself ends the session of whoever's name a stranger claims, lets two connections of one client get in each other's way, never
acts on a client that has gone quiet, lets a last will go anywhere, and takes packets of any length.

Sessions and queues are in memory, and gone after a restart: `srup serve` publishes what the ledger has unanswered again.
"""

import asyncio
import asyncio.sslproto
import contextlib
import logging
import socket
import ssl
from dataclasses import dataclass
from typing import Self

from amqtt.adapters import ReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connack import BAD_USERNAME_PASSWORD, IDENTIFIER_REJECTED, NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.connect import ConnectPacket

from srup_host import credentials, net
from srup_host.acl import Rules, user_of
from srup_host.amqtt_mended import Amqtt
from srup_host.fleet import Fleet
from srup_host.groups import Readers

PACKET = 65_536  # bytes of the longest packet taken
HANDSHAKE_S = (
    60  # for TLS: a Pico takes two seconds, and over a bad link many; an emulated one on a busy machine half a minute
)
CONNECT_S = 10  # within which a connection must then have said who it is
GOODBYE_S = 2  # for the end of a TLS connection
TAKE_OVER_S = 15  # within which the connection that a new one replaces must have ended

asyncio.sslproto.SSLProtocol.max_size = PACKET  # asyncio's own 256 KiB a connection are a gigabyte for 4,000 devices

log = logging.getLogger(__name__)


class Broker:
    """The broker of a fleet on `sockets`, for as long as the context lasts.

    context: TLS for them, None for plain TCP · plain: further sockets, without TLS.
    """

    def __init__(
        self,
        fleet: Fleet,
        sockets: list[socket.socket],
        context: ssl.SSLContext | None,
        plain: list[socket.socket] | None = None,
    ):
        self._fleet = fleet
        self._rules = Rules(fleet, Readers(fleet))
        self._listen = [(opened, context) for opened in sockets] + [(opened, None) for opened in plain or []]
        self._connections: dict[str, _Connection] = {}
        self._arrivals: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._servers: list[asyncio.Server] = []
        self.port = net.port_of(sockets)

    async def __aenter__(self) -> Self:
        credentials.server(self._fleet)
        self._amqtt = Amqtt(self._rules)
        try:
            await self._amqtt.start()
            for opened, context in self._listen:
                self._servers.append(await self._server(opened, context))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _server(self, opened: socket.socket, context: ssl.SSLContext | None) -> asyncio.Server:
        if not context:
            return await asyncio.start_server(self._arrived, sock=opened)
        return await asyncio.start_server(
            self._arrived, sock=opened, ssl=context, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=GOODBYE_S
        )

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for writer in self._arrivals.values():
            writer.transport.abort()
        if self._arrivals:
            await asyncio.wait(self._arrivals, timeout=TAKE_OVER_S)
        await self._amqtt.shutdown()

    def connected(self) -> list[str]:
        """The clients that are connected now."""
        return sorted(self._connections)

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer))
        self._arrivals[task] = writer
        task.add_done_callback(self._arrivals.pop)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = _Stream(reader)
        try:
            connect = await self._identified(stream)
            await self._let_in(connect, stream, writer)
        except _Refused as refused:
            log.info("%s: %s", writer.get_extra_info("peername"), refused)
            await _say_goodbye(writer, refused.code)
        except (AMQTTError, MQTTError, NoDataError, OSError, TimeoutError) as error:
            log.info("%s: %s", writer.get_extra_info("peername"), error)
        finally:
            writer.transport.abort()

    async def _identified(self, stream: "_Stream") -> ConnectPacket:
        async with asyncio.timeout(CONNECT_S):
            connect = await ConnectPacket.from_stream(stream)
        user, password = connect.username or "", connect.password or ""
        if not credentials.check(self._fleet, user, password):
            raise _Refused(BAD_USERNAME_PASSWORD, f"user {user!r} is unknown, or its password is wrong")
        if user_of(connect.client_id) != user:
            raise _Refused(IDENTIFIER_REJECTED, f"{user} may not call itself {connect.client_id!r}")
        if connect.will_flag and not self._rules.may_publish(user, connect.will_topic or ""):
            raise _Refused(NOT_AUTHORIZED, f"{user} may not leave a last will on {connect.will_topic!r}")
        return connect

    async def _let_in(self, connect: ConnectPacket, stream: "_Stream", writer: asyncio.StreamWriter) -> None:
        client = connect.client_id or ""
        async with asyncio.timeout(TAKE_OVER_S):
            while connection := self._connections.get(client):
                await self._end(connection)
        connection = self._connections[client] = _Connection(writer, asyncio.Event())
        retain_will = connect.will_retain_flag
        if not connect.clean_session_flag:
            self._amqtt.expect(client)
        try:
            stream.replay(connect)
            await self._amqtt.serve(stream, StreamWriterAdapter(writer), retain_will)
        finally:
            del self._connections[client]
            connection.ended.set()

    async def _end(self, connection: "_Connection") -> None:
        connection.writer.transport.abort()
        await connection.ended.wait()


@dataclass(frozen=True)
class _Connection:
    writer: asyncio.StreamWriter
    ended: asyncio.Event


class _Refused(Exception):
    """code: what CONNACK says."""

    def __init__(self, code: int, why: str):
        super().__init__(why)
        self.code = code


async def _say_goodbye(writer: asyncio.StreamWriter, code: int) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(ConnackPacket.build(0, code).to_bytes())
        writer.close()
        async with asyncio.timeout(GOODBYE_S):
            await writer.wait_closed()


class _Stream(ReaderAdapter):
    """A connection as amqtt reads it: packets of bounded length, and an end when the client has gone quiet."""

    def __init__(self, reader: asyncio.StreamReader):
        self._reader = reader
        self._first = b""
        self._patience: float | None = None
        self._heard = asyncio.get_running_loop().time()
        self._ended = False

    def replay(self, connect: ConnectPacket) -> None:
        """Begin again with CONNECT. The keep-alive is watched here: amqtt counts it down, and does nothing when it is up."""
        self._patience = 1.5 * connect.keep_alive or None  # MQTT 3.1.1, 3.1.2.10
        connect.keep_alive = 0
        self._first = connect.to_bytes()

    async def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes, or none at the end."""
        if self._first:
            taken, self._first = self._first[:n], self._first[n:]
            return taken
        if self._ended or not 0 <= n <= PACKET:
            return self._end()
        try:
            async with asyncio.timeout_at(self._heard + self._patience if self._patience else None):
                data = await self._reader.readexactly(n)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return self._end()
        self._heard = asyncio.get_running_loop().time()
        return data

    def _end(self) -> bytes:
        self._ended = True
        return b""

    def feed_eof(self) -> None:
        self._reader.feed_eof()
