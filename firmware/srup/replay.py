"""Step 4. Authenticated -> Command: a frame is obeyed once, in order, and in time (protocol.md, section 2 steps 4, 5).

What is kept in the store:

    "T" key_id target -> highest accepted token of that key for that target
    "X" SHA-256 of the frame -> state | type | key_id | token | target | frame while it is RECEIVED
    "S" token -> latest status | 1 while its RESPONSE has not been acknowledged        (module reply)
    "G" -> token of the frame that said so | the UUIDs of the groups that the device is in       (module groups)
    "J" group -> token of the frame by which it joined: only what comes later is good
    "L" -> how often records of the store were lost (1 byte), the highest tokens perhaps among them

`admit` writes token, frame and RECEIVED in one atomic record before it returns, and so before the transport
acknowledges: a power cut neither repeats a command nor swallows it. Those that are RECEIVED are TRANSACTIONS at most: each keeps
its whole frame in flash and in memory.
"""

from srup import limits, port, status, tokens, wire
from srup.auth import Authenticated
from srup.errors import Malformed, Refused, Repeated
from srup.limits import const

RECEIVED = const(1)
DONE = const(2)

_HEAD = const(42)  # state, type, key_id 8, token 16, target 16
_AT_ONCE = const(24)  # entries that go with a record: older agents may have left more than one holds


class Command:
    """A frame that may be acted upon, and is on record. Made by `Replay` alone; elements as attributes by `element`."""

    def __init__(self, frame, kind, elements, key_id, target, record):
        self.frame = frame
        self.type = kind
        self.token = elements["token"]
        self.key_id = key_id
        self.target = target
        self.record = record  # its key in the store
        self.proven = False  # it has two keys: see srup.second
        self._elements = elements

    def element(self, name):
        return self._elements[name]

    def done(self):
        """The store's change that closes its record: the frame itself is let go."""
        return {self.record: _head(DONE, self.type, self.key_id, self.token, self.target)}


def _head(state, kind, key_id, token, target):
    return bytes((state, kind)) + key_id + token + target


def groups(store):
    """The UUIDs of the groups that the device is in, 16 bytes each."""
    listed = store.get(b"G") or b""
    return [listed[at : at + limits.UUID] for at in range(limits.TOKEN, len(listed), limits.UUID)]


class Replay:
    """store: Store · keys: Keys · clock: Clock · staged: callable giving (token, key_id) of the staged update, or None ·
    under_way: callable giving the token of the update that has no end yet, or None."""

    def __init__(self, store, keys, clock, staged, under_way):
        self._store = store
        self._keys = keys
        self._clock = clock
        self._staged = staged
        self._under_way = under_way
        if store.damaged:
            self._after_loss()

    def _after_loss(self):
        """What was accepted may be forgotten: no key is good any more for a token that may have been accepted.

        That is certain where the clock is set. Where it is not, the newest that is known must do.
        """
        newest = max([tokens.first_at(self._clock.floor() + 1)] + [token for _, token in self._store.items(b"T")])
        if port.clock_is_set():
            newest = max(newest, tokens.first_at(port.now_ms() + limits.AHEAD))
        changes = {b"L": bytes((min(255, self.losses() + 1),))}
        for entry, floor in self._store.items(b"F"):
            changes[entry] = max(floor, newest)
        self._store.put(changes)

    def losses(self):
        """How often records of the store were lost."""
        return (self._store.get(b"L") or b"\0")[0]

    def full(self):
        """So much is to be done yet that nothing more is to be admitted."""
        return len(self.received()) >= limits.TRANSACTIONS

    def admit(self, authenticated):
        """Authenticated -> Command, recorded. Raises Repeated, Refused (with the status to answer) or StorageError."""
        if not isinstance(authenticated, Authenticated):
            raise TypeError("only what auth has passed")
        token = authenticated.elements["token"]
        if self._store.get(b"X" + authenticated.digest):
            raise Repeated(token)
        if not tokens.is_token(token):
            raise Malformed("token is not a UUIDv7")
        if authenticated.type == wire.ACTIVATE:
            changes = {}
            self._check_activate(authenticated, token)
        else:
            changes = self._check_order(authenticated, token)
        return self._record(authenticated, token, changes)

    def _check_order(self, authenticated, token):
        entry = b"T" + authenticated.key_id + authenticated.target
        joined = self._store.get(b"J" + authenticated.target) or b""
        highest = max(self._store.get(entry) or b"", self._keys.floor(authenticated.key_id), joined)
        if token <= highest:
            raise Refused(status.TOKEN_STALE, "not above the highest token", token)
        self._clock.check(token, authenticated.elements.get("name") == b"clock")
        changes = self._clock.raised(token)
        changes[entry] = token
        return changes

    def _check_activate(self, authenticated, token):
        staged = self._staged()
        if staged is None or staged != (token, authenticated.key_id):
            if self._store.get(b"S" + token):
                raise Repeated(token)  # its transaction has an outcome, or is on its way: say which, change nothing
            raise Refused(status.TOKEN_STALE, "nothing is staged under this token", token)
        if self._was_for_a_group_that_we_left(token):
            raise Refused(status.TOKEN_STALE, "it was staged for a group that we are in no more", token)
        if self._clock.now() > tokens.milliseconds(token) + limits.ACTIVATE_WITHIN:
            self._clock.refuse(status.TOKEN_EXPIRED, "staged too long ago", token)

    def _was_for_a_group_that_we_left(self, token):
        """ACTIVATE names no target: that of its INITIATE counts."""
        for _, value in self._store.items(b"X"):
            if value[1] == wire.INITIATE and value[10:26] == token and value[32] >> 4 == 5:
                return value[26:42] not in groups(self._store)
        return False

    def _record(self, authenticated, token, changes):
        entry = b"X" + authenticated.digest
        head = _head(RECEIVED, authenticated.type, authenticated.key_id, token, authenticated.target)
        changes[entry] = head + authenticated.frame
        changes.update(self._forgotten(token))
        command = self._command(entry, changes[entry])  # before it is on record: there may be no memory for it
        self._store.put(changes)
        return command

    def _forgotten(self, newcomer):
        """Deletions that keep the latest transactions only. Open ones are never dropped; those whose RESPONSE has not been
        acknowledged not before there are OUTBOX more."""
        open_tokens = {newcomer, self._under_way()}
        known = {}  # token: entries
        for entry, value in self._store.items(b"X"):
            known.setdefault(value[10:26], []).append(entry)
            if value[0] == RECEIVED:
                open_tokens.add(value[10:26])
        excess = len(known) + 1 - limits.TRANSACTIONS
        changes = {}
        for token in sorted(known):
            if len(changes) >= _AT_ONCE:
                break
            if excess > 0 and token not in open_tokens and (excess > limits.OUTBOX or not self._unanswered(token)):
                excess -= 1
                changes[b"S" + token] = None
                for entry in known[token]:
                    changes[entry] = None
        return changes

    def _unanswered(self, token):
        entry = self._store.get(b"S" + token)
        return entry is not None and entry[1]

    def received(self):
        """Entries of the frames still in state RECEIVED, oldest token first: what a power cut left open. `command` reads one: all of
        them at once may be more than there is memory for."""
        found = [(value[10:26], entry) for entry, value in self._store.items(b"X") if value[0] == RECEIVED]
        return [entry for _, entry in sorted(found)]

    def command(self, entry):
        """The Command of such an entry."""
        return self._command(entry, self._store.get(entry))

    def _command(self, entry, value):
        frame = value[_HEAD:]
        decoded = wire.decode(frame)
        return Command(frame, decoded.type, decoded.elements, value[2:10], value[26:42], entry)
