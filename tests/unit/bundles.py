"""Bundles for the tests, written after their description and without the code that reads them."""

import hashlib
import struct
from binascii import hexlify, unhexlify

from srup import p256

RELEASE = hashlib.sha256(b"the tests' release key").digest()
PUBLIC = p256.public_key(RELEASE)
FILES = (("app.py", b"VERSION = 1\n"), ("data/empty", b""), ("data/more/table.bin", bytes(range(256)) * 9))


# What goes without saying in a manifest
USUAL = (("agent", '""'), ("base", '""'), ("boards", "[]"), ("counter", "0"), ("files", "1"), ("kind", '"app"'))
USUAL += (("micropython", '""'), ("mpy", '""'), ("window", "0"))


class Vectors:
    """tests/vectors/bundles.txt, by name; each is read when it is asked for, as all of them are a lot for a board's heap."""

    def __getitem__(self, name):
        with open(__file__[: __file__.rindex("unit/")] + "vectors/bundles.txt") as file:
            for line in file:
                if line.startswith(name + " "):
                    return unhexlify(line.split()[1])
        raise KeyError(name)


class ReleaseKeys:
    """Stands for srup.keys.Keys: trusts one key, as a release key."""

    def ready(self):
        pass

    def of(self, role):
        return [(b"release.", PUBLIC)] if role == 2 else []


def sha256_hex(data):
    return hexlify(hashlib.sha256(data).digest()).decode()


def record(path, data):
    path = path if isinstance(path, bytes) else path.encode()
    return b"\x01" + struct.pack(">H", len(path)) + path + struct.pack(">I", len(data)) + data


def keep(path, count=1):
    return b"\x02" + struct.pack(">H", len(path)) + path.encode() + struct.pack(">H", count)


def patch(path, size, data):
    return b"\x03" + struct.pack(">H", len(path)) + path.encode() + struct.pack(">II", size, len(data)) + data


def body_of(files):
    return b"".join([record(path, data) for path, data in files])


def index_of(files):
    return "".join([f"{sha256_hex(data)} {len(data)} {path}\n" for path, data in files]).encode()


def tree_of(files):
    """SHA-256 of the index, in hex; line by line, as all of it may be a lot for a board's heap."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(index_of((file,)))
    return hexlify(digest.digest()).decode()


def manifest(files, body, changes):
    """JSON as bytes; `changes` are {key: text of its value}."""
    values = {
        "boards": '["UNIX"]',
        "body": f'"{sha256_hex(body)}"',
        "body_size": len(body),
        "counter": 5,
        "files": len(files),
        "name": '"demo"',
        "size": sum([len(data) for _, data in files]),
        "tree": f'"{tree_of(files)}"',
        "version": '"1.0.0+a_b"',
    }
    values.update(changes)
    for key, usual in USUAL:
        if str(values.get(key)) == usual:
            del values[key]
    if values.get("expanded") == values["body_size"]:
        del values["expanded"]
    members = ",".join([f'"{key}":{values[key]}' for key in sorted(values)])
    return f"{{{members}}}".encode()


def sealed(manifest_bytes, body, key=RELEASE):
    """A bundle of these two parts, signed with the private key `key`."""
    lengthened = struct.pack(">I", len(manifest_bytes)) + manifest_bytes
    signature = p256.sign(key, hashlib.sha256(b"SRUP\x02" + lengthened).digest())
    return b"SRUP\x02\x00\x40" + signature + lengthened + body


def build(contents=FILES, altered=None, key=RELEASE, **changes):
    """A bundle of ((path, data), ...) in that order. altered: another body than theirs. changes: as for `manifest`."""
    body = body_of(contents) if altered is None else altered
    return sealed(manifest(contents, body, changes), body, key)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)
