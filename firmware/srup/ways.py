"""By which of two transports the device listens, where it has both: MQTT, or polls over HTTPS (protocol.md, section 5).

Polls in low power, but for a while after ACTION CONNECT. And one poll where the server has not been heard for three heartbeats:
somebody may hold its words back (protocol.md, section 2, Freeze); the inventory tells how often that was.
"""

from srup import limits


class Ways:
    """session: Session · mqtt: callable giving the other transport · sign: as for Poller · tls_failed: called when TLS does"""

    def __init__(self, config, session, mqtt, sign, tls_failed):
        self._config = config
        self._session = session
        self._mqtt = mqtt
        self._sign = sign
        self._tls_failed = tls_failed
        self.polls = False  # over HTTPS
        self._asks = False  # one poll, as the server has not been heard

    def turn(self, transport):
        """The transport to go on with: this one, or, closed in its place, the other."""
        polls = self._resting() or self._starving(transport)
        if polls == self.polls:
            return transport
        transport.close()
        other = self._poller() if polls else self._mqtt()
        for topic, callback in transport.topics.items():
            other.subscribe(topic, callback)
        self.polls = polls  # now that there was memory for it
        return other

    def unheard(self):
        """The server has not been, for three heartbeats."""
        return self._session.uptime - self._session.heard > limits.HEARTBEATS * self._config.heartbeat_s

    def _poller(self):
        from srup.poller import Poller  # many devices never rest

        config = self._config
        return Poller(config.https, config.uuid, config.authorities, self._sign, self._tls_failed)

    def _resting(self):
        return self._session.interval > 0 and not self._session.is_called()

    def _starving(self, transport):
        session = self._session
        if self._asks:
            self._asks = not (self.polls and (transport.listened() or transport.fault))
        elif self.unheard():
            self._asks = True
            session.starved += 1
            session.heard += self._config.heartbeat_s  # the next time is in a heartbeat
        return self._asks
