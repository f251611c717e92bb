"""The network of a board in the campaign: in memory, to the Server and no further. Runs on MicroPython.

`board` is the one that is running now (machine.Board); it is told of whatever happens, and stops whoever is dead already.
"""

from srup import limits
from srup.errors import NetworkError

board = None


class Air:
    """In place of srup.transport.Transport."""

    def __init__(self, broker, device, authorities, tls_failed):
        self._server = board.server
        self._there = broker["host"] == "localhost"
        self.fault = None
        self.acknowledged = []
        self._away_until = 0
        self._sent = 0

    @property
    def up(self):
        return self._there and self._server.up and self._server.now >= self._away_until

    def poll(self):
        board.alive()
        frame = self._server.coming() if self.up else None
        if frame:
            board.moved += 1
            return b"c2", frame

    def acknowledge(self):
        board.alive()
        if self.up:
            board.moved += 1
            self._server.acknowledge()

    def publish(self, topic, payload, retain=False, qos=1):
        board.alive()
        if not self.up:
            raise NetworkError("not connected")
        board.moved += 1
        self._server.heard(payload)
        self._sent += 1
        self.acknowledged.append(self._sent)
        return self._sent

    def subscribe(self, topic, callback=None):
        pass

    def drop(self, error):
        self.fault, self._away_until = error, self._server.now + limits.RECONNECT_PAUSE

    def close(self):
        self._server = None


class Link:
    """In place of srup.link.Link, for the download: an HTTPS server with Range."""

    def __init__(self, host, number, authorities):
        if not board.server.up:
            raise NetworkError("no network")
        self._coming = b""

    def step(self):
        return True

    def send(self, request):
        lines = request.decode().split("\r\n")
        data = board.server.served(lines[0].split(" ")[1])
        asked = [line for line in lines if line.startswith("Range: ")]
        at = int(asked[0][13:-1]) if asked else 0
        body, size = data[at:], len(data)
        span = f"Content-Range: bytes {at}-{size - 1}/{size}\r\n" if asked else ""
        if asked and not body:
            span = f"Content-Range: bytes */{size}\r\n"
        code = (206 if body else 416) if asked else 200
        self._coming = memoryview(f"HTTP/1.1 {code} So\r\nContent-Length: {len(body)}\r\n{span}\r\n".encode() + body)

    def flush(self):
        return True

    def read_into(self, buffer):
        board.alive()
        if not self._coming:
            raise NetworkError("closed")
        count = min(len(buffer), len(self._coming))
        buffer[:count] = self._coming[:count]
        self._coming = self._coming[count:]
        return count

    def close(self):
        pass
