"""A bare MQTT 3.1.1 client, for tests of a broker: it acknowledges what it is told to, and misbehaves on request."""

import asyncio
import ssl


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(kind, body):
    size, length = len(body), bytearray()
    while True:
        length.append(size % 128 | (128 if size >= 128 else 0))
        size //= 128
        if not size:
            return bytes((kind,)) + bytes(length) + body


class Raw:
    """Connects with a persistent session. port: with `context`, TLS."""

    @classmethod
    async def open(cls, port, context=None):
        raw = cls()
        raw.reader, raw.writer = await asyncio.open_connection("localhost", port, ssl=context)
        return raw

    async def connect(self, user, password, client=None, keepalive=60, will=None, clean=False):
        """The return code of CONNACK. will: (topic, message), retained."""
        flags = 0xC0 | (0x2C if will else 0) | (2 if clean else 0)
        body = text("MQTT") + bytes((4, flags)) + keepalive.to_bytes(2, "big") + text(client or user)
        body += b"".join(map(text, will or ())) + text(user) + text(password)
        self.send(0x10, body)
        kind, answer = await self.receive()
        assert kind == 0x20
        return answer[1]

    def send(self, kind, body=b""):
        self.writer.write(packet(kind, body))

    async def subscribe(self, topic):
        """The return code of SUBACK; packets that come first are lost."""
        self.send(0x82, b"\0\1" + text(topic) + b"\1")
        while True:
            kind, body = await self.receive()
            if kind == 0x90:
                return body[2]

    async def publish(self, topic, payload, retain=False):
        """QoS 1, until it is acknowledged."""
        self.send(0x33 if retain else 0x32, text(topic) + b"\0\2" + payload)
        while (await self.receive())[0] != 0x40:
            pass

    async def receive(self):
        """(first byte, body) of the next packet. Raises EOFError (IncompleteReadError) at the end."""
        async with asyncio.timeout(15):
            kind = (await self.reader.readexactly(1))[0]
            size = shift = 0
            while True:
                byte = (await self.reader.readexactly(1))[0]
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return kind, await self.reader.readexactly(size)

    async def message(self, acknowledge=True):
        """(topic, payload, flags of the first byte) of the next PUBLISH."""
        while True:
            kind, body = await self.receive()
            if kind >> 4 == 3:
                break
        end = 2 + int.from_bytes(body[:2], "big")
        qos = kind >> 1 & 3
        if qos and acknowledge:
            self.send(0x40, body[end : end + 2])
        return body[2:end].decode(), body[end + (2 if qos else 0) :], kind & 0x0F

    async def ended(self):
        """True once the broker has closed the connection, whatever came before that. Raises TimeoutError."""
        try:
            while True:
                await self.receive()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return True

    def abort(self):
        self.writer.transport.abort()
