"""`python tests/vectors/make_bundles.py > tests/vectors/bundles.txt`: bundles written after docs/bundle.md alone.

By hashlib, json, zlib and the package ecdsa (and cryptography, for sealed ones): none of this project's code.
"""

import hashlib
import hmac
import json
import struct
import zlib

import ecdsa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RELEASE = hashlib.sha256(b"the release key of these vectors").digest()
SIGNER = ecdsa.SigningKey.from_string(RELEASE, ecdsa.NIST256p, hashlib.sha256)
ORDER = ecdsa.NIST256p.order

OLD = {
    "app.py": b"import lib.clock\n\nVERSION = 1\n",
    "lib/clock.py": b"def now():\n    return 0\n",
    "lib/old.py": b"",
    "www/index.html": b"<h1>kitchen</h1>\n" * 20,
}
NEW = {
    "app.py": b"import lib.clock\n\nVERSION = 2\n",
    "lib/clock.py": b"def now():\n    return 0\n",
    "lib/radio.py": b"CHANNEL = 11\n",
    "www/index.html": b"<h1>kitchen</h1>\n" * 20,
}
IMAGE = bytes(range(256)) * 8

RECIPIENTS = [hashlib.sha256(b"recipient %d" % number).digest() for number in range(3)]
EPHEMERAL = hashlib.sha256(b"ephemeral").digest()
CONTENT_KEY = hashlib.sha256(b"content key").digest()


# What a manifest leaves out
USUAL: dict[str, object] = {"agent": "", "base": "", "boards": [], "counter": 0, "files": 1, "kind": "app"}
USUAL |= {"micropython": "", "mpy": "", "window": 0, "image": "", "image_size": 0}

# Parts


def put(path: str, data: bytes) -> bytes:
    return struct.pack(">BH", 1, len(path)) + path.encode() + struct.pack(">I", len(data)) + data


def keep(path: str, count: int) -> bytes:
    return struct.pack(">BH", 2, len(path)) + path.encode() + struct.pack(">H", count)


def patch(path: str, size: int, data: bytes) -> bytes:
    return struct.pack(">BH", 3, len(path)) + path.encode() + struct.pack(">II", size, len(data)) + data


def tree(files: dict[str, bytes]) -> str:
    lines = [f"{hashlib.sha256(files[path]).hexdigest()} {len(files[path])} {path}\n" for path in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def deflated(data: bytes) -> bytes:
    encoder = zlib.compressobj(9, zlib.DEFLATED, -12, 9)
    return encoder.compress(data) + encoder.flush()


def bundle(body: bytes, served: bytes, contents: dict[str, bytes], **changes: object) -> bytes:
    """changes: of the manifest."""
    manifest = {
        "agent": "",
        "base": "",
        "boards": ["RPI_PICO_W", "UNIX"],
        "body": hashlib.sha256(served).hexdigest(),
        "body_size": len(served),
        "counter": 7,
        "files": len(contents),
        "kind": "app",
        "micropython": "1.25",
        "mpy": "",
        "name": "kitchen",
        "size": sum(map(len, contents.values())),
        "tree": tree(contents),
        "version": "2.0",
        "window": 0,
    }
    if served is not body:
        manifest |= {"expanded": len(body), "window": 12}
    told = {key: value for key, value in (manifest | changes).items() if value != USUAL.get(key)}
    encoded = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    signed = b"SRUP\x02" + struct.pack(">I", len(encoded)) + encoded
    r, s = SIGNER.sign_deterministic(signed, sigencode=lambda r, s, order: (r, s))
    signature = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
    return b"SRUP\x02" + b"\x00\x40" + signature + struct.pack(">I", len(encoded)) + encoded + served


def private(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def public(secret: bytes) -> bytes:
    return private(secret).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def derived(secret: bytes, info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, None, info).derive(secret)


def sealed(plain: bytes, recipients: list[bytes]) -> bytes:
    head = b"SRUP\x03" + public(EPHEMERAL) + bytes((len(recipients),))
    for secret in recipients:
        shared = private(EPHEMERAL).exchange(ec.ECDH(), private(secret).public_key())
        pad = derived(shared, b"SRUP-wrap-1\0" + public(EPHEMERAL) + public(secret), 32)
        head += hashlib.sha256(public(secret)).digest()[:8]
        head += bytes(a ^ b for a, b in zip(CONTENT_KEY, pad, strict=True))
    keys = derived(CONTENT_KEY, b"SRUP-seal-1\0", 64)
    cipher = Cipher(algorithms.AES(keys[:32]), modes.CTR(bytes(16))).encryptor()
    covered = head + cipher.update(plain) + cipher.finalize()
    return covered + hmac.digest(keys[32:], covered, "sha256")


# The bundles

# Twenty-seven bytes stay, '1' becomes '2', the line's end stays: all of it bytes to add to the old file's.
APP_PATCH = b"\x00" + bytes((len(NEW["app.py"]),)) + b"\x00" + bytes((len(NEW["app.py"]),))
APP_PATCH += bytes(a - b for a, b in zip(NEW["app.py"], OLD["app.py"], strict=True)) + b"\x00\x00"
CHANGES = patch("app.py", len(NEW["app.py"]), APP_PATCH) + keep("lib/clock.py", 1)
CHANGES += put("lib/radio.py", NEW["lib/radio.py"]) + keep("www/index.html", 1)
BEFORE = b"".join(put(path, OLD[path]) for path in sorted(OLD))
ALL = b"".join(put(path, NEW[path]) for path in sorted(NEW))
# 2048 (0x80 | 0, 32) bytes: 1792 (0x80 | 0, 28) of the old image as they are, and 256 (0x80 | 0, 4) new ones
IMAGE_PATCH = b"\x00" + b"\x80\x20" + b"\x00" + b"\x80\x1c" + bytes(1792) + b"\x80\x04" + b"\xaa" * 256 + b"\x00"
NEW_IMAGE = IMAGE[:1792] + b"\xaa" * 256
# An image of the ESP32: magic, one segment, ... chip id 0, ... a SHA-256 is appended; what is in it nobody asks
FIRMWARE = b"\xe9\x01" + bytes(21) + b"\x01" + bytes(range(256)) * 2
FIRMWARE += hashlib.sha256(FIRMWARE).digest()
SET = FIRMWARE + ALL
FOR_SET = {"kind": "set", "image": hashlib.sha256(FIRMWARE).hexdigest(), "image_size": len(FIRMWARE)}
FOR_IMAGE = {"kind": "romfs", "files": 1, "size": 2048, "boards": ["UNIX"]}


def vectors() -> dict[str, bytes]:
    full = bundle(ALL, ALL, NEW)
    image_tree = {"tree": hashlib.sha256(NEW_IMAGE).hexdigest()}
    return {
        "RELEASE_KEY": public(RELEASE),
        "OLD": bundle(BEFORE, BEFORE, OLD, version="1.0"),
        "FULL": full,
        "FULL_DEFLATED": bundle(ALL, deflated(ALL), NEW),
        "DELTA": bundle(CHANGES, CHANGES, NEW, base=tree(OLD)[:16]),
        "DELTA_DEFLATED": bundle(CHANGES, deflated(CHANGES), NEW, base=tree(OLD)[:16]),
        "IMAGE": bundle(IMAGE, IMAGE, {}, tree=hashlib.sha256(IMAGE).hexdigest(), **FOR_IMAGE),
        "IMAGE_DELTA": bundle(
            IMAGE_PATCH, IMAGE_PATCH, {}, base=hashlib.sha256(IMAGE).hexdigest()[:16], **(FOR_IMAGE | image_tree)
        ),
        "RECIPIENT_1": RECIPIENTS[1],
        "SET": bundle(SET, SET, NEW, **FOR_SET),
        "SET_DEFLATED": bundle(SET, deflated(SET), NEW, **FOR_SET),
        "SEALED_FOR_ONE": sealed(full, RECIPIENTS[1:2]),
        "SEALED_FOR_THREE": sealed(full, RECIPIENTS),
        "OLD_TREE": bytes.fromhex(tree(OLD)),
    }


if __name__ == "__main__":
    print("# Bundles, in hex. Made by make_bundles.py, which says of what and how.")
    for name, value in vectors().items():
        print(name, value.hex())
