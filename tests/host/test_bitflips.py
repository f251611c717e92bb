"""Every single-bit flip of a signed frame is refused, with the error that the place of the bit calls for."""

import pytest

from srup import wire
from srup.auth import Auth
from srup.errors import BadSignature, Malformed, WrongTarget
from srup.keys import COMMAND
from srup_host import keyfiles, signing

KEY = keyfiles.generate()
PUBLIC = signing.public_bytes(KEY)
ELEMENTS = {
    "target": bytes(range(16)),
    "token": bytes(range(16, 32)),
    "url": b"https://c2.example/app.srup",
    "digest": bytes(range(32, 64)),
    "status": 0x10,
    "action": 0x80,
    "parameters": b"parameters",
    "name": b"app.colour",
    "value": b"value",
    "public_key": PUBLIC,
    "description": b"description",
    "settings": b"settings",
    "second_signature": bytes(80),
}


def authenticate(frame):
    """Steps 1 and 3: sizes and signature."""
    unverified = wire.decode(frame)
    wire.check_sizes(unverified)
    signing.verify_frame(PUBLIC, unverified)


def values_of(names):
    """Offsets in the frame of all bytes but lengths, version and type."""
    at = 2
    for name in ("signature", *names):
        size = 1 if name in wire.BYTES else len(ELEMENTS.get(name, bytes(64)))
        at += 0 if name in wire.BYTES else 2
        yield from range(at, at + size)
        at += size


@pytest.mark.parametrize("kind", wire.TYPES, ids=lambda kind: wire.TYPES[kind][0])
def test_every_bit_flip_is_refused(kind):
    names = wire.TYPES[kind][1]
    frame = signing.sign_frame(KEY, kind, {name: ELEMENTS[name] for name in names})
    authenticate(frame)
    values = set(values_of(names))
    for bit in range(8 * len(frame)):
        flipped = bytearray(frame)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        # Another type may have elements of the same sizes: then it is the signature that does not hold.
        either = (Malformed, BadSignature) if bit >> 3 == 1 else BadSignature if bit >> 3 in values else Malformed
        with pytest.raises(either):
            authenticate(bytes(flipped))


class Keys:
    """Stands for srup.keys.Keys: trusts KEY, as a command key."""

    def of(self, role):
        return [(b"command.", PUBLIC)] if role == COMMAND else []

    def table(self, public_key):
        return None

    def signed(self, key_id):
        """It has really signed, and so is worth a table: not here."""


def test_every_bit_flip_is_refused_by_the_device_itself():
    """The device's own step 3, for the frame that starts everything."""
    names = wire.TYPES[wire.INITIATE][1]
    frame = signing.sign_frame(KEY, wire.INITIATE, {name: ELEMENTS[name] for name in names})
    device = ELEMENTS["target"]
    Auth(Keys(), device).authenticate(wire.decode(frame))
    values, target = set(values_of(names)), range(70, 86)
    for bit in range(8 * len(frame)):
        at = bit >> 3
        flipped = bytearray(frame)
        flipped[at] ^= 1 << (bit & 7)
        wanted = (
            WrongTarget
            if at in target
            else BadSignature
            if at in values
            else (Malformed, BadSignature)[: 1 + (at == 1)]
        )
        with pytest.raises(wanted):
            Auth(Keys(), device).authenticate(wire.decode(bytes(flipped)))


def test_the_offsets_are_right():
    frame = signing.sign_frame(KEY, wire.RESPONSE, {"token": ELEMENTS["token"], "status": 0x10})
    assert sorted(values_of(("token", "status"))) == [*range(4, 68), *range(70, 86), 86]
    assert len(frame) == 87
