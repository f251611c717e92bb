"""MicroPython runs this: `bench_bundle_device.py FOLDER NEW`: stage a bundle as a board does; slot a of FOLDER is what runs.

Prints one JSON object: the most heap that was in use while it was applied, above what was in use before, in bytes; what its modules
take; and milliseconds. With a word of 8 bytes: a board, whose words have 4, takes less.
"""

import gc
import json
import sys
import time

from srup import bundle, incoming, inflate, limits, records, straight  # noqa: F401 - counted by itself
from srup.unpack import Unpacker
from srup_boot import process, region

folder, new = sys.argv[1:3]


def most_heap(work):
    most = 0
    for _ in work:
        gc.collect()
        most = max(most, gc.mem_alloc())
    return most


def steps(file, opened):
    unpacker = Unpacker()
    yield from unpacker.check_body(file, opened.manifest)
    file.seek(opened.body_at)
    if opened.manifest["kind"] == "firmware":
        yield from (image if opened.manifest["base"] else straight_in)(unpacker, file, opened.manifest)
        return
    yield from unpacker.measure(file, opened.manifest, folder + "/a", 4096)
    file.seek(opened.body_at)
    yield from unpacker.unpack(file, opened.manifest, folder + "/a", folder + "/b")


def image(unpacker, file, manifest):
    with open(folder + "/running.bin", "rb") as old, open(folder + "/b/image", "wb") as out:
        for chunk in unpacker.image(file, manifest, old):
            out.write(chunk)
            yield


def straight_in(unpacker, file, manifest):
    """As it comes off the network, through the unpacker's buffer where a download has one of its own."""
    place = region.Region(process.FileRegion(folder + "/b/image"))
    body = straight.Body(manifest, place, incoming.Incoming(folder + "/b/files", 0))
    body.begin()
    for chunk in unpacker.chunks(file, manifest["body_size"]):
        yield from body.append(chunk)
    body.finish()
    yield from unpacker.read_back(place, manifest["size"], manifest["tree"])


gc.collect()
before = gc.mem_alloc()
from srup import patch  # noqa: F401 - the same

gc.collect()
modules = gc.mem_alloc() - before
with open(new, "rb") as file:
    opened = bundle.open_bundle(file)
    opened.manifest  # noqa: B018 - read once, and kept
    gc.collect()
    before, began = gc.mem_alloc(), time.ticks_ms()
    most = most_heap(steps(file, opened))
    took = time.ticks_diff(time.ticks_ms(), began)
print(json.dumps({"heap": most - before, "patch module": modules, "ms": took}))
