"""On the chip: a ROMFS is written into raw slot b by the device's own code, started by the boot part, found damaged, and left."""

import sys
from binascii import hexlify
from hashlib import sha256

from srup import raw_image
from srup.partition_slots import PartitionSlots
from srup.raw_image import RawImage
from srup_boot import record, start
from srup_boot.slot import contents

ROOT = "/srup-data"
SOURCE = b"VERSION = 7\n" + b"# as large as it takes to fill two blocks\n" * 110


class Opened:
    """A bundle, as far as the header of a raw slot goes."""

    signature = bytes(64)

    def __init__(self, image):
        tree = str(hexlify(sha256(image).digest()), "ascii")
        self.manifest_bytes = f'{{"size":{len(image)},"tree":"{tree}"}}'.encode()


def number(value):
    out = bytes((value & 0x7F,))
    while value > 0x7F:
        value >>= 7
        out = bytes((value & 0x7F | 0x80,)) + out
    return out


def entry(kind, payload):
    return bytes((kind,)) + number(len(payload)) + payload


def romfs(name, data):
    body = entry(5, number(len(name)) + name + entry(2, data))
    return b"\xd2\xcd\x31" + number(len(body)) + body


where = contents(ROOT)
print("slots", type(where).__name__, [region.size for region in where.regions])
image = romfs(b"app.py", SOURCE)
slots = PartitionSlots(ROOT, start.Choice(0, False, None, "", record.NONE), where)
chunks = [memoryview(image)[at : at + 1000] for at in range(0, len(image), 1000)]
target = RawImage(where.regions[1], len(image))
target.begin()
for chunk in chunks:
    for _ in target.write(chunk):
        pass
slots._write_header(where.regions[1], Opened(image))
buffer = memoryview(bytearray(1024))
print("written", b"".join([bytes(part) for part in raw_image.chunks(where.regions[1], len(image), buffer)]) == image)
state = record.load(ROOT)
state.active = 1
state.save(ROOT)
print("chosen", start.choose(ROOT).slot, sys.path[0])
import app

print("app", app.VERSION, app.__file__)
where.regions[1].program(4096, bytes(256))
choice = start.choose(ROOT)
print("damaged", choice.slot == record.NONE, choice.note)
