"""The body of an answer to a poll, taken apart as it comes (protocol.md, section 5).

    {"nonce":"...","messages":[{...},{...}]}

Its messages are handed out one by one, so that no more than one of them is ever in memory; what is around them is kept, and
must be just that.
"""

from srup import limits, wire_json
from srup.errors import Malformed
from srup.limits import const

_AROUND = const(160)


class Polled:
    """buffer: bytearray of limits.POLL_MESSAGE bytes, for the message that is coming."""

    def __init__(self, buffer):
        self._buffer = buffer
        self._size = 0
        self._around = bytearray()
        self._quoted = self._escaped = False
        self._in_list = self._in_message = False
        self._separated = True  # a message may begin: after the list's bracket, or a comma
        self.messages = 0

    def feed(self, byte):
        """One byte more. Returns a message, JSON as bytes, if it is its last. Raises Malformed."""
        if self._in_message:
            return self._inside(byte)
        if self._in_list:
            self._between(byte)
        else:
            self._outside(byte)
        return None

    def nonce(self):
        """What the next poll is to say, once all has come: bytes. Raises Malformed."""
        found = wire_json.flat_object(self._around)
        nonce = found.get("nonce")
        if len(found) != 2 or not isinstance(nonce, str) or found.get("messages") != self.messages:
            raise Malformed("not an answer to a poll")
        return wire_json.from_base64url(nonce)

    def _inside(self, byte):
        if self._size >= len(self._buffer):
            raise Malformed("a message that does not end")
        self._buffer[self._size] = byte
        self._size += 1
        self._follow_quotes(byte)
        if byte == 0x7D and not self._quoted:  # the object is flat: its first brace ends it
            self._in_message = False
            return bytes(memoryview(self._buffer)[: self._size])
        return None

    def _between(self, byte):
        if byte == 0x7B and self._separated and self.messages < limits.POLL_MESSAGES:
            self._in_message, self._separated = True, False
            self.messages += 1
            self._buffer[0], self._size = byte, 1
        elif byte == 0x5D and self._separated == (self.messages == 0):
            self._in_list = False
            self._around.extend(str(self.messages).encode())
        elif byte == 0x2C and not self._separated:
            self._separated = True
        elif byte not in b" \t\r\n":
            raise Malformed("not a list of messages")

    def _outside(self, byte):
        if len(self._around) >= _AROUND:
            raise Malformed("more than messages")
        if byte == 0x5B and not self._quoted:
            self._in_list = True
            return
        self._follow_quotes(byte)
        self._around.append(byte)

    def _follow_quotes(self, byte):
        if self._escaped:
            self._escaped = False
        elif byte == 0x5C:
            self._escaped = True
        elif byte == 0x22:
            self._quoted = not self._quoted
