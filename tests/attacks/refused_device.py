"""MicroPython runs this, on a PC and on a chip: frames, JSON and MQTT packets that are refused, one after the other.

refused_device.py FOLDER COUNT: so many at least, of what the fuzzer has kept of each, `wire.txt`, `json.txt` and `mqtt.txt` in FOLDER, an input in hex a
line. Prints how many were refused, and the free heap before and after. What is not refused is no frame for this device.
"""

import gc
import sys
from binascii import unhexlify

from srup import auth, port, transport, wire, wire_json
from srup.errors import NetworkError, SrupError

FOLDER, COUNT = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else ("/fuzz", 1000)
DEVICE = unhexlify("6ba7b8109dad41d180b400c04fd430c8")
GREETING = unhexlify("200200009003000101")


class NoKeys:
    """Trusts nobody: no signature is good."""

    def of(self, role):
        return []

    def table(self, public_key):
        return None


class Said:
    """In place of a Link: a broker that says this, and hangs up."""

    data = b""

    def __call__(self, *_):
        return self

    def step(self):
        return True

    flush = step

    def close(self):
        pass

    def send(self, data):
        pass

    def read_into(self, buffer):
        if not self.data:
            raise NetworkError("closed")
        count = min(len(buffer), len(self.data))
        buffer[:count] = self.data[:count]
        self.data = self.data[count:]
        return count


port.network_up = lambda: True
door = auth.Auth(NoKeys(), DEVICE)
broker = transport.Link = Said()
client = transport.Transport({"host": "h", "port": 1, "tls": False}, "1", [])
client.subscribe(b"srup/1/c2")


def frame(data):
    door.authenticate(wire.decode(data))


def text(data):
    frame(wire_json.decode(data))


def packet(data):
    broker.data = GREETING + data[1:]
    client._pause, client.fault = -1, None
    while client.fault is None:
        if client.poll():
            client.acknowledge()
    raise client.fault


def refused(name, take):
    """How many of a file's inputs."""
    count = 0
    with open(FOLDER + "/" + name) as file:
        for line in file:
            try:
                take(unhexlify(line.strip()))
            except SrupError:
                count += 1
    return count


def characters(number):
    """Names of fields and texts that have never been seen before; MicroPython would keep each single character for good."""
    global seen
    count = 0
    for _ in range(number):
        seen += 1
        try:
            text(b'{"\\u%04x":"\\u%04xx"}' % (0x3000 + seen, 0xA000 - seen))
        except SrupError:
            count += 1
    return count


def everything():
    found = refused("wire.txt", frame) + refused("json.txt", text) + refused("mqtt.txt", packet)
    return found + characters(found // 2)


seen = 0


def free():
    gc.collect()
    return gc.mem_free()


everything()  # what is made once is made now
before = free()
count = 0
while count < COUNT:
    count += everything()
print("refused", count, "before", before, "after", free())
