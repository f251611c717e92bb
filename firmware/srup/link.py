"""The one door to the network: a TCP connection, with TLS unless told not to, that never blocks for long.

Everything that the machine's sockets can raise comes out of here as NetworkError or TlsError. Only the name look-up (no
port has a time-out for it) and the arithmetic of the TLS handshake hold the caller up.
"""

import select
import socket

from srup import limits, port
from srup.errors import NetworkError, NoMemory, TlsError

_ENOMEM = 12
_PENDING = (115, 119, 36, 11, 35)  # EINPROGRESS and EAGAIN as the ports number them


class Link:
    """A connection to host:port. `step` until it is True; `send` at any time, `flush` and `read_into` after that.

    authorities: [DER bytes] of the CAs that may vouch for `host`; None for plain TCP.
    """

    def __init__(self, host, number, authorities):
        self._host = host
        self._authorities = authorities
        self._open = False
        self._out = bytearray()
        self._offer = b""  # what the stream was offered last: TLS wants to be offered the same again
        self._moved = port.ticks_ms()
        self._socket = self._stream = self._dial(host, number)

    def step(self):
        """True once connected. Raises NetworkError, or TlsError where the peer can't be trusted."""
        if not self._open and self._connected():
            self._open = True
            if self._authorities is not None:
                self._stream = self._guard(port.tls_wrap, self._socket, self._host, self._authorities)
            self._moved = port.ticks_ms()
        return self._open

    def send(self, data):
        """Queue bytes for `flush`. Raises NetworkError where the peer has taken nothing of a whole buffer of them."""
        if len(self._out) + len(data) > limits.SEND_BUFFER:
            raise NetworkError("%s takes no more" % self._host)
        if not self._out and not self._offer:
            self._moved = port.ticks_ms()
        self._out.extend(data)

    def flush(self):
        """True once all that was sent is with the network; the first flush drives the TLS handshake."""
        while self._out or self._offer:
            if not self._offer:
                self._offer, self._out = bytes(self._out), bytearray()
            count = self._guard(self._stream.write, self._offer)
            if not count:
                self._check_moving(limits.CONNECT_TIMEOUT)
                return False
            self._offer = self._offer[count:]
            self._moved = port.ticks_ms()
        return True

    def read_into(self, buffer):
        """Bytes read into `buffer`, 0 where there are none now. Raises NetworkError at the end of the stream."""
        count = self._guard(self._stream.readinto, buffer)
        if count == 0:
            raise NetworkError("%s closed the connection" % self._host)
        return count or 0

    def _connected(self):
        poller = select.poll()
        poller.register(self._socket, select.POLLOUT)
        events = poller.poll(0)
        if not events:
            self._check_moving(limits.CONNECT_TIMEOUT)
            return False
        if events[0][1] & (select.POLLERR | select.POLLHUP):
            raise NetworkError("%s refuses the connection" % self._host)
        return True

    def _check_moving(self, limit):
        if not port.within(limit, self._moved):
            raise NetworkError("%s does not answer" % self._host)

    def _dial(self, host, number):
        """A non-blocking socket on its way to host:number."""
        address = self._guard(socket.getaddrinfo, host, number, 0, socket.SOCK_STREAM)[0]
        connection = self._guard(socket.socket, address[0], address[1], address[2])
        connection.setblocking(False)
        try:
            connection.connect(address[-1])
        except OSError as error:
            if error.args[0] not in _PENDING:
                connection.close()
                self._fail(error)
        return connection

    def _guard(self, call, *arguments):
        """The door: what the call raises leaves as one of our errors."""
        try:
            return call(*arguments)
        except (OSError, ValueError) as error:
            self._fail(error)

    def _fail(self, error):
        if error.args and error.args[0] == _ENOMEM:
            raise NoMemory("%s: no memory for a connection" % self._host)
        if self._authorities is not None and self._open and port.tls_error(error):
            raise TlsError("%s: %s" % (self._host, error))
        raise NetworkError("%s: %s" % (self._host, error))

    def close(self):
        try:
            self._stream.close()
            self._socket.close()
        except OSError:
            pass  # it is gone either way
        if self._open and self._authorities is not None:
            self._stream = None
            port.tls_closed()
