"""The board's gateway, in user space: one address with DNS, NTP and echo, whose TCP ports are those of this machine.

Nothing else can be reached: TCP goes to loopback and nowhere else, so a test needs no network, and can't disturb one.
"""

import ipaddress
import struct
from collections.abc import Callable, Collection

from tests.emulator.segment import Malformed
from tests.emulator.tcp import Endpoint

ICMP, TCP, UDP = 1, 6, 17
CHECKSUM_AT = {ICMP: 2, TCP: 16, UDP: 6}  # where in its header each has it
ECHO_REPLY, UNREACHABLE, ECHO = 0, 3, 8
NO_HOST, NO_PROTOCOL, NO_PORT = 1, 2, 3
DNS, NTP = 53, 123
A, IN, NAME_ERROR, NAME_AT_12 = 1, 1, 3, 0xC00C
TO_1900 = 2208988800  # seconds from NTP's epoch to that of Unix


def checksum(data: bytes) -> int:
    """RFC 1071. The ones' complement sum of 16-bit words is the big-endian number modulo 65535; valid data gives 0xFFFF."""
    return 0xFFFF - int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF


class Gateway:
    """Answers the board's IPv4 packets. Loses nothing (that is the Weather's), and sends nothing by itself.

    names: what DNS knows, lower case; every one is this gateway. clock: seconds since 1970, for NTP. send: takes a packet.
    """

    def __init__(
        self,
        address: str,
        board: str,
        names: Collection[str],
        clock: Callable[[], float],
        send: Callable[[bytes], None],
    ) -> None:
        self._address, self._board = (ipaddress.IPv4Address(one).packed for one in (address, board))
        self._names, self._clock, self._send = names, clock, send
        self._tcp = Endpoint(lambda segment: self._transmit(TCP, segment))
        self._services = {DNS: self._answer_dns, NTP: self._answer_ntp}

    def set_mtu(self, mtu: int) -> None:
        """The longest packet that the board takes, in bytes."""
        self._tcp.limit = mtu - 40

    def close(self) -> None:
        """The board is gone, or has started again: its connections end here."""
        self._tcp.close()

    def rebind(self) -> None:
        """Forget all connections, in silence."""
        self._tcp.rebind()

    def receive(self, packet: bytes) -> None:
        """One packet from the board. Raises segment.Malformed; fragments are among what is refused so."""
        start = packet[0] % 16 * 4 if packet else 0
        if start < 20 or len(packet) < start or packet[0] >> 4 != 4 or checksum(packet[:start]) != 0xFFFF:
            raise Malformed("IP header")
        size, fragment, protocol = struct.unpack_from("!2xH2xHxB", packet)
        if not start <= size <= len(packet) or fragment & 0x3FFF or packet[12:16] != self._board:
            raise Malformed("IP length, fragment or source")
        self._dispatch(protocol, packet[:size], packet[start:size])

    def _dispatch(self, protocol: int, packet: bytes, payload: bytes) -> None:
        target = packet[16:20]
        if target != self._address:
            if not ipaddress.IPv4Address(target).is_multicast and target != b"\xff\xff\xff\xff":
                self._refuse(NO_HOST, packet)
        elif protocol not in CHECKSUM_AT:
            self._refuse(NO_PROTOCOL, packet)
        else:
            self._verify(protocol, payload)
            if protocol == TCP:
                self._tcp.receive(payload)
            elif protocol == UDP:
                self._receive_udp(packet, payload)
            else:
                self._receive_icmp(payload)

    def _verify(self, protocol: int, payload: bytes) -> None:
        at = CHECKSUM_AT[protocol]
        if len(payload) < at + 2:
            raise Malformed("too short")
        unused = protocol == UDP and payload[at : at + 2] == b"\0\0"  # UDP's may be left out
        if not unused and checksum(self._pseudo_header(protocol, len(payload)) + payload) != 0xFFFF:
            raise Malformed("checksum")

    def _pseudo_header(self, protocol: int, size: int) -> bytes:
        return b"" if protocol == ICMP else self._board + self._address + struct.pack("!HH", protocol, size)

    def _transmit(self, protocol: int, payload: bytes) -> None:
        """`payload` with its checksum field 0."""
        at = CHECKSUM_AT[protocol]
        value = checksum(self._pseudo_header(protocol, len(payload)) + payload)
        payload = payload[:at] + value.to_bytes(2) + payload[at + 2 :]
        head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol)
        addresses = self._address + self._board
        self._send(head + checksum(head + addresses).to_bytes(2) + addresses + payload)

    def _refuse(self, why: int, packet: bytes) -> None:
        """RFC 792: unreachable, with the header and the first eight bytes of what could not be delivered."""
        start = packet[0] % 16 * 4
        if packet[9] != ICMP:  # never an error about an error
            self._transmit(ICMP, struct.pack("!BBHI", UNREACHABLE, why, 0, 0) + packet[: start + 8])

    def _receive_icmp(self, payload: bytes) -> None:
        if payload[0] == ECHO:
            self._transmit(ICMP, struct.pack("!BBH", ECHO_REPLY, 0, 0) + payload[4:])

    def _receive_udp(self, packet: bytes, payload: bytes) -> None:
        source, target, size = struct.unpack_from("!HHH", payload)
        if not 8 <= size <= len(payload):
            raise Malformed("UDP length")
        if target not in self._services:
            return self._refuse(NO_PORT, packet)
        answer = self._services[target](payload[8:size])
        self._transmit(UDP, struct.pack("!HHHH", target, source, 8 + len(answer), 0) + answer)

    def _answer_dns(self, query: bytes) -> bytes:
        """RFC 1035: a known name has one A record, and nothing else."""
        name, end = _question(query)
        kind, of = struct.unpack_from("!HH", query, end)
        known = name in self._names
        has_record = known and (kind, of) == (A, IN)
        record = struct.pack("!HHHIH4s", NAME_AT_12, A, IN, 60, 4, self._address) if has_record else b""
        flags = 0x8080 | query[2] << 8 & 0x0100 | (0 if known else NAME_ERROR)
        return query[:2] + struct.pack("!HHHHH", flags, 1, has_record, 0, 0) + query[12 : end + 4] + record

    def _answer_ntp(self, query: bytes) -> bytes:
        """RFC 5905, as a primary server with nothing to add to the time."""
        if len(query) < 48 or query[0] & 7 != 3:
            raise Malformed("NTP")
        now = int((self._clock() + TO_1900) * 2**32) % 2**64  # 2^32 seconds are an era; the next one begins in 2036
        head = struct.pack("!BBbbII4sQ", query[0] & 0x38 | 4, 1, query[2], -20, 0, 0, b"LOCL", now)
        return head + query[40:48] + struct.pack("!QQ", now, now)


def _question(query: bytes) -> tuple[str, int]:
    """The name that a query is about, and where in the query the name ends."""
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        raise Malformed("DNS query")
    labels, at = [], 12
    while size := query[at]:
        if size > 63 or at + 1 + size + 5 > len(query):
            raise Malformed("DNS name")
        labels.append(query[at + 1 : at + 1 + size].decode("latin-1").lower())
        at += 1 + size
    return ".".join(labels), at + 1
