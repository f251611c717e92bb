"""MicroPython's unix port runs this: `littlefs_device.py IMAGE SIZE FOLDER` makes a littlefs with what is in FOLDER, as the board would
make it. The same files give the same image, for it has no dates."""

import os
import sys

BLOCK = 4096


class Disk:
    def __init__(self, size):
        self.data = bytearray(b"\xff" * size)

    def readblocks(self, block, data, offset=0):
        data[:] = memoryview(self.data)[block * BLOCK + offset :][: len(data)]

    def writeblocks(self, block, data, offset=0):
        at = block * BLOCK + offset
        self.data[at : at + len(data)] = data

    def ioctl(self, operation, block):
        if operation == 6:  # erase
            self.data[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK
            return 0
        return {4: len(self.data) // BLOCK, 5: BLOCK}.get(operation, 0)


def copy(source, target):
    for name in sorted(os.listdir(source)):
        if os.stat(source + "/" + name)[0] & 0x4000:
            os.mkdir(target + "/" + name)
            copy(source + "/" + name, target + "/" + name)
        else:
            with open(source + "/" + name, "rb") as file, open(target + "/" + name, "wb") as out:
                out.write(file.read())


image, size, folder = sys.argv[1:]
disk = Disk(int(size))
os.VfsLfs2.mkfs(disk, progsize=256)
os.mount(os.VfsLfs2(disk, progsize=256, mtime=False), "/board")
copy(folder, "/board")
os.umount("/board")
with open(image, "wb") as file:
    file.write(disk.data)
