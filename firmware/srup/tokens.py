"""Tokens: UUIDv7 (RFC 9562, section 5.7), 16 bytes, ordered as unsigned big-endian bytes.

48 bits milliseconds since 1970 | version 7 | 12 bits counter | variant 10 | 62 bits random
"""

ZERO = bytes(16)


def milliseconds(token):
    """The token's time, milliseconds since 1970."""
    return int.from_bytes(token[:6], "big")


def first_at(ms):
    """The lowest token of that millisecond: a floor, not a token to be sent."""
    return bytes(ms.to_bytes(6, "big")) + b"\x70\x00\x80" + bytes(7)


def is_token(token):
    """True for 16 bytes with version nibble 7 and variant 10."""
    return len(token) == 16 and token[6] >> 4 == 7 and token[8] >> 6 == 2


def mint(ms, last, random):
    """A token of time `ms` that is greater than `last`, with `random` bytes (8 are used).

    Where the clock has not moved on, or stepped back, the counter of `last` is stepped instead (RFC 9562, 6.2 method 1).
    """
    now = ms.to_bytes(6, "big")
    counter = 0
    if last[:6] >= now:
        step = (int.from_bytes(last[:6], "big") << 12 | (last[6] & 0x0F) << 8 | last[7]) + 1
        now = (step >> 12).to_bytes(6, "big")
        counter = step & 0xFFF
    return bytes(now) + bytes((0x70 | counter >> 8, counter & 0xFF, 0x80 | random[0] & 0x3F)) + bytes(random[1:8])
