"""PPP's framing (RFC 1662): flags, escapes and the frame check sequence."""

import binascii
import re

from tests.emulator.segment import Malformed

FLAG, ESCAPE = b"\x7e", b"\x7d"
LONGEST = 4096  # bytes of a frame, escapes included; a stream with no flag for so long is not PPP

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_GOOD = 0xF0B8


def fcs16(data: bytes) -> int:
    """RFC 1662, C.2, before the final complement: data that ends in its own FCS gives 0xF0B8.

    It is the CCITT polynomial taken from the low bit up; crc_hqx takes the same one from the high bit down.
    """
    crc = binascii.crc_hqx(data.translate(_REVERSED), 0xFFFF)
    return _REVERSED[crc >> 8] | _REVERSED[crc & 0xFF] << 8


def wrap(content: bytes, accm: int) -> bytes:
    """One frame with its flags. accm: bit n set means that control character n has to be escaped."""
    content += (fcs16(content) ^ 0xFFFF).to_bytes(2, "little")
    special = FLAG + ESCAPE + bytes(n for n in range(32) if accm >> n & 1)
    return FLAG + re.sub(b"[%s]" % re.escape(special), lambda at: bytes((ESCAPE[0], at[0][0] ^ 0x20)), content) + FLAG


def unwrap(frame: bytes) -> bytes:
    """What came between two flags, without its FCS. Raises Malformed."""
    first, *escaped = frame.split(ESCAPE)
    if not all(escaped):
        raise Malformed("aborted frame")
    content = first + b"".join(bytes((part[0] ^ 0x20,)) + part[1:] for part in escaped)
    if len(content) < 4 or fcs16(content) != _GOOD:
        raise Malformed("FCS")
    return content[:-2]


class Splitter:
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """What has come to its closing flag with `data`, still escaped."""
        *frames, rest = (self._rest + data).split(FLAG)
        self._rest = rest[-LONGEST:]
        return [frame for frame in frames if frame]
