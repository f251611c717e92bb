"""In place of tests.power_cut.ecdsa on the chip: frames with a signature that nobody looks at."""

from srup import wire


def frame(key, kind, elements):
    return wire.seal(wire.preimage(kind, elements), b"\x01" * 64)


def check(message):
    pass
