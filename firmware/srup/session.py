"""What is remembered from a start to the next, and not in flash: it outlives the road, which comes and goes.

Of flash it keeps what the agent has to know while there is no road, in the store:

    "P" -> seconds between polls (4 bytes), while in low power        "M" -> the mode, where that outlives a restart: `safe`
    "E" -> SELF_DESTRUCT has been ordered, and its marker is not set yet
"""

from srup import limits, port
from srup.limits import const

_NONCE = const(16)

NORMAL = "normal"
SAFE = "safe"

OFF = "off"
DESTROY = "self-destruct"


class Session:
    """cause: why the board has started, a word"""

    def __init__(self, cause=""):
        self.cause = cause
        self.refused = {}  # reason: how many frames
        self.refusals = []  # as for Outbox
        self.groups = []  # to whose topics we have subscribed
        self.mode = NORMAL
        self.safe = None  # True: the application was not started; None while that is not decided
        self.interval = 0  # seconds between polls; 0: full power
        self.called = None  # ticks_ms of a CONNECT
        self.told = None  # ticks_ms of when we last asked to join
        self.ending = None  # why the board is to restart, once what it has to say is delivered
        self.ending_since = 0
        self.own = b""  # the newest token of our own
        self.uptime = 0  # seconds
        self.heard = 0  # uptime when the server was last heard
        self.starved = 0  # how often it was not, for too long
        self._counted = port.ticks_ms()
        self._nonce = b""

    def recall(self, store, on_trial):
        """What flash says. on_trial: a new version is; it is tried whatever the mode, or it would be confirmed untried."""
        self.interval = int.from_bytes(store.get(b"P") or b"", "big")
        if store.get(b"E") and self.ending is None:
            self.end(DESTROY)
        if self.safe is None:
            self.safe = store.get(b"M") is not None and not on_trial
            self.mode = SAFE if self.safe else NORMAL

    def is_called(self):
        """True for a while after a CONNECT."""
        return self.called is not None and port.within(limits.CONNECTED, self.called)

    def end(self, why):
        """Restart soon."""
        self.ending, self.ending_since = why, port.ticks_ms()

    def count(self):
        """Called in each round: no clock of a board counts on for years."""
        passed = port.ticks_diff(port.ticks_ms(), self._counted)
        if passed >= 1000:
            self.uptime += passed // 1000
            self._counted = port.ticks_add(self._counted, passed // 1000 * 1000)

    def nonce(self):
        """The boot nonce: 16 random bytes, others after each start; b"" while the random source is stuck, and then no command
        that takes two keys is good."""
        if not self._nonce:
            try:
                self._nonce = port.random(_NONCE)
            except port.StuckRandom:
                pass
        return self._nonce
