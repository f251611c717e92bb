"""Low power: between two polls the device sleeps, radio off. Imported while ACTION LOW_POWER holds.

Awake it does what it always does: connects, takes what waits for it, answers. It lies down when nothing is under way and the
transport says that it has listened, or when there was no connection for a while, and what is left waits for one. A nap is a minute at most, so that tasks of an
application come to their turn, and the watchdog is fed.

What a transport has to have for this, besides its `poll`: `listened()` and `close()`.
"""

from srup import limits, port


class Rest:
    """session: Session · transport: Transport · connect: called for the network to be started again · log: called with a line of
    text"""

    def __init__(self, session, transport, connect, log):
        self._session = session
        self._transport = transport
        self._connect = connect
        self._log = log
        self._asleep = False
        self._left = 0  # milliseconds to sleep
        self._awake = port.ticks_ms()

    def sleeps(self, idle):
        """True if this round was slept through. idle: nothing is under way, nothing left to be said, or nobody there to hear it."""
        if not self._asleep:
            if not self._may(idle):
                return False
            self._lie_down()
        self._nap()
        return True

    def _may(self, idle):
        if not idle or self._session.is_called():
            return False
        return self._transport.listened() or not port.within(limits.AWAKE, self._awake)

    def _lie_down(self):
        self._log("asleep for %d s" % self._session.interval)
        self._session.called = None
        self._transport.close()
        port.network_stop()
        self._asleep, self._left = True, self._session.interval * 1000

    def _nap(self):
        began = port.ticks_ms()
        port.light_sleep(min(self._left, limits.NAP))
        self._left -= port.ticks_diff(port.ticks_ms(), began)
        if self._left <= 0:
            self.rise()

    def rise(self):
        """Awake, whatever was left to sleep."""
        if self._asleep:
            self._asleep = False
            self._connect()
            self._awake = port.ticks_ms()
