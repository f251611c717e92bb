"""The frame as JSON, for SRUP over HTTPS (protocol.md, section 5): the same bytes are signed, so a frame verifies the same.

    {"version":1,"type":1,"signature":"...","target":"...","token":"...","url":"https://...","digest":"..."}

Integers as integers, url as text, everything else unpadded base64url. Strict: a field unknown, missing or repeated, a value of
another type, base64 in another spelling, anything around it: Malformed.
"""

import json
from binascii import a2b_base64, b2a_base64

from srup import wire
from srup.errors import Malformed

_HEAD = ("version", "type", "signature")
_INTEGERS = ("version", "type") + wire.BYTES
_ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_BLANKS = (b" ", b"\t", b"\r", b"\n")


def encode(frame):
    """A frame (bytes) as JSON text. Raises Malformed for what is not one."""
    unverified = wire.decode(frame)
    values = {"version": wire.VERSION, "type": unverified.type, "signature": unverified.signature}
    values.update(unverified.elements)
    return "{%s}" % ",".join('"%s":%s' % (name, _text(name, values[name])) for name in _names(unverified.type))


def decode(text):
    """JSON (bytes) as the frame. Raises Malformed."""
    values = flat_object(text)
    kind = values.get("type")
    if not isinstance(kind, int) or kind not in wire.TYPES:
        raise Malformed("unknown type")
    if set(values) != set(_names(kind)):
        raise Malformed("not the fields of " + wire.TYPES[kind][0])
    elements = {name: _value(name, value) for name, value in values.items()}
    if elements.pop("version") != wire.VERSION:
        raise Malformed("unknown version")
    del elements["type"]
    signature = elements.pop("signature")
    return wire.seal(wire.preimage(kind, elements), signature)


def flat_object(text):
    """{name: str or int} of a JSON object (bytes) without any in it. Raises Malformed, also for a name that is there twice."""
    return _Scanner(text).flat_object()


def base64url(value):
    """Bytes as unpadded base64url text (RFC 4648, section 5)."""
    return b2a_base64(value).rstrip(b"=\n").replace(b"+", b"-").replace(b"/", b"_").decode()


def from_base64url(text):
    """The bytes of unpadded base64url text. Raises Malformed for any other spelling than `base64url`'s."""
    try:
        value = a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    except ValueError:
        raise Malformed("not base64url")
    if base64url(value) != text:
        raise Malformed("not base64url")
    return value


def _names(kind):
    return _HEAD + wire.TYPES[kind][1]


def _text(name, value):
    if name in _INTEGERS:
        return "%d" % value
    if name != "url":
        return '"%s"' % base64url(value)
    try:
        return json.dumps(value.decode())
    except UnicodeError:
        raise Malformed("url is not UTF-8")


def _value(name, value):
    if isinstance(value, int) != (name in _INTEGERS):
        raise Malformed("%s is of another type" % name)
    if name in _INTEGERS:
        return value
    return value.encode() if name == "url" else from_base64url(value)


class _Scanner:
    """One flat JSON object. Why not json.loads: of a field that is there twice it takes the last, and MicroPython's overlooks
    much else."""

    def __init__(self, text):
        self._text = bytes(text)
        self._at = 0

    def flat_object(self):
        """{name: str or int}"""
        found = {}
        self._expect(b"{")
        while True:
            name = self._string()
            if name in found:
                raise Malformed("a field twice")
            self._expect(b":")
            found[name] = self._string() if self._next() == b'"' else self._integer()
            if self._next() != b",":
                break
            self._at += 1
        self._expect(b"}")
        if self._next():
            raise Malformed("something after the object")
        return found

    def _next(self):
        """The next byte that is no blank; b"" at the end."""
        while self._text[self._at : self._at + 1] in _BLANKS:
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _expect(self, sign):
        if self._next() != sign:
            raise Malformed("no %s where one belongs" % sign.decode())
        self._at += 1

    def _string(self):
        self._expect(b'"')
        start, end = self._at, self._quote()
        self._at = end + 1
        raw = self._text[start:end]
        if any(byte < 32 for byte in raw):
            raise Malformed("a control character")
        try:
            return _unescaped(raw)
        except UnicodeError:
            raise Malformed("not UTF-8")

    def _quote(self):
        """Where the string ends: at the next quote that no backslash escapes."""
        end = self._at
        while True:
            end = self._text.find(b'"', end)
            if end < 0:
                raise Malformed("a string that does not end")
            escapes = 0
            while self._text[end - 1 - escapes] == 0x5C:
                escapes += 1
            if escapes % 2 == 0:
                return end
            end += 1

    def _integer(self):
        start = self._at
        while self._text[self._at : self._at + 1].isdigit():
            self._at += 1
        digits = self._text[start : self._at]
        if not 1 <= len(digits) <= 3 or (digits[:1] == b"0" and digits != b"0"):
            raise Malformed("neither a string nor a small integer")
        return int(digits)


def _unescaped(raw):
    """A JSON string's text, of its bytes: MicroPython's json takes any escape for one, and keeps each single character that it
    ever had as a str for good."""
    out, at = bytearray(), 0
    while True:
        escape = raw.find(b"\\", at)
        if escape < 0:
            out.extend(raw[at:])
            return bytes(out).decode()
        out.extend(raw[at:escape])
        sign = raw[escape + 1 : escape + 2]
        if sign == b"u":
            out.extend(_by_number(raw[escape + 2 : escape + 6]))
        elif sign in _ESCAPES:
            out.extend(_ESCAPES[sign])
        else:
            raise Malformed("an unknown escape")
        at = escape + (6 if sign == b"u" else 2)


def _by_number(digits):
    """The UTF-8 of a character by its number, four hex digits."""
    if len(digits) != 4 or any(digit not in b"0123456789abcdefABCDEF" for digit in digits):
        raise Malformed("an unknown escape")
    number = int(digits, 16)
    if 0xD800 <= number < 0xE000:
        raise Malformed("half a character")
    if number < 0x80:
        return bytes((number,))
    last = 0x80 | number & 0x3F
    if number < 0x800:
        return bytes((0xC0 | number >> 6, last))
    return bytes((0xE0 | number >> 12, 0x80 | number >> 6 & 0x3F, last))
