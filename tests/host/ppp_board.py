"""A board at the end of a PPP link, for tests of the link: it sends and expects one packet, one segment at a time.

It shares no code with what it tests: frame check sequence bit by bit, Internet checksum word by word.
"""

import asyncio
import contextlib
import random
import socket
import struct
from typing import NamedTuple

from tests.emulator.ppp import Link

IP, IPCP, LCP, CCP = 0x0021, 0x8021, 0xC021, 0x80FD
REQUEST, ACK_OPTIONS, NAK, REJECT, TERMINATE, TERMINATED, CODE_REJECT, PROTOCOL_REJECT, ECHO, ECHO_REPLY = range(1, 11)
GATEWAY, BOARD, ELSEWHERE = (socket.inet_aton(text) for text in ("10.64.0.1", "10.64.0.2", "192.0.2.1"))
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, ACK = 1, 2, 4, 16
LCP_OPTIONS = bytes.fromhex("0206 00000000 0506 12345678 0702 0802")  # as lwIP asks
EVERY_BYTE = bytes(range(256))
BIG = random.Random(1).randbytes(200_000)


def fcs(data):
    """RFC 1662, C.1: x^16 + x^12 + x^5 + 1, low bit first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return value


def internet_sum(data):
    """RFC 1071: the ones' complement sum of 16-bit words, carries folded in."""
    total = 0
    for high, low in zip(data[::2], data[1::2] + b"\0", strict=False):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(source, target, protocol, size):
    return source + target + bytes((0, protocol)) + size.to_bytes(2)


def control(code, identifier, body=b""):
    return bytes((code, identifier)) + (4 + len(body)).to_bytes(2) + body


class Segment(NamedTuple):
    target: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes


class FakeBoard:
    """A board that sends and expects one packet at a time."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send_raw(self, data):
        self.writer.write(data)

    def send(self, protocol, packet, short=False):
        content = protocol.to_bytes(1 if protocol < 256 else 2) if short else b"\xff\x03" + protocol.to_bytes(2)
        content += packet
        content += (fcs(content) ^ 0xFFFF).to_bytes(2, "little")
        escaped = b"".join(
            bytes((0x7D, byte ^ 0x20)) if byte < 32 or byte in (0x7D, 0x7E) else bytes((byte,)) for byte in content
        )
        self.send_raw(b"\x7e" + escaped + b"\x7e")

    async def receive_raw(self):
        while True:
            frame = (await self.reader.readuntil(b"\x7e"))[:-1]
            if frame:
                return frame

    async def receive(self, protocol):
        """The next packet, which must be of that protocol."""
        content, escape = bytearray(), 0
        for byte in await self.receive_raw():
            if byte == 0x7D:
                escape = 0x20
            else:
                content.append(byte ^ escape)
                escape = 0
        assert fcs(content) == 0xF0B8
        assert content[:4] == b"\xff\x03" + protocol.to_bytes(2)
        return bytes(content[4:-2])

    async def receive_control(self, protocol):
        packet = await self.receive(protocol)
        code, identifier, size = struct.unpack_from("!BBH", packet)
        assert size == len(packet)
        return code, identifier, packet[4:]

    async def negotiate(self, protocol, options):
        """Its answer to our request must be its own request and an acknowledgement; ours follows. Its options."""
        self.send(protocol, control(REQUEST, 77, options))
        code, identifier, theirs = await self.receive_control(protocol)
        assert code == REQUEST
        assert await self.receive_control(protocol) == (ACK_OPTIONS, 77, options)
        self.send(protocol, control(ACK_OPTIONS, identifier, theirs))
        return theirs

    async def bring_up(self, lcp_options=LCP_OPTIONS):
        await self.negotiate(LCP, lcp_options)
        await self.negotiate(IPCP, b"\x03\x06" + BOARD)
        await self.ping()

    async def ping(self):
        self.send_ip(ICMP, b"\x08\0\0\0\0\x2a\0\x01" + EVERY_BYTE)
        assert await self.receive_ip(ICMP) == b"\0\0\0\0\0\x2a\0\x01" + EVERY_BYTE

    def send_ip(self, protocol, payload, target=GATEWAY, **damage):
        self.send(IP, ip_packet(protocol, payload, target, **damage))

    async def receive_ip(self, protocol, source=GATEWAY):
        """The payload of the next packet, its checksums verified and then 0."""
        packet = await self.receive(IP)
        assert packet[0] == 0x45 and internet_sum(packet[:20]) == 0xFFFF
        assert int.from_bytes(packet[2:4]) == len(packet)
        assert (packet[9], packet[12:16], packet[16:20]) == (protocol, source, BOARD)
        payload = packet[20:]
        begin = b"" if protocol == ICMP else pseudo(source, BOARD, protocol, len(payload))
        assert internet_sum(begin + payload) == 0xFFFF
        at = {ICMP: 2, TCP: 16, UDP: 6}[protocol]
        return payload[:at] + b"\0\0" + payload[at + 2 :]

    async def ask(self, port, question):
        """One UDP question; the answer."""
        self.send_ip(UDP, struct.pack("!HHHH", 4321, port, 8 + len(question), 0) + question)
        answer = await self.receive_ip(UDP)
        assert struct.unpack_from("!HHH", answer) == (port, 4321, len(answer))
        return answer[8:]


def ip_packet(protocol, payload, target=GATEWAY, source=BOARD, fragment=0, bad_header=0, bad_payload=0):
    at = {ICMP: 2, TCP: 16, UDP: 6}.get(protocol)
    if at:
        begin = b"" if protocol == ICMP else pseudo(source, target, protocol, len(payload))
        value = (0xFFFF - internet_sum(begin + payload) + bad_payload) % 65536 or 0xFFFF
        payload = payload[:at] + value.to_bytes(2) + payload[at + 2 :]
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), 1, fragment, 64, protocol)
    value = (0xFFFF - internet_sum(head + source + target) + bad_header) % 65536
    return head + value.to_bytes(2) + source + target + payload


class Stream:
    """The board's end of a TCP connection; the test decides about every segment."""

    def __init__(self, board, port, source=50000, seq=0xFFFFFF00, window=6400):
        self.board, self.port, self.source, self.window = board, port, source, window
        self.seq, self.ack = seq, 0

    def send(self, flags, payload=b"", seq=None, ack=None, options=b""):
        numbers = (self.seq if seq is None else seq) & 0xFFFFFFFF, self.ack if ack is None else ack
        size = 20 + len(options)
        head = struct.pack("!HHIIBBHHH", self.source, self.port, *numbers, size << 2, flags, self.window, 0, 0)
        self.board.send_ip(TCP, head + options + payload)

    async def receive(self):
        data = await self.board.receive_ip(TCP)
        source, target, seq, ack, size, flags, window = struct.unpack_from("!HHIIBBH", data)
        assert (source, target) == (self.port, self.source)
        start = size >> 4 << 2
        return Segment(target, seq, ack, flags, window, data[20:start], data[start:])

    async def connect(self):
        self.send(SYN, options=b"\x02\x04\x03\x20\x01\x01\x00\x00")  # MSS 800
        greeting = await self.receive()
        self.seq = (self.seq + 1) & 0xFFFFFFFF
        assert (greeting.flags, greeting.ack) == (SYN | ACK, self.seq)
        self.ack = (greeting.seq + 1) & 0xFFFFFFFF
        self.send(ACK)
        return greeting

    async def write(self, payload, flags=ACK):
        """Send, and wait for the acknowledgement."""
        self.send(flags, payload)
        self.seq = (self.seq + len(payload) + (1 if flags & FIN else 0)) & 0xFFFFFFFF
        answer = await self.receive()
        assert (answer.ack, answer.payload, answer.seq) == (self.seq, b"", self.ack)
        return answer

    def accept(self, segment):
        """Acknowledge what is the next in order; its bytes."""
        assert segment.seq == self.ack and len(segment.payload) <= 800
        self.ack = (self.ack + len(segment.payload) + (1 if segment.flags & FIN else 0)) & 0xFFFFFFFF
        self.send(ACK)
        return segment.payload

    async def read(self, size):
        data = b""
        while len(data) < size:
            data += self.accept(await self.receive())
        return data

    async def read_all(self):
        """What comes before the end, which is acknowledged too."""
        data, ended = b"", False
        while not ended:
            segment = await self.receive()
            data, ended = data + self.accept(segment), bool(segment.flags & FIN)
        return data


@contextlib.asynccontextmanager
async def line(**options):
    """A link and, at its other end, a board."""
    ends = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ends[1])
    try:
        async with Link(*await asyncio.open_connection(sock=ends[0]), **options) as link:
            yield FakeBoard(reader, writer), link
    finally:
        writer.close()


def on_line(up=True, **options):
    """Makes `async def test(board, link)` a test, with a link that is up already or is not."""

    def decorate(play):
        async def run():
            async with asyncio.timeout(20), line(**options) as (board, link):
                if up:
                    await board.bring_up()
                await play(board, link)

        def test():
            asyncio.run(run())

        test.__doc__ = play.__doc__
        return test

    return decorate


@contextlib.asynccontextmanager
async def serving(answer):
    """A server on loopback, run by `async def answer(reader, writer)`; its port. What it raises fails the test."""
    answers = []

    async def begin(reader, writer):
        answers.append(asyncio.current_task())
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*answers)


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def dns_question(name, kind=1):
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return b"\xab\xcd\x01\x00\0\1\0\0\0\0\0\0" + labels + b"\0" + kind.to_bytes(2) + b"\0\1"
