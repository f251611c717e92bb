"""TCP (RFC 9293) for the gateway: each connection that the board opens is joined to a socket of this machine.

Enough for a line that does not lose bytes: what stays unacknowledged is sent again from there on, what comes out of order
has to come again. No congestion control: the board's window is the only limit. Each direction is held back when its reader
is slow: the board by the window offered to it, the socket by not being read.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

from tests.emulator.segment import ACK, FIN, MASK, PSH, RST, SYN, Segment, ahead

FIRST = -4096 & MASK  # every connection's first sequence number: soon past 2^32, so that wrapping round is nothing rare
MSS = 1460  # ours; the board names its own
WINDOW = 16 * 1024  # bytes that the board may have under way
QUEUE = 32 * 1024  # bytes taken from the socket before the board has acknowledged them
RETRY, RETRY_MAX, RETRIES = 3.0, 60.0, 8  # seconds: an emulated board may well be busy for one or two of them
LINGER = 10.0  # seconds for which a closed connection still answers a repeated FIN


class Connection(asyncio.Protocol):
    """One connection: a TCP endpoint towards the board, an asyncio protocol towards the socket.

    `_queue` holds what the socket gave, from `_oldest` on, the first sequence number that the board has not acknowledged.
    `_next` is sent next; a retransmission sets it back to `_oldest`, but not `_top`, which is the highest ever sent.
    """

    def __init__(self, syn: Segment, transmit: Callable[[bytes], None], limit: int, forget: Callable[[], None]) -> None:
        self._ports = syn.target, syn.source
        self._transmit, self._forget = transmit, forget
        self._mss = min(syn.mss or 536, limit)
        self._window = syn.window
        self._expected = (syn.sequence + 1) & MASK
        self._oldest = self._next = self._top = FIRST
        self._queue = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry, self._tries = RETRY, 0
        self._established = False
        self._socket_ended = self._fin_acknowledged = self._board_ended = False
        self.over = False

    # The socket's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.over:  # the board has given up meanwhile
            return self._transport.abort()
        self._transport.set_write_buffer_limits(high=WINDOW // 2)
        self._greet()

    def data_received(self, data: bytes) -> None:
        self._queue += data
        if self._transport and len(self._queue) > QUEUE:
            self._transport.pause_reading()
        self._flush()

    def eof_received(self) -> bool:
        self._socket_ended = True
        self._flush()
        return True  # the other direction stays open

    def resume_writing(self) -> None:
        if not self.over:
            self._send(ACK)  # tells the board that there is room again

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over:
            self.reset()

    # The board's side.

    def receive(self, segment: Segment) -> None:
        if segment.flags & RST:
            self._receive_reset(segment)
        elif self._transport is None:
            pass  # the SYN again, before the socket is there
        elif segment.flags & SYN and not self._established:
            self._send(SYN | ACK, mss=MSS)
        elif segment.flags & SYN or not segment.flags & ACK or ahead(segment.acknowledged, self._top) > 0:
            self._send(ACK)
        else:
            self._take_acknowledgement(segment)
            self._take_payload(segment, self._transport)
            self._flush()

    def reset(self) -> None:
        """Tell the board that the connection is broken, and end it."""
        self._send(RST | ACK)
        self.abort()

    def abort(self) -> None:
        """End it without a word to the board. The socket is reset, which is what lingering for no time means."""
        if self._transport and not self._transport.is_closing():
            at_once = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self._transport.abort()
        self._end()
        self._forget()

    def orphan(self) -> None:
        """The board can't be reached by it any more, and the socket is not told."""
        self._end()
        self._forget()

    def _receive_reset(self, segment: Segment) -> None:
        """RFC 5961: only with the exact sequence number it counts; with another within the window it is asked about."""
        distance = ahead(segment.sequence, self._expected)
        if distance == 0:
            self.abort()
        elif 0 < distance < WINDOW:
            self._send(ACK)

    def _take_acknowledgement(self, segment: Segment) -> None:
        size = ahead(segment.acknowledged, self._oldest)
        if size >= 0:
            self._window = segment.window
        if size > 0:
            self._advance(segment.acknowledged, size)
        if not self._window:
            self._tries = 0  # no room, but alive: no reason to give up

    def _advance(self, acknowledged: int, size: int) -> None:
        if not self._established:
            self._established, size = True, size - 1
        self._fin_acknowledged = size > len(self._queue)
        del self._queue[:size]
        self._oldest = acknowledged
        if ahead(self._next, acknowledged) < 0:
            self._next = acknowledged
        self._retry, self._tries = RETRY, 0
        self._stop_timer()
        if self._transport and len(self._queue) <= QUEUE // 2:
            self._transport.resume_reading()

    def _take_payload(self, segment: Segment, transport: asyncio.Transport) -> None:
        known = ahead(self._expected, segment.sequence)  # so much of it is here already
        if 0 <= known <= len(segment.payload) and self._established and not self._board_ended:
            data = segment.payload[known:][: self._room()]
            transport.write(data)
            self._expected = (self._expected + len(data)) & MASK
            if segment.flags & FIN and known + len(data) == len(segment.payload):
                self._take_end(transport)
        if (segment.length or known) and (self._board_ended or not self.over):
            self._send(ACK)

    def _take_end(self, transport: asyncio.Transport) -> None:
        try:
            transport.write_eof()
        except OSError:  # the socket was reset, which a transport that has read to the end does not notice
            return self.reset()
        self._board_ended = True
        self._expected = (self._expected + 1) & MASK

    def _flush(self) -> None:
        """Send what the board's window has room for."""
        if not self._established or self.over:
            return
        while self._send_next():
            pass
        if self._board_ended and self._fin_acknowledged:
            self._finish()
        elif self._timer is None and (self._next != self._oldest or self._queue):
            self._start_timer()

    def _send_next(self) -> bool:
        sent = ahead(self._next, self._oldest)
        waiting = len(self._queue) - sent
        size = min(self._mss, self._window - sent, waiting)
        last = self._socket_ended and not self._fin_acknowledged and size == waiting
        if size < 0 or not (size or last) or (sent and size < min(self._mss, waiting)):
            return False  # no data, no room; or room for a sliver only, and an acknowledgement under way will make more
        self._send(ACK | (PSH if size == waiting else 0) | (FIN if last else 0), bytes(self._queue[sent : sent + size]))
        self._move_to(self._next + size + last)
        return True

    def _move_to(self, sequence: int) -> None:
        self._next = sequence & MASK
        if ahead(self._next, self._top) > 0:
            self._top = self._next

    def _retransmit(self) -> None:
        self._timer = None
        self._tries, self._retry = self._tries + 1, min(2 * self._retry, RETRY_MAX)
        if self._tries > RETRIES:
            return self.reset()
        self._next = self._oldest
        if not self._established:
            return self._greet()
        if self._queue and not self._window:
            self._probe()
        self._flush()

    def _probe(self) -> None:
        """One byte into a closed window, to be told whether it still is."""
        self._send(ACK | PSH, bytes(self._queue[:1]))
        self._move_to(self._next + 1)
        self._next = self._oldest

    def _greet(self) -> None:
        self._send(SYN | ACK, mss=MSS)
        self._move_to(FIRST + 1)
        self._start_timer()

    def _finish(self) -> None:
        """Both have ended, and both know it."""
        if self._transport:
            self._transport.close()
        self._end()
        self._timer = asyncio.get_running_loop().call_later(LINGER, self._forget)

    def _end(self) -> None:
        self.over = True
        self._stop_timer()

    def _send(self, flags: int, payload: bytes = b"", mss: int | None = None) -> None:
        sequence = FIRST if flags & SYN else self._next
        self._transmit(Segment(*self._ports, sequence, self._expected, flags, self._room(), payload, mss).pack())

    def _room(self) -> int:
        return max(0, WINDOW - (self._transport.get_write_buffer_size() if self._transport else 0))

    def _start_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._retry, self._retransmit)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None


class Endpoint:
    """All TCP connections of the board. limit: bytes that a segment to the board may carry."""

    def __init__(self, transmit: Callable[[bytes], None]) -> None:
        self._transmit = transmit
        self._connections: dict[tuple[int, int], Connection] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self.limit = MSS
        self._orphans: list[Connection] = []
        self._silent = False  # about what belongs to no connection

    def receive(self, data: bytes) -> None:
        """A segment from the board, its checksum verified. Raises Malformed."""
        segment = Segment.parse(data)
        opens = segment.flags & (SYN | ACK | RST) == SYN
        connection = self._connections.get((segment.source, segment.target))
        if connection and not (connection.over and opens):
            connection.receive(segment)
        elif opens:
            self._open(segment)
        elif not (segment.flags & RST or self._silent):
            self._refuse(segment)

    def close(self) -> None:
        """Drop every connection: the board is gone, and need not be told."""
        for task in self._connecting:
            task.cancel()
        for connection in [*self._connections.values(), *self._orphans]:
            connection.abort()
        self._orphans.clear()

    def rebind(self) -> None:
        """As a NAT that has lost its table: nothing of the connections that there were arrives any more, and no RST tells either
        side. New ones are made."""
        self._silent = True
        for connection in list(self._connections.values()):
            connection.orphan()
            self._orphans.append(connection)

    def _open(self, syn: Segment) -> None:
        def forget() -> None:
            if self._connections.get(key) is connection:
                del self._connections[key]

        key = syn.source, syn.target
        connection = self._connections[key] = Connection(syn, self._transmit, self.limit, forget)
        task = asyncio.get_running_loop().create_task(self._join(connection, syn))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _join(self, connection: Connection, syn: Segment) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", syn.target)
        except OSError:
            self._refuse(syn)
            connection.abort()

    def _refuse(self, segment: Segment) -> None:
        sequence = segment.acknowledged if segment.flags & ACK else 0
        end = segment.sequence + segment.length
        self._transmit(Segment(segment.target, segment.source, sequence, end, RST | ACK, 0).pack())
