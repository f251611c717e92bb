"""The PPP peer of the emulated board: framing, negotiation, and what it makes of resets and noise."""

import asyncio
import socket
import struct
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator import hdlc, negotiation
from tests.emulator.ppp import in_thread
from tests.emulator.segment import Malformed
from tests.host.ppp_board import (
    ACK,
    ACK_OPTIONS,
    BOARD,
    CCP,
    CODE_REJECT,
    ECHO,
    ECHO_REPLY,
    EVERY_BYTE,
    GATEWAY,
    ICMP,
    IP,
    IPCP,
    LCP,
    LCP_OPTIONS,
    NAK,
    PROTOCOL_REJECT,
    REJECT,
    REQUEST,
    RST,
    TCP,
    TERMINATE,
    TERMINATED,
    UDP,
    FakeBoard,
    Stream,
    control,
    dns_question,
    fcs,
    ip_packet,
    on_line,
    serving,
)

# Framing, against published values.


def test_check_sequence_of_the_catalogue():
    """CRC-16/IBM-SDLC: check 0x906E, residue 0xF0B8 (RFC 1662, C.2)."""
    assert hdlc.fcs16(b"123456789") ^ 0xFFFF == 0x906E
    assert hdlc.fcs16(b"123456789\x6e\x90") == 0xF0B8


@given(st.binary())
def test_check_sequence_is_that_of_the_rfc(data):
    assert hdlc.fcs16(data) == fcs(data)


# As a Linux pppd put it on the wire.
RECORDED = bytes.fromhex(
    "7e ff7d23 c021 7d21 7d21 7d20 7d34 7d227d267d207d207d207d20 7d257d26 5d58cf41 7d277d22 7d287d22 c4c9 7e"
)


def test_recorded_frame():
    content = hdlc.unwrap(RECORDED[1:-1])
    assert content == bytes.fromhex("ff03 c021 01 01 0014 0206 00000000 0506 5d58cf41 0702 0802")
    assert hdlc.wrap(content, 0xFFFFFFFF) == RECORDED
    assert hdlc.wrap(content, 0)[1:-1].count(0x7D) == 0


def test_escapes_of_the_rfc():
    """RFC 1662, 4.2: 0x7e, 0x7d and 0x03 when the map asks for it."""
    assert hdlc.wrap(b"\x7e\x7d\x03\x11AB", 1 << 3)[1:].startswith(b"\x7d\x5e\x7d\x5d\x7d\x23\x11AB")


def test_damaged_frames_are_refused():
    content = hdlc.unwrap(RECORDED[1:-1])
    whole = content + (fcs(content) ^ 0xFFFF).to_bytes(2, "little")
    for bit in range(8 * len(whole)):
        damaged = (int.from_bytes(whole) ^ 1 << bit).to_bytes(len(whole))
        with pytest.raises(Malformed):
            hdlc.unwrap(damaged.replace(b"\x7d", b"\x7d\x5d"))
    for cut in (b"", b"\x7d", RECORDED[1:-2], RECORDED[1:-1] + b"\x7d"):
        with pytest.raises(Malformed):
            hdlc.unwrap(cut)


# Negotiation.


@on_line(up=False)
async def test_link_comes_up(board, link):
    theirs = dict(negotiation.parse(await board.negotiate(LCP, LCP_OPTIONS)))
    assert theirs.keys() == {2, 5} and theirs[2] == bytes(4)
    assert not link.up.is_set()
    board.send(IPCP, control(REQUEST, 1, b"\x03\x06\0\0\0\0\x81\x06\0\0\0\0\x83\x06\0\0\0\0"))
    code, identifier, theirs = await board.receive_control(IPCP)
    assert (code, theirs) == (REQUEST, b"\x03\x06" + GATEWAY)
    offer = b"\x03\x06" + BOARD + b"\x81\x06" + GATEWAY + b"\x83\x06" + GATEWAY
    assert await board.receive_control(IPCP) == (NAK, 1, offer)
    board.send(IPCP, control(ACK_OPTIONS, identifier, theirs))
    board.send(IPCP, control(REQUEST, 2, offer))
    assert await board.receive_control(IPCP) == (ACK_OPTIONS, 2, offer)
    assert link.up.is_set()
    await board.ping()


@on_line(up=False)
async def test_unknown_options_are_rejected(board, link):
    """Authentication and multilink in LCP, Van Jacobson's compression in IPCP: only these, and as they came."""
    unknown = b"\x03\x04\xc0\x23" + b"\x11\x04\x05\xdc"
    board.send(LCP, control(REQUEST, 1, LCP_OPTIONS + unknown))
    assert (await board.receive_control(LCP))[0] == REQUEST
    assert await board.receive_control(LCP) == (REJECT, 1, unknown)
    assert not link.up.is_set()
    board.send(LCP, control(REQUEST, 2, LCP_OPTIONS))
    assert await board.receive_control(LCP) == (ACK_OPTIONS, 2, LCP_OPTIONS)


@on_line()
async def test_compression_is_rejected(board, link):
    compression = b"\x02\x06\x00\x2d\x0f\x01"
    board.send(IPCP, control(REQUEST, 9, compression + b"\x03\x06" + BOARD))
    assert (await board.receive_control(IPCP))[0] == REQUEST
    assert await board.receive_control(IPCP) == (REJECT, 9, compression)
    assert not link.up.is_set()


@on_line(up=False)
async def test_unacceptable_values_are_corrected(board, _):
    """An MRU too small, a map of the wrong length: the answer has those two as they should be."""
    board.send(LCP, control(REQUEST, 1, b"\x01\x04\x00\x80" + b"\x02\x04\0\0" + b"\x07\x02"))
    assert (await board.receive_control(LCP))[0] == REQUEST
    assert await board.receive_control(LCP) == (NAK, 1, b"\x01\x04\x05\xdc" + b"\x02\x06\0\0\0\0")


@on_line(up=False)
async def test_a_line_that_echoes_is_noticed(board, _):
    """RFC 1661, 6.4: its own magic number coming back is answered with another one."""
    board.send(LCP, control(REQUEST, 1))
    _, _, theirs = await board.receive_control(LCP)
    await board.receive_control(LCP)
    board.send(LCP, control(REQUEST, 2, theirs))
    code, _, other = await board.receive_control(LCP)
    assert code == NAK and negotiation.parse(other)[0][0] == 5 and other not in theirs


@on_line(up=False)
async def test_refused_options_fall_back_to_their_defaults(board, link):
    board.send(LCP, control(REQUEST, 1, b"\x07\x02"))
    _, identifier, theirs = await board.receive_control(LCP)
    await board.receive_control(LCP)
    board.send(LCP, control(REJECT, identifier, theirs))
    code, again, theirs = await board.receive_control(LCP)
    assert (code, theirs) == (REQUEST, b"") and again != identifier
    board.send(LCP, control(ACK_OPTIONS, identifier))  # too late
    board.send(IPCP, control(REQUEST, 1, b"\x03\x06" + BOARD))  # too early
    board.send(LCP, control(ACK_OPTIONS, again))
    await board.negotiate(IPCP, b"\x03\x06" + BOARD)
    assert link.traffic.dropped == 1
    board.send_ip(ICMP, b"\x08\0\0\0" + EVERY_BYTE)
    frame = await board.receive_raw()
    assert not any(byte < 32 for byte in frame)  # without a map agreed every control character is escaped


@on_line()
async def test_only_what_the_board_asks_for_is_escaped(board, _):
    board.send_ip(ICMP, b"\x08\0\0\0" + EVERY_BYTE)
    frame = await board.receive_raw()
    assert bytes(range(32)) in frame


@on_line(up=False)
async def test_board_that_wants_some_characters_escaped(board, _):
    await board.bring_up(b"\x02\x06\x00\x0a\x00\x00")  # XON and XOFF
    board.send_ip(ICMP, b"\x08\0\0\0" + EVERY_BYTE)
    frame = await board.receive_raw()
    assert frame.count(0x11) == frame.count(0x13) == 0 and 0x12 in frame


@on_line(up=False)
async def test_request_is_repeated(board, _):
    with mock.patch.object(negotiation, "RETRY", 0.02):
        board.send(LCP, control(REQUEST, 1))
        first = await board.receive_control(LCP)
        assert await board.receive_control(LCP) == (ACK_OPTIONS, 1, b"")
        for _ in range(negotiation.RETRIES - 1):
            assert await board.receive_control(LCP) == first
    board.send(LCP, control(TERMINATE, 2))
    assert await board.receive_control(LCP) == (TERMINATED, 2, b"")
    await board.bring_up()


@on_line()
async def test_board_starts_again(board, link):
    """A reset: whatever was half sent, then a new request. Its connections are gone, and say so to the server."""
    lost = asyncio.get_running_loop().create_future()

    async def wait(reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        lost.set_result(None)

    async with serving(wait) as port:
        stream = Stream(board, port)
        await stream.connect()
        board.send_raw(b"\x7e\xff\x03\x00\x21\x45 and no more\r\nMicroPython v1.25\r\n")
        await board.bring_up()
        await lost
    assert link.up.is_set() and link.traffic.dropped == 1
    stream = Stream(board, port)
    stream.send(ACK, b"old")
    assert (await stream.receive()).flags & RST


@on_line()
async def test_new_request_takes_the_link_down(board, link):
    board.send(LCP, control(REQUEST, 3, LCP_OPTIONS))
    assert (await board.receive_control(LCP))[0] == REQUEST
    assert not link.up.is_set()
    board.send_ip(ICMP, b"\x08\0\0\0")
    board.send(LCP, control(ECHO, 4, bytes(4)))
    assert (await board.receive_control(LCP))[:2] == (ACK_OPTIONS, 3)
    board.send(LCP, control(TERMINATE, 5))
    assert (await board.receive_control(LCP)) == (TERMINATED, 5, b"")  # nothing before: no answer to the other two


@on_line()
async def test_terminate(board, link):
    board.send(LCP, control(TERMINATE, 8, b"bye"))
    assert await board.receive_control(LCP) == (TERMINATED, 8, b"")
    assert not link.up.is_set()
    await board.bring_up()
    board.send(IPCP, control(TERMINATE, 9))
    assert await board.receive_control(IPCP) == (TERMINATED, 9, b"")
    assert not link.up.is_set()


@on_line(up=False)
async def test_lcp_echo_and_discard(board, _):
    theirs = dict(negotiation.parse(await board.negotiate(LCP, LCP_OPTIONS)))
    board.send(LCP, control(11, 1, b"\x12\x34\x56\x78 discard this"))
    board.send(LCP, control(ECHO_REPLY, 1, b"\x12\x34\x56\x78 nobody asked"))
    board.send(LCP, control(ECHO, 2, b"\x12\x34\x56\x78 and this?"))
    assert await board.receive_control(LCP) == (ECHO_REPLY, 2, theirs[5] + b" and this?")


@on_line()
async def test_unknown_code_and_protocol(board, _):
    strange = control(99, 5, b"strange")
    board.send(LCP, strange + b"padding")
    code, _, body = await board.receive_control(LCP)
    assert (code, body) == (CODE_REJECT, strange)
    ccp = control(REQUEST, 1, b"\x1a\x04\x78\x00")
    board.send(CCP, ccp)
    code, _, body = await board.receive_control(LCP)
    assert (code, body) == (PROTOCOL_REJECT, CCP.to_bytes(2) + ccp)
    await board.ping()


@on_line()
async def test_short_headers(board, _):
    """Address, control and the protocol's first byte left out, as agreed in LCP."""
    board.send(IP, ip_packet(ICMP, b"\x08\0\0\0short"), short=True)
    assert await board.receive_ip(ICMP) == b"\0\0\0\0short"


@on_line()
async def test_plug_pulled(board, link):
    """The stream ends, with no word before it, and so do the connections."""
    lost = asyncio.get_running_loop().create_future()

    async def wait(reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        lost.set_result(None)

    async with serving(wait) as port:
        await Stream(board, port).connect()
        await board.ping()
        await link.close()
        assert await board.reader.read() == b""
        await lost


@on_line()
async def test_power_lost(board, link):
    board.writer.close()
    await link.ended()
    assert not link.up.is_set()


# Whatever comes, and from where.

NOISE = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda protocol, packet: b"\xff\x03" + protocol.to_bytes(2) + packet,
        st.sampled_from((IP, IPCP, LCP, CCP)),
        st.one_of(
            st.binary(max_size=60),
            st.builds(control, st.integers(0, 15), st.integers(0, 3), st.binary(max_size=40)),
            st.builds(ip_packet, st.sampled_from((ICMP, UDP, TCP, 99)), st.binary(min_size=18, max_size=60)),
            st.builds(
                lambda port, rest: ip_packet(UDP, struct.pack("!HHHH", 9, port, 8 + len(rest), 0) + rest),
                st.sampled_from((53, 123)),
                st.binary(max_size=60),
            ),
        ),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(NOISE, min_size=1, max_size=10))
def test_nothing_breaks_the_link(contents):
    """Frames with a correct FCS and any content: afterwards it comes up as ever."""

    @on_line()
    async def play(board, _):
        for content in contents:
            board.send_raw(hdlc.wrap(content, 0))
        board.send(LCP, control(TERMINATE, 200, b"enough"))
        while hdlc.unwrap(await board.receive_raw()) != b"\xff\x03\xc0\x21" + control(TERMINATED, 200):
            pass
        await board.bring_up()

    play()


@on_line()
async def test_stream_in_any_pieces(board, link):
    """Noise without end, then single bytes."""
    board.send_raw(b"\x55" * 100_000 + b"\x7e")
    for byte in RECORDED:
        board.send_raw(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await board.receive_control(LCP))[0] == REQUEST
    assert (await board.receive_control(LCP))[:2] == (ACK_OPTIONS, 1)
    assert link.traffic.dropped == 1


def test_in_a_thread():
    ours, theirs = socket.socketpair()

    async def play():
        async with asyncio.timeout(20):
            board = FakeBoard(*await asyncio.open_connection(sock=theirs))
            await board.bring_up()
            assert link.up.is_set()
            question = dns_question("here.test")
            assert (await board.ask(53, question)).endswith(GATEWAY)
            board.writer.close()

    with in_thread(ours, names={"here.test"}) as link:
        asyncio.run(play())
    assert link.traffic.frames_in == 6 and link.traffic.frames_out == 6 and link.traffic.dropped == 0


def test_thread_that_cannot_start():
    with pytest.raises(TypeError, match="colour"), in_thread(socket.socketpair()[0], colour="red"):
        pass
