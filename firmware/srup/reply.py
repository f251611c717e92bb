"""Step 8. Outcome -> signed RESPONSE, kept in flash until the transport has it acknowledged.

"S" token -> status | pending. A later status of a token takes the place of an earlier one; a lost RESPONSE is sent again
after a while, and at every boot. What a replayed frame brings about is kept in RAM, within limits: who replays frames, and
has no key, wears no flash out and fills no heap.
"""

from srup import limits, port, wire


def answer(token, status):
    """The store's change that makes `status` the answer under `token`, to be sent."""
    return {b"S" + token: bytes((status, 1))}


class Outbox:
    """store: Store · keys: Keys · refused: what was remembered of the latest refusals, and will be."""

    def __init__(self, store, keys, refused):
        self._store = store
        self._keys = keys
        self._in_flight = None  # (token, status, handle, since): one at a time
        self._again = []  # tokens whose latest RESPONSE is to be sent once more
        self._refusal = None  # (token, status)
        self._refused = refused  # [(token, ticks_ms)], the latest first
        self._held = {}  # token: (ticks_ms, milliseconds) before which nothing is said under it

    def latest(self, token):
        """The latest status of this token, or None."""
        entry = self._store.get(b"S" + token)
        return entry[0] if entry else None

    def again(self, token):
        """Send the latest RESPONSE of this transaction once more, if it has one."""
        if self.latest(token) is not None and token not in self._again:
            self._again = [token] + self._again[: limits.OUTBOX - 1]

    def refuse(self, token, status):
        """Answer a frame refused in step 4: once per token, at most once a minute (REFUSAL_PAUSE)."""
        recent = self._refused and port.within(limits.REFUSAL_PAUSE, self._refused[0][1])
        if recent or any(token == other for other, _ in self._refused):
            return
        self._refused[:] = [(token, port.ticks_ms())] + self._refused[: limits.OUTBOX - 1]
        self._refusal = token, status

    def hold(self, token, ms):
        """Say nothing under this token for so long: many others are to answer it."""
        self._held[token] = port.ticks_ms(), ms

    def _is_held(self, token):
        if token in self._held and not port.within(self._held[token][1], self._held[token][0]):
            del self._held[token]
        return token in self._held

    def due(self):
        """True where `pump` has something to send: none is in flight."""
        if self._in_flight and not port.within(limits.RESEND, self._in_flight[3]):
            self._in_flight = None
        return self._in_flight is None and self._next() is not None

    def pump(self, send):
        """Send the next RESPONSE, if one is due. send: (frame) -> handle of the publish."""
        if self.due():
            token, status = self._next()  # pyright: ignore[reportGeneralTypeIssues] - it is due
            self._in_flight = (token, status, send(self._frame(token, status)), port.ticks_ms())

    def acknowledged(self, handle):
        """The broker has it. Raises StorageError; it is then sent again."""
        if not self._in_flight or self._in_flight[2] != handle:
            return
        token, status, _, _ = self._in_flight
        if (token, status) == self._refusal:
            self._refusal = None
        elif self._store.get(b"S" + token) == bytes((status, 1)):
            self._store.put({b"S" + token: bytes((status, 0))})
        if token in self._again:
            self._again.remove(token)
        self._in_flight = None

    def disconnected(self):
        """What was in flight may be lost: it is sent again on the next connection."""
        self._in_flight = None

    def empty(self):
        return self._in_flight is None and not self.holds() and self._next() is None

    def holds(self):
        """True while something is not to be said yet."""
        return bool([token for token in list(self._held) if self._is_held(token)])

    def _next(self):
        for entry, value in self._store.items(b"S"):
            if (value[1] or entry[1:] in self._again) and not self._is_held(entry[1:]):
                return entry[1:], value[0]
        return self._refusal

    def _frame(self, token, status):
        return sealed(self._keys, wire.RESPONSE, {"token": token, "status": status})


def sealed(keys, kind, elements):
    """A frame signed with the device's key."""
    signed = wire.preimage(kind, elements)
    return wire.seal(signed, keys.sign(port.sha256(signed).digest()))


def hexed(value):
    """Bytes as hex, for logs."""
    return "".join("%02x" % byte for byte in value)
