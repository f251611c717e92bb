"""Wi-Fi, station mode: a list of networks tried in turn, without ever waiting."""

import time

_ATTEMPT = 20_000  # milliseconds that a network has, association and DHCP together


class Wifi:
    """station: network.WLAN of the station interface · networks: [{"ssid": ..., "password": ...}], as in config.json"""

    def __init__(self, station, networks):
        self._station = station
        self._networks = networks
        self._next = 0
        self.on()

    def on(self):
        self._since = time.ticks_ms()
        self._station.active(True)
        self._connect()

    def off(self):
        self._next = max(0, self._next - 1)  # the one that it is connected to is the first to be tried again
        self._station.active(False)

    def up(self):
        """True while connected. While not, the next network gets its turn after each _ATTEMPT; one alone is tried again."""
        now = time.ticks_ms()
        if self._station.isconnected():
            self._since = now
            return True
        if not 0 <= time.ticks_diff(now, self._since) <= _ATTEMPT:  # negative: connected for days, and nobody asked
            self._since = now
            self._connect()
        return False

    def close(self):
        """A reset is coming. The radio goes with it, and access points are used to that."""

    def _connect(self):
        if not self._networks:
            return
        wanted = self._networks[self._next % len(self._networks)]
        self._next += 1
        try:
            self._station.disconnect()
            self._station.connect(wanted["ssid"], wanted.get("password"))
        except OSError:
            pass  # the radio is busy, or was not connected: this network's turn passes
