"""What the boot part costs at each start: hashing the slot, in folders of littlefs and in raw flash; per 64 KB."""

import os

from stopwatch import cycles, show

from srup_boot import hw, record, region, slot

SIZE = 64 * 1024
ROOT = "/bench"


def folder():
    """A slot of eight files."""
    from binascii import hexlify
    from hashlib import sha256

    os.mkdir(ROOT)
    os.mkdir(ROOT + "/a")
    data = bytes(range(256)) * (SIZE // 8 // 256)
    digest = str(hexlify(sha256(data).digest()), "ascii")
    index = b"".join([b"%s %d file%d\n" % (digest, len(data), number) for number in range(8)])
    for name, contents in [(f"file{number}", data) for number in range(8)] + [(".index", index), (".signature", b"")]:
        with open(ROOT + "/a/" + name, "wb") as file:
            file.write(contents)
    with open(ROOT + "/a/.manifest", "w") as file:
        file.write('{"tree":"' + str(hexlify(sha256(index).digest()), "ascii") + '"}')


def raw():
    """Erased flash will do: its hash takes as long."""
    from binascii import hexlify
    from hashlib import sha256

    device = region.Region(hw.region([0, 196608]))
    digest = sha256()
    for _ in range(SIZE // 1024):
        digest.update(b"\xff" * 1024)
    for at in range(0, SIZE, device.block):
        device.erase(at)
    return device, str(hexlify(digest.digest()), "ascii")


folder()
show("boot_verify_folder_64k_cycles", cycles(slot.verify, ROOT, 0))
device, tree = raw()
show("boot_verify_raw_64k_cycles", cycles(region.verify_image, device, SIZE, tree))
state = record.Record()
show("boot_record_save_cycles", cycles(state.save, ROOT))
show("boot_record_load_cycles", cycles(record.load, ROOT))
