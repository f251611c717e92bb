"""The bundle (.srup): what a board installs (docs/bundle.md). Its header, manifest and paths, for device and host tools alike.

    "SRUP" 0x02 | L16 release signature | L32 manifest | manifest (JSON) | body          lengths big-endian

The release signature, 64 bytes, is over "SRUP" 0x02 | L32 manifest | manifest. The manifest binds the body by its SHA-256;
`srup.records` reads what is in it. The index, which both sides compute and nobody sends, has a line for each file, in the
ascending order of their paths as bytes:

    <sha256 hex> <size> <path>\\n

Whatever is not exactly so raises UpdateFailed(UPDATE_FAIL_BUNDLE). No declared length is used for an allocation unless it
is within a limit.
"""

import json
import struct

from srup import limits
from srup.errors import UpdateFailed
from srup.limits import const
from srup.status import UPDATE_FAIL_BUNDLE

MAGIC = b"SRUP\x02"
SEALED = b"SRUP\x03"  # of a sealed one: `srup.sealed`
KINDS = ("app", "data", "firmware", "romfs", "set")
IMAGES = ("firmware", "romfs")  # one image each, and no paths
BASE = const(16)  # digits of a tree that name it as a base: what comes of a delta is held to all of its own

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_WORD = _LOWER + _LOWER.upper() + _DIGITS + "._-"
_MOST = const(0x7FFFFFFF)


class Bundle:
    """What comes before the body. manifest_bytes, signature: bytes · body_at: offset in the file"""

    def __init__(self, manifest_bytes, signature, body_at):
        self.manifest_bytes = manifest_bytes
        self.signature = signature
        self.body_at = body_at
        self._manifest = None

    def signed(self):
        """The bytes that the release signature is over."""
        return MAGIC + struct.pack(">I", len(self.manifest_bytes)) + self.manifest_bytes

    @property
    def manifest(self):
        """The manifest, a dict. Parsed when first asked for, so that a device can check the signature before."""
        if self._manifest is None:
            self._manifest = check_manifest(self.manifest_bytes)
        return self._manifest


def is_sealed(path):
    """True if the file begins as a sealed bundle does."""
    with open(path, "rb") as file:
        return file.read(len(SEALED)) == SEALED


def open_bundle(file):
    """Read a binary file as far as its body -> Bundle. Only lengths are looked at."""
    if _exactly(file, 5) != MAGIC:
        raise _bad("not a bundle")
    if struct.unpack(">H", _exactly(file, 2))[0] != limits.SIGNATURE:
        raise _bad("length of the signature")
    signature = _exactly(file, limits.SIGNATURE)
    size = struct.unpack(">I", _exactly(file, 4))[0]
    if size > limits.MANIFEST:
        raise _bad("manifest of %d bytes" % size)
    manifest = _exactly(file, size)
    return Bundle(manifest, signature, len(MAGIC) + 2 + limits.SIGNATURE + 4 + size)


def index_line(digest_hex, size, path):
    """A line of the index, bytes."""
    return ("%s %d %s\n" % (digest_hex, size, path)).encode()


def check_path(path):
    """Raise UpdateFailed unless `path` (text) is a plain relative one: inside the slot, whatever it is joined to."""
    parts = path.split("/")
    if len(path.encode()) > limits.PATH or len(parts) > limits.PATH_DEPTH:
        raise _bad("path too long or too deep")
    if any(not part or part[0] == "." for part in parts):  # so no "//", no "..", none of the slot's own files
        raise _bad("path with an empty part or a hidden one")
    if any(sign < " " or sign in "\x7f\\:" for sign in path):
        raise _bad("path with a control character, backslash or colon")
    if path == "boot.py" or path.startswith("srup_boot"):
        raise _bad("path of the boot part")


def check_manifest(data):
    """Bytes -> dict: the keys of FIELDS and no others, each of its form, in the one way to write them. What was left out is in
    the dict, with the value that it then has."""
    try:
        manifest = json.loads(data)
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep
        raise _bad("manifest is not JSON")
    if not isinstance(manifest, dict):
        raise _bad("manifest is no object")
    for key, is_right, usual in FIELDS:
        value = manifest.setdefault(key, manifest.get("body_size") if key == "expanded" else usual)
        if not is_right(value):
            raise _bad("manifest: " + key)
    if encode_manifest(manifest) != data:  # what JSON readers disagree about ends here: repeated keys, escapes, spaces
        raise _bad("manifest is not in canonical form")
    _check_together(manifest)
    return manifest


def _check_together(manifest):
    """What values ask of each other."""
    if manifest["window"]:
        fits = manifest["body_size"] and 9 <= manifest["window"] <= 15  # what zlib makes, and RFC 1951 knows
    else:
        fits = manifest["expanded"] == manifest["body_size"]
    if not fits:
        raise _bad("manifest: window")
    if manifest["kind"] in IMAGES and manifest["files"] != 1:
        raise _bad("manifest: files")
    is_set = manifest["kind"] == "set"
    if is_set != bool(manifest["image"]) or is_set != bool(manifest["image_size"]) or (is_set and manifest["base"]):
        raise _bad("manifest: image")
    if manifest["image_size"] > manifest["expanded"]:
        raise _bad("manifest: image_size")


def encode_manifest(manifest):
    """The canonical form, bytes, of a manifest whose values are right: keys sorted, no spaces, nothing to escape, and nothing
    that goes without saying."""
    told = []
    for key, _, usual in FIELDS:
        if manifest[key] != (manifest["body_size"] if key == "expanded" else usual):
            told.append('"%s":%s' % (key, _encode(manifest[key])))
    return ("{%s}" % ",".join(told)).encode()


def _encode(value):
    if isinstance(value, list):
        return "[%s]" % ",".join([_encode(item) for item in value])
    return '"%s"' % value if isinstance(value, str) else str(value)


def _is_text(value, signs, least, most):
    return isinstance(value, str) and least <= len(value) <= most and all(sign in signs for sign in value)


def _is_count(value):
    return type(value) is int and 0 <= value <= _MOST  # True is an int as well, and not one of these


def _is_digest(value):
    return _is_text(value, _DIGITS + "abcdef", 64, 64)


def _is_name(value):
    return _is_text(value, _WORD, 1, 32)


def _is_version(value):
    return _is_text(value, _WORD + "+", 1, 32)


def _are_boards(value):
    return isinstance(value, list) and all(_is_name(board) for board in value)


def _is_mpy(value):
    return value == "" or (_is_text(value, _DIGITS + ".", 3, 8) and value.count(".") == 1)


def _is_minimum(value):
    """A version to compare: numbers with dots between, or "" for any."""
    return value == "" or (_is_text(value, _DIGITS + ".", 1, 16) and all(value.split(".")))


def _is_kind(value):
    return value in KINDS


def _is_image(value):
    return value == "" or _is_digest(value)


def _is_base(value):
    return value == "" or _is_text(value, _DIGITS + "abcdef", BASE, BASE)


# What a manifest says, in the order of its keys; the form of each, and what it is where it is left out (None: it is not)
FIELDS = (
    ("agent", _is_minimum, ""),  # the oldest agent that it runs with
    ("base", _is_base, ""),  # of what its delta applies to: how its tree begins; "" for all of it
    ("boards", _are_boards, []),  # [] = any
    ("body", _is_digest, None),  # SHA-256 of the body, as served
    ("body_size", _is_count, None),  # bytes, as served
    ("counter", _is_count, 0),  # security counter
    ("expanded", _is_count, None),  # bytes of the body, decoded; left out where it is as served
    ("files", _is_count, 1),
    ("image", _is_image, ""),  # of a set: SHA-256 of its firmware, where `tree` is of its files,
    ("image_size", _is_count, 0),  # and its bytes
    ("kind", _is_kind, "app"),
    ("micropython", _is_minimum, ""),  # the oldest MicroPython that it runs with
    ("mpy", _is_mpy, ""),  # version of its .mpy files, "" when it has none
    ("name", _is_name, None),
    ("size", _is_count, None),  # bytes of all files
    ("tree", _is_digest, None),  # SHA-256 of the index; of an image: of itself
    ("version", _is_version, None),
    ("window", _is_count, 0),  # of the deflate that the body is, as a power of two; 0: it is none
)


def _exactly(file, size):
    data = file.read(size)
    if len(data) != size:
        raise _bad("ends too early")
    return data


def _bad(why):
    return UpdateFailed(UPDATE_FAIL_BUNDLE, why)
