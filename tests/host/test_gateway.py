"""The gateway of the emulated board: IP, ICMP, DNS and NTP, and TCP joined to servers of this machine."""

import asyncio
import socket
import struct
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator import tcp
from tests.emulator.gateway import checksum
from tests.emulator.segment import ahead
from tests.host.ppp_board import (
    ACK,
    BIG,
    ELSEWHERE,
    FIN,
    GATEWAY,
    ICMP,
    IP,
    RST,
    SYN,
    TCP,
    UDP,
    Stream,
    dns_question,
    echo,
    internet_sum,
    ip_packet,
    on_line,
    serving,
)

# Arithmetic, against published values.


def test_checksum_of_the_rfc():
    """RFC 1071, section 3: these bytes have the sum 0xDDF2."""
    data = bytes.fromhex("0001 f203 f4f5 f6f7")
    assert checksum(data) == 0xFFFF - 0xDDF2 == 0x220D


@given(st.binary(min_size=1))
def test_checksum_is_that_of_the_rfc(data):
    """Where the sum is 0xFFFF, the checksum may be either of the two zeros of ones' complement."""
    expected = 0xFFFF - internet_sum(data)
    assert checksum(data) == expected or {checksum(data), expected} == {0, 0xFFFF}
    even = data + bytes(len(data) % 2)
    assert checksum(even + checksum(data).to_bytes(2)) == 0xFFFF


def test_sequence_numbers_wrap():
    assert ahead(5, 0xFFFFFFFF) == 6 and ahead(0xFFFFFFFF, 5) == -6 and ahead(7, 7) == 0


# IP, ICMP and UDP.


@on_line()
async def test_damaged_packets_are_dropped(board, link):
    message = b"\x08\0\0\0hello"
    question = struct.pack("!HHHH", 1, 53, 8, 0)
    for packet in (
        b"",
        ip_packet(ICMP, message)[:19],
        ip_packet(ICMP, message)[:-1],
        ip_packet(ICMP, message, bad_header=1),
        ip_packet(ICMP, message, bad_payload=1),
        ip_packet(ICMP, message, fragment=0x2000),
        ip_packet(ICMP, message, fragment=1),
        ip_packet(ICMP, message, source=ELSEWHERE),
        ip_packet(UDP, question, bad_payload=1),
        ip_packet(UDP, question[:4] + b"\0\x09\0\0"),
        ip_packet(TCP, bytes(20), bad_payload=1),
        ip_packet(TCP, bytes(20)),
        b"\x60" + ip_packet(ICMP, message)[1:],
        ip_packet(ICMP, message, target=b"\xe0\0\0\xfb"),  # nobody's fault: multicast
    ):
        board.send(IP, packet)
    await board.ping()
    assert link.traffic.dropped == 13


@on_line()
async def test_what_is_not_there_is_unreachable(board, _):
    for code, target, protocol, payload in (
        (1, ELSEWHERE, TCP, struct.pack("!HHIIBBHHH", 1, 80, 0, 0, 80, SYN, 0, 0, 0)),
        (2, GATEWAY, 47, b"GRE tunnel"),
        (3, GATEWAY, UDP, struct.pack("!HHHH", 1, 7, 9, 0) + b"?"),
    ):
        board.send_ip(protocol, payload, target)
        assert await board.receive_ip(ICMP) == bytes((3, code)) + bytes(6) + ip_packet(protocol, payload, target)[:28]
    board.send_ip(ICMP, b"\x08\0\0\0", ELSEWHERE)  # RFC 1122, 3.2.2: no ICMP error about ICMP
    await board.ping()


@on_line(names={"broker.test", "pool.ntp.org"})
async def test_dns(board, _):
    """Header flags of RFC 1035, 4.1.1: a response, recursion desired and available; 3 is NXDOMAIN."""
    for name in ("broker.test", "pool.ntp.org", "Broker.TEST"):
        question = dns_question(name)
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + GATEWAY
        assert await board.ask(53, question) == b"\xab\xcd\x81\x80\0\1\0\1\0\0\0\0" + question[12:] + record
    question = dns_question("broker.test", kind=28)  # AAAA: the name exists, the record does not
    assert await board.ask(53, question) == b"\xab\xcd\x81\x80" + question[4:]
    for name in ("elsewhere.test", "test", "x.broker.test"):
        question = dns_question(name)
        assert await board.ask(53, question) == b"\xab\xcd\x81\x83" + question[4:]
    question = question[:2] + b"\0" + question[3:]  # recursion not desired
    assert await board.ask(53, question) == b"\xab\xcd\x80\x83" + question[4:]


@on_line(clock=lambda: 1_750_000_000.25)
async def test_ntp(board, _):
    request = b"\x1b" + bytes(39) + b"\x11\x22\x33\x44\x55\x66\x77\x88"
    answer = await board.ask(123, request)
    assert len(answer) == 48
    assert answer[0] == 0x1C and answer[1] == 1  # no warning, version 3, server; stratum 1
    assert answer[24:32] == request[40:48]
    assert struct.unpack("!IIII", answer[32:]) == (1_750_000_000 + 2_208_988_800, 1 << 30) * 2


# TCP.


def quick():
    """Retransmission without the wait."""
    return mock.patch.multiple(tcp, RETRY=0.05, RETRY_MAX=0.1)


@on_line()
async def test_tcp_echo(board, _):
    async with serving(echo) as port:
        stream = Stream(board, port)
        greeting = await stream.connect()
        assert greeting.options[:2] == b"\x02\x04" and int.from_bytes(greeting.options[2:]) >= 536
        for size in (1, 799, 800, 801, 1460):
            await stream.write(BIG[:size])
            assert await stream.read(size) == BIG[:size]
        await stream.write(b"", FIN | ACK)
        assert await stream.read_all() == b""
        await board.ping()  # and no RST to the last acknowledgement


@on_line()
async def test_tcp_download(board, _):
    """200 KB: byte for byte, never more under way than the window, no segment above the board's MSS."""

    async def send(_, writer):
        writer.write(BIG)
        await writer.drain()

    async with serving(send) as port:
        stream = Stream(board, port, window=6400)
        await stream.connect()
        data = bytearray()
        while True:
            flight = [await stream.receive()]
            while sum(len(segment.payload) for segment in flight) < 6400 and not flight[-1].flags & FIN:
                flight.append(await stream.receive())
            assert sum(len(segment.payload) for segment in flight) <= 6400
            for segment in flight:
                assert segment.seq == stream.ack
                stream.ack = (stream.ack + len(segment.payload)) & 0xFFFFFFFF
                data += segment.payload
            if flight[-1].flags & FIN:
                break
            stream.send(ACK)
        assert bytes(data) == BIG
        stream.ack += 1
        await stream.write(b"", FIN | ACK)


@on_line()
async def test_tcp_upload_to_a_slow_reader(board, _):
    """The window offered closes before memory is used up, and opens again when the server reads."""
    content, go = BIG * 100, asyncio.Event()

    async def read_late(reader, _):
        await go.wait()
        assert await reader.readexactly(sent) == content[:sent]

    async with serving(read_late) as port:
        stream = Stream(board, port)
        room, sent = (await stream.connect()).window, 0
        while room:
            size = min(room, 1460)
            answer = await stream.write(content[sent : sent + size])
            sent, room = sent + size, answer.window
            assert sent < len(content)
        stream.send(FIN | ACK, b"too many")  # nor does the end count, before what it ends is taken
        refused = await stream.receive()
        assert (refused.ack, refused.window) == (stream.seq, 0)
        go.set()
        while not (await stream.receive()).window:
            pass
        await stream.write(b"", FIN | ACK)


@on_line()
async def test_tcp_download_to_a_slow_board(board, _):
    """A server can't send more than the board takes: nothing piles up between them."""
    sent = asyncio.Event()

    async def send(_, writer):
        writer.write(BIG * 250)
        with pytest.raises(ConnectionResetError):
            await writer.drain()
            sent.set()

    async with serving(send) as port:
        stream = Stream(board, port, window=0)
        await stream.connect()
        for _ in range(1000):  # turns of the one loop that server and gateway share
            await board.ping()
        assert not sent.is_set()
        stream.send(RST)


@on_line()
async def test_tcp_half_close_by_the_board(board, _):
    async def answer_the_whole(reader, writer):
        writer.write(bytes(reversed(await reader.read())))

    async with serving(answer_the_whole) as port:
        stream = Stream(board, port)
        await stream.connect()
        await stream.write(b"abc")
        await stream.write(b"def", FIN | ACK)
        assert await stream.read_all() == b"fedcba"


@on_line()
async def test_tcp_half_close_by_the_server(board, _):
    async def end_first(reader, writer):
        writer.write(b"bye")
        writer.write_eof()
        assert await reader.read() == b"not yet"

    async with serving(end_first) as port:
        stream = Stream(board, port)
        await stream.connect()
        assert await stream.read_all() == b"bye"
        await stream.write(b"not yet")
        last = await stream.write(b"", FIN | ACK)
        stream.seq -= 1
        stream.send(FIN | ACK)  # as if that answer had been lost
        assert (await stream.receive())[:5] == last[:5]
        stream.seq += 1


@on_line()
async def test_tcp_refused(board, _):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    stream = Stream(board, port)
    stream.send(SYN)
    refusal = await stream.receive()
    assert (refusal.flags, refusal.seq, refusal.ack) == (RST | ACK, 0, (stream.seq + 1) & 0xFFFFFFFF)
    stream.send(ACK, b"x", ack=1234)
    assert (await stream.receive())[1:4] == (1234, (stream.seq + 1) & 0xFFFFFFFF, RST | ACK)
    stream.send(RST)
    await board.ping()  # nothing answers a reset


@on_line()
async def test_tcp_reset_by_the_board(board, _):
    reset = asyncio.get_running_loop().create_future()

    async def wait(reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        reset.set_result(None)

    async with serving(wait) as port:
        stream = Stream(board, port)
        await stream.connect()
        stream.send(RST, seq=stream.seq - 1)
        stream.send(RST, seq=stream.seq + 100)
        challenge = await stream.receive()  # RFC 5961: only the second lies in the window, and is asked about
        assert (challenge.flags, challenge.ack) == (ACK, stream.seq)
        assert not reset.done()
        stream.send(RST)
        await reset


@on_line()
async def test_tcp_reset_by_the_server(board, _):
    async def abort(reader, writer):
        await reader.readexactly(2)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serving(abort) as port:
        stream = Stream(board, port)
        await stream.connect()
        await stream.write(b"no")
        reset = await stream.receive()
        assert reset.flags & RST and reset.seq == stream.ack


@on_line()
async def test_tcp_zero_window(board, _):
    async def send(_, writer):
        writer.write(b"abcdef")

    with quick():
        async with serving(send) as port:
            stream = Stream(board, port, window=0)
            await stream.connect()
            for _ in range(tcp.RETRIES + 2):  # a board without room is alive, however long that takes
                probe = await stream.receive()
                assert (probe.seq, probe.payload) == (stream.ack, b"a")
                stream.send(ACK)
            stream.window = 3
            stream.send(ACK)
            segment = await stream.receive()
            while segment.payload == b"a":  # a probe that was on its way
                segment = await stream.receive()
            assert stream.accept(segment) == b"abc"
            stream.window = 100
            rest = stream.accept(await stream.receive())
            assert rest == b"def"


@on_line()
async def test_tcp_probe_that_is_taken(board, _):
    """The window opened while the probe was under way: its byte counts."""

    async def send(_, writer):
        writer.write(b"abcdef")

    with quick():
        async with serving(send) as port:
            stream = Stream(board, port, window=0)
            await stream.connect()
            probe = await stream.receive()
            stream.window = 100
            assert stream.accept(probe) == b"a"
            assert stream.accept(await stream.receive()) == b"bcdef"


@on_line()
async def test_tcp_lost_on_the_way(board, _):
    """Every segment has to come twice: the greeting, data in both directions, the end."""
    with quick():
        async with serving(echo) as port:
            stream = Stream(board, port)
            stream.send(SYN)
            first = await stream.receive()
            assert await stream.receive() == first
            stream.send(SYN)
            assert await stream.receive() == first
            stream.seq = (stream.seq + 1) & 0xFFFFFFFF
            stream.ack = (first.seq + 1) & 0xFFFFFFFF
            stream.send(ACK, b"hello", seq=stream.seq + 1)  # out of order: asked for again
            assert (await stream.receive()).ack == stream.seq
            await stream.write(b"hello")
            data = await stream.receive()
            assert data.payload == b"hello"
            assert (await stream.receive())[:7] == data[:7]
            stream.send(ACK, b"hello again", seq=stream.seq - 5, ack=stream.ack)  # repeats five bytes, adds six
            stream.seq = (stream.seq + 6) & 0xFFFFFFFF
            assert (await stream.receive()).ack == stream.seq
            assert await collect(stream, 11) == b"hello again"
            stream.send(FIN | ACK)
            stream.seq += 1
            end = await stream.receive()
            while not end.flags & FIN:
                end = await stream.receive()
            again = await stream.receive()
            assert again.flags & FIN and again.seq == end.seq
            stream.accept(end)


async def collect(stream, size):
    """As `read`, from segments that may repeat what was there before."""
    data = b""
    while len(data) < size:
        segment = await stream.receive()
        new = segment.payload[(stream.ack - segment.seq) & 0xFFFFFFFF :]
        data += new
        stream.ack = (stream.ack + len(new)) & 0xFFFFFFFF
        stream.send(ACK)
    return data


@on_line()
async def test_tcp_gives_up(board, _):
    with quick():

        async def send(reader, writer):
            writer.write(b"anybody?")
            with pytest.raises(ConnectionResetError):
                await reader.read(1)

        async with serving(send) as port:
            stream = Stream(board, port)
            await stream.connect()
            for _ in range(1 + tcp.RETRIES):
                assert (await stream.receive()).payload == b"anybody?"
            assert (await stream.receive()).flags & RST


@on_line()
async def test_tcp_port_is_used_again(board, _):
    """A new connection from the same port, while the old one, closed, is still remembered."""
    async with serving(echo) as port:
        for seq in (1000, 90000):
            stream = Stream(board, port, seq=seq)
            await stream.connect()
            await stream.write(b"", FIN | ACK)
            stream.accept(await stream.receive())


@on_line()
async def test_tcp_connections_side_by_side(board, _):
    async with serving(echo) as port:
        one, two = Stream(board, port, 50001), Stream(board, port, 50002)
        await one.connect()
        await two.connect()
        await one.write(b"one")
        assert await one.read(3) == b"one"
        await two.write(b"two")
        assert await two.read(3) == b"two"
        for stream in (one, two):
            await stream.write(b"", FIN | ACK)
            stream.accept(await stream.receive())
