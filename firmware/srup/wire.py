"""Step 2. The SRUP frame: bytes -> Unverified and back (protocol.md, section 1; the paper's Tables I to VI).

    version 0x01 | type | L16 signature | elements...

Pure: no I/O, no crypto, nothing judged but lengths. The codec takes elements of any length, as the paper's does
(so its Table III passes byte for byte); `check_sizes` holds a decoded frame to this project's sizes.
"""

from srup import limits
from srup.errors import Malformed
from srup.limits import const

VERSION = const(0x01)

INITIATE = const(0x01)
RESPONSE = const(0x02)
ACTIVATE = const(0x03)
ACTION = const(0x04)
DATA = const(0x05)
ID_REQUEST = const(0x06)
JOIN_REQUEST = const(0x09)
JOIN_COMMAND = const(0x0A)
RESIGN_REQUEST = const(0x10)
DEREGISTER_COMMAND = const(0x13)

# type: (name, elements in their order on the wire); an element named in BYTES is one bare byte, any other an L16.
TYPES = {
    INITIATE: ("INITIATE", ("target", "token", "url", "digest")),
    RESPONSE: ("RESPONSE", ("token", "status")),
    ACTIVATE: ("ACTIVATE", ("token",)),
    ACTION: ("ACTION", ("target", "token", "action", "parameters")),
    DATA: ("DATA", ("target", "token", "name", "value")),
    ID_REQUEST: ("ID_REQUEST", ("target", "token")),
    JOIN_REQUEST: ("JOIN_REQUEST", ("target", "token", "public_key", "description")),
    JOIN_COMMAND: ("JOIN_COMMAND", ("target", "token", "settings")),
    RESIGN_REQUEST: ("RESIGN_REQUEST", ("target", "token")),
    DEREGISTER_COMMAND: ("DEREGISTER_COMMAND", ("target", "token", "second_signature")),
}
BYTES = ("status", "action")

# element: (least, most) bytes on a device of this project
SIZES = {
    "signature": (limits.SIGNATURE, limits.SIGNATURE),
    "target": (limits.UUID, limits.UUID),
    "token": (limits.TOKEN, limits.TOKEN),
    "url": (1, limits.URL),
    "digest": (limits.DIGEST, limits.DIGEST),
    "parameters": (0, limits.PARAMETERS),
    "name": (1, limits.NAME),
    "value": (0, limits.VALUE),
    "public_key": (limits.PUBLIC_KEY, limits.PUBLIC_KEY),
    "description": (0, limits.DESCRIPTION),
    "settings": (0, limits.SETTINGS),
    "second_signature": (0, limits.PARAMETERS),
}


class Unverified:
    """A well-formed frame that nobody has vouched for: look, and do not act.

    frame: the bytes as received · type: int · signature: bytes · elements: {name: bytes, or int for one-byte ones}
    """

    def __init__(self, frame, kind, signature, elements):
        self.frame = frame
        self.type = kind
        self.signature = signature
        self.elements = elements

    def signed_parts(self):
        """The signed bytes as two pieces of the received frame, the signature element cut out between them."""
        view = memoryview(self.frame)
        return view[:2], view[4 + len(self.signature) :]


def decode(frame):
    """Bytes -> Unverified. Raises Malformed unless the frame is exactly as long as its elements say."""
    if len(frame) < 2:
        raise Malformed("shorter than a header")
    if frame[0] != VERSION:
        raise Malformed("unknown version 0x%02x" % frame[0])
    if frame[1] not in TYPES:
        raise Malformed("unknown type 0x%02x" % frame[1])
    frame = bytes(frame)
    signature, at = _take(frame, 2, "signature")
    elements = {}
    for name in TYPES[frame[1]][1]:
        elements[name], at = _take(frame, at, name)
    if at != len(frame):
        raise Malformed("%d trailing bytes" % (len(frame) - at))
    return Unverified(frame, frame[1], signature, elements)


def _take(frame, at, name):
    """The element at offset `at` and the offset after it."""
    if name in BYTES:
        if at >= len(frame):
            raise Malformed("ends before " + name)
        return frame[at], at + 1
    if at + 2 > len(frame):
        raise Malformed("ends in the length of " + name)
    start = at + 2
    end = start + (frame[at] << 8 | frame[at + 1])
    if end > len(frame):
        raise Malformed("ends in " + name)
    return frame[start:end], end


def check_sizes(unverified):
    """Raise Malformed unless frame and elements have the sizes that a device accepts (protocol.md, Elements)."""
    if len(unverified.frame) > limits.FRAME:
        raise Malformed("frame of %d bytes" % len(unverified.frame))
    _check_size("signature", unverified.signature)
    for name, value in unverified.elements.items():
        if name not in BYTES:
            _check_size(name, value)


def _check_size(name, value):
    least, most = SIZES[name]
    if not least <= len(value) <= most:
        raise Malformed("%s of %d bytes" % (name, len(value)))


def preimage(kind, elements):
    """The bytes that a signature is over: version | type | elements, lengths included.

    elements: {name: bytes, or int for one-byte ones}, exactly those of the type. Raises Malformed otherwise.
    """
    if kind not in TYPES:
        raise Malformed("unknown type 0x%02x" % kind)
    names = TYPES[kind][1]
    if len(elements) != len(names):
        raise Malformed("not the elements of " + TYPES[kind][0])
    out = bytearray((VERSION, kind))
    for name in names:
        if name not in elements:
            raise Malformed("missing " + name)
        _put(out, name, elements[name])
    return bytes(out)


def _put(out, name, value):
    if name in BYTES:
        if not 0 <= value <= 0xFF:
            raise Malformed(name + " is one byte")
        out.append(value)
        return
    if len(value) > 0xFFFF:
        raise Malformed("%s of %d bytes" % (name, len(value)))
    out.append(len(value) >> 8)
    out.append(len(value) & 0xFF)
    out.extend(value)


def seal(signed, signature):
    """Put the signature element into a pre-image: the frame."""
    out = bytearray(signed[:2])
    _put(out, "signature", signature)
    out.extend(signed[2:])
    return bytes(out)
