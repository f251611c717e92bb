"""The files of a board as the factory leaves it: {path: base64}, for boards.py. MicroPython runs this: `boards_start.py RELEASES`."""

import json
import os
import sys
from binascii import b2a_base64

from tests.power_cut import machine
from tests.power_cut.cuts import Stories
from tests.power_cut.flash import Flash


def files(folder):
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            yield from files(path)
        else:
            with open(path, "rb") as file:
                yield path[len(machine.MOUNT) + 1 :], str(b2a_base64(file.read()), "ascii").strip()


machine.install()
image = Stories(sys.argv[1], "files").image("update")
machine.umount()
machine.mount(Flash(image))
print(json.dumps(dict(files(machine.MOUNT))))
