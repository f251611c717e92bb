"""A TCP segment (RFC 9293, 3.1), and the arithmetic of its sequence numbers."""

import struct
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
MASK = 0xFFFFFFFF


class Malformed(ValueError):
    """What the board sent does not parse, or its checksum is wrong. It is dropped, as on any network."""


def ahead(a: int, b: int) -> int:
    """How far sequence number a is ahead of b; negative if it is behind."""
    return ((a - b + 0x80000000) & MASK) - 0x80000000


class Segment(NamedTuple):
    source: int
    target: int
    sequence: int
    acknowledged: int
    flags: int
    window: int
    payload: bytes = b""
    mss: int | None = None  # the option that a SYN carries

    @classmethod
    def parse(cls, data: bytes) -> "Segment":
        """Raises Malformed. The checksum has been verified."""
        if len(data) < 20 or not 20 <= (start := data[12] >> 4 << 2) <= len(data):
            raise Malformed("TCP header")
        source, target, sequence, acknowledged, flags, window = struct.unpack_from("!HHIIxBH", data)
        return cls(source, target, sequence, acknowledged, flags, window, data[start:], _find_mss(data[20:start]))

    def pack(self) -> bytes:
        """With a checksum of 0."""
        options = b"" if self.mss is None else struct.pack("!BBH", 2, 4, self.mss)
        numbers = self.source, self.target, self.sequence & MASK, self.acknowledged & MASK
        head = struct.pack("!HHIIBBHHH", *numbers, 20 + len(options) << 2, self.flags, self.window, 0, 0)
        return head + options + self.payload

    @property
    def length(self) -> int:
        """In sequence numbers: SYN and FIN take one each."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)


def _find_mss(options: bytes) -> int | None:
    while options and options[0] != 0:
        size = 1 if options[0] == 1 else int.from_bytes(options[1:2])
        if size > len(options) or (size < 2 and options[0] != 1):
            raise Malformed("TCP options")
        if options[0] == 2 and size == 4:
            return int.from_bytes(options[2:4])
        options = options[size:]
    return None
