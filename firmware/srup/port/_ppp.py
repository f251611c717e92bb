"""PPP over a UART, with whatever is at its other end: a modem in data mode, a gateway.

That the peer is gone lwIP finds out, where the board's firmware sets LCP_ECHOINTERVAL; here it is called again. A soft reset
while it is being called leaves MicroPython 1.25 without PPP ("pppos_create failed") until a hard one, as the agent's are.
"""

import time

_ATTEMPT = 5000  # milliseconds between two calls; lwIP itself goes on asking for a minute
_HANG_UP = 500  # milliseconds that the peer has to answer our goodbye
_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - nothing is bound to it


class Ppp:
    """link: network.PPP. It has to be kept for as long as it is connected: lwIP knows it, and the collector does not see that."""

    def __init__(self, link):
        self._link = link
        self.on()

    def on(self):
        self._connect()

    def off(self):
        self.close()

    def up(self):
        """True while connected. While not, the peer is called again after each _ATTEMPT."""
        # isconnected() alone may lie: it stays true while the peer begins anew, and the address is gone.
        if self._link.isconnected() and self._link.ifconfig()[0] != _NO_ADDRESS:
            return True
        if not 0 <= time.ticks_diff(time.ticks_ms(), self._since) <= _ATTEMPT:  # negative: nobody asked for days
            self._connect()
        return False

    def close(self):
        """Hang up, and wait until the peer has heard it: all that was sent before has then arrived, too."""
        self._link.disconnect()
        since = time.ticks_ms()
        while self._link.isconnected() and time.ticks_diff(time.ticks_ms(), since) < _HANG_UP:
            time.sleep_ms(10)

    def _connect(self):
        self._since = time.ticks_ms()
        try:
            self._link.connect()
        except OSError:
            pass  # it is calling already; or has not hung up yet, and is called again later
