"""Bundles for the tests, written after their description and without the code that reads them."""

import hashlib
import struct
from binascii import hexlify

from srup import p256

RELEASE = hashlib.sha256(b"the tests' release key").digest()
PUBLIC = p256.public_key(RELEASE)
FILES = (("app.py", b"VERSION = 1\n"), ("data/empty", b""), ("data/more/table.bin", bytes(range(256)) * 9))


class ReleaseKeys:
    """Stands for srup.keys.Keys: trusts one key, as a release key."""

    def of(self, role):
        return [(b"release.", PUBLIC)] if role == 2 else []


def sha256_hex(data):
    return hexlify(hashlib.sha256(data).digest()).decode()


def record(path, data):
    path = path if isinstance(path, bytes) else path.encode()
    return b"\x01" + struct.pack(">H", len(path)) + path + struct.pack(">I", len(data)) + data


def body_of(files):
    return b"".join([record(path, data) for path, data in files])


def index_of(files):
    return "".join([f"{sha256_hex(data)} {len(data)} {path}\n" for path, data in files]).encode()


def manifest(files, body, changes):
    """JSON as bytes; `changes` are {key: text of its value}."""
    values = {
        "boards": '["UNIX"]',
        "body": f'"{sha256_hex(body)}"',
        "body_size": len(body),
        "counter": 5,
        "files": len(files),
        "kind": '"app"',
        "mpy": '""',
        "name": '"demo"',
        "size": sum([len(data) for _, data in files]),
        "tree": f'"{sha256_hex(index_of(files))}"',
        "version": '"1.0.0+a_b"',
    }
    values.update(changes)
    members = ",".join([f'"{key}":{values[key]}' for key in sorted(values)])
    return f"{{{members}}}".encode()


def sealed(manifest_bytes, body, key=RELEASE):
    """A bundle of these two parts, signed with the private key `key`."""
    lengthened = struct.pack(">I", len(manifest_bytes)) + manifest_bytes
    signature = p256.sign(key, hashlib.sha256(b"SRUP\x01" + lengthened).digest())
    return b"SRUP\x01\x00\x40" + signature + lengthened + body


def build(contents=FILES, altered=None, key=RELEASE, **changes):
    """A bundle of ((path, data), ...) in that order. altered: another body than theirs. changes: as for `manifest`."""
    body = body_of(contents) if altered is None else altered
    return sealed(manifest(contents, body, changes), body, key)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)
