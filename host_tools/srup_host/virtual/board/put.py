"""`put.py DIR FROM [ROOT SECRET]`: copy all files under the host's folder FROM into the board's flash.

With SECRET (hex, 64 bytes): then let the board make its key pairs in its folder ROOT, one to sign and one for sealed bundles, this
being the host's share of the randomness, and print the public keys in hex.
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
    for name, share in (("/device.key", secret[:64]), ("/sealing.key", secret[64:])):
        print(keys.create_device_key(root + name, bytes.fromhex(share)).hex())
