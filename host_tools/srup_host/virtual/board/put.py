"""`put.py DIR FROM [ROOT SECRET]`: copy all files under the host's folder FROM into the board's flash.

With SECRET (hex): then let the board make its key pair in its folder ROOT, this being the host's share of the randomness, and
print its public key in hex.
"""
# pyright: basic, reportMissingImports=false

import os
import sys

import nor
import vfs

HOST = "/host"


def copy(source, target):
    for name in os.listdir(source):
        path = source + "/" + name
        if os.stat(path)[0] & 0x4000:
            make(target + "/" + name)
            copy(path, target + "/" + name)
        else:
            with open(path, "rb") as file, open(target + "/" + name, "wb") as copied:
                copied.write(file.read())


def make(folder):
    try:
        os.mkdir(folder)
    except OSError as error:
        if error.errno != 17:  # EEXIST
            raise


directory, source, *key = sys.argv[1:]
host = vfs.VfsPosix(source)
nor.mount(directory)
vfs.mount(host, HOST)
copy(HOST, "")
vfs.umount(HOST)
if key:
    from srup import keys

    root, secret = key
    make(root)
    print(keys.create_device_key(root + "/device.key", bytes.fromhex(secret)).hex())
