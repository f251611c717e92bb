"""The far end of the emulated board's PPP link, over any byte stream: LCP (RFC 1661), IPCP (RFC 1332), and the gateway.

It waits for the board to begin, and begins anew whenever the board does: after a reset nobody has to tell it. No
authentication, no compression. What the board can reach through it is in gateway.py.

    reader, writer = await asyncio.open_unix_connection(path)
    async with Link(reader, writer, names={"broker.test"}) as link:
        await link.up.wait()
"""

import asyncio
import contextlib
import ipaddress
import random
import socket
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Self

from tests.emulator import hdlc
from tests.emulator.gateway import Gateway
from tests.emulator.negotiation import Negotiation, ignore
from tests.emulator.segment import Malformed
from tests.emulator.weather import Weather

IP, IPCP, LCP = 0x0021, 0x8021, 0xC021
PROTOCOL_REJECT, ECHO, ECHO_REPLY, DISCARD = range(8, 12)  # LCP's own codes
MRU, ACCM, MAGIC, SHORT_PROTOCOL, NO_ADDRESS = 1, 2, 5, 7, 8  # LCP's options
ADDRESS, DNS_1, DNS_2 = 3, 129, 131  # IPCP's options; DNS after RFC 1877
ALL_CONTROLS = 0xFFFFFFFF  # escaped until something else is agreed, and in LCP always
MRU_DEFAULT, MRU_LEAST = 1500, 576


class Lcp(Negotiation):
    """The link itself. It asks for no control characters to be escaped. mru: the longest packet that the board may send."""

    def __init__(self, send: Callable[[bytes], None], mru: int = MRU_DEFAULT) -> None:
        self._magic = random.randbytes(4)
        asked = {MRU: mru.to_bytes(2)} if mru != MRU_DEFAULT else {}
        super().__init__(send, asked | {ACCM: bytes(4), MAGIC: self._magic})
        self._handlers |= {PROTOCOL_REJECT: ignore, ECHO: self._echo, ECHO_REPLY: ignore, DISCARD: ignore}

    def judge(self, kind: int, data: bytes) -> bytes | None:
        acceptable = {
            MRU: data if len(data) == 2 and int.from_bytes(data) >= MRU_LEAST else MRU_DEFAULT.to_bytes(2),
            ACCM: data if len(data) == 4 else bytes(4),
            MAGIC: data if len(data) == 4 and data != self._magic else random.randbytes(4),
            SHORT_PROTOCOL: b"",
            NO_ADDRESS: b"",
        }
        return acceptable.get(kind)

    @property
    def accm(self) -> int:
        """The control characters that the board wants escaped, as bits."""
        return int.from_bytes(self.agreed.get(ACCM, b"\xff\xff\xff\xff"))

    @property
    def mru(self) -> int:
        """The longest packet that the board takes."""
        return int.from_bytes(self.agreed.get(MRU, MRU_DEFAULT.to_bytes(2)))

    def reject_protocol(self, protocol: int, packet: bytes) -> None:
        self.reply(PROTOCOL_REJECT, self.next_identifier(), (protocol.to_bytes(2) + packet)[: self.mru - 4])

    def _echo(self, identifier: int, body: bytes) -> None:
        if self.open:
            self.reply(ECHO_REPLY, identifier, self.asking.get(MAGIC, bytes(4)) + body[4:])


class Ipcp(Negotiation):
    """The addresses: `address` is the gateway's, and DNS's; `board` is what the board gets."""

    def __init__(self, send: Callable[[bytes], None], address: str, board: str) -> None:
        own, given = (ipaddress.IPv4Address(one).packed for one in (address, board))
        super().__init__(send, {ADDRESS: own})
        self._given = {ADDRESS: given, DNS_1: own, DNS_2: own}

    def judge(self, kind: int, data: bytes) -> bytes | None:
        return self._given.get(kind)


@dataclass
class Traffic:
    """What has gone over the line; `dropped` frames had a wrong checksum, did not parse, or came out of turn."""

    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    dropped: int = 0


class Link:
    """One PPP link, and all that is behind it. It owns the stream, and closes it.

    mru: as for Lcp · weather: what becomes of IP packets.
    names: those that DNS answers with the gateway's address, lower case. clock: seconds since 1970, for NTP. `up` is set
    while the board has its address. `await link.ended()` returns when the stream has ended: the board has lost its power.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        names: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        address: str = "10.64.0.1",
        board: str = "10.64.0.2",
        mru: int = MRU_DEFAULT,
        weather: Weather | None = None,
    ) -> None:
        self._reader, self._writer = reader, writer
        self.traffic = Traffic()
        self.up = asyncio.Event()
        self._frames = hdlc.Splitter()
        self._weather = weather or Weather()
        self._lcp = Lcp(lambda packet: self._send(LCP, packet), mru)
        self._ipcp = Ipcp(lambda packet: self._send(IPCP, packet), address, board)
        self._gateway = Gateway(address, board, names, clock, self._send_ip)
        self._lcp.closed = self._ipcp.stop
        self._ipcp.opened, self._ipcp.closed = self._go_up, self._go_down

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Pull the plug, without a word to the board.

        MicroPython 1.25 crashes in a soft reset that follows a Terminate-Request.
        """
        self._lcp.stop()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def ended(self) -> None:
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        """Takes what comes. It never waits for the board to read: that could be while the board waits for us to."""
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65536):
                self._receive(data)
        self._lcp.stop()

    def _receive(self, data: bytes) -> None:
        self.traffic.bytes_in += len(data)
        for frame in self._frames.feed(data):
            self.traffic.frames_in += 1
            try:
                self._dispatch(*split(hdlc.unwrap(frame)))
            except Malformed:
                self.traffic.dropped += 1

    def _dispatch(self, protocol: int, packet: bytes) -> None:
        """Each protocol counts only when the one below it is open (RFC 1661, 3.4 and 3.5)."""
        if protocol == LCP:
            self._lcp.receive(packet)
        elif not self._lcp.open:
            raise Malformed("before LCP")
        elif protocol == IPCP:
            self._ipcp.receive(packet)
        elif protocol != IP:
            self._lcp.reject_protocol(protocol, packet)
        elif not self._ipcp.open:
            raise Malformed("before IPCP")
        else:
            self._weather.carry(packet, self._receive_ip)

    def _receive_ip(self, packet: bytes) -> None:
        try:
            self._gateway.receive(packet)
        except Malformed:
            self.traffic.dropped += 1

    def _send_ip(self, packet: bytes) -> None:
        self._weather.carry(packet, lambda carried: self._send(IP, carried))

    def rebind(self) -> None:
        """The NAT on the way has forgotten all connections: what the board says in them goes nowhere from now on, and nobody
        tells it. From any thread."""
        self._loop.call_soon_threadsafe(self._gateway.rebind)

    def _send(self, protocol: int, packet: bytes) -> None:
        if self._writer.is_closing():
            return
        accm = ALL_CONTROLS if protocol == LCP else self._lcp.accm
        frame = hdlc.wrap(b"\xff\x03" + protocol.to_bytes(2) + packet, accm)
        self.traffic.frames_out += 1
        self.traffic.bytes_out += len(frame)
        self._writer.write(frame)

    def _go_up(self) -> None:
        self._gateway.set_mtu(self._lcp.mru)
        self.up.set()

    def _go_down(self) -> None:
        self.up.clear()
        self._gateway.close()


def split(content: bytes) -> tuple[int, bytes]:
    """Protocol and packet of a frame; its address, its control and its protocol's first byte may have been left out."""
    content = content.removeprefix(b"\xff\x03")
    size = 1 if content and content[0] & 1 else 2
    if len(content) < size:
        raise Malformed("protocol")
    return int.from_bytes(content[:size]), content[size:]


@contextlib.contextmanager
def in_thread(line: socket.socket, **options: Any) -> Iterator[Link]:
    """A Link over a connected socket, served by a thread of its own, for a test that is not async.

    Of the Link only `up.is_set()`, `traffic` and `rebind()` are for use outside its thread.
    """
    started: Future[tuple[Link, Callable[[], object]]] = Future()

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with Link(*await asyncio.open_connection(sock=line), **options) as link:
            started.set_result((link, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(asyncio.run, serve())
        first: list[Future[Any]] = [started, served]
        if served in wait(first, return_when=FIRST_COMPLETED).done:
            served.result()  # raises
        link, stop = started.result()
        try:
            yield link
        finally:
            stop()
            served.result()
