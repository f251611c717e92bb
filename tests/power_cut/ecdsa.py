"""ECDSA for the campaign: the verdicts of the device's own `p256`, each found once and then remembered. Runs on MicroPython.

A campaign verifies the same few hundred frames millions of times. What is remembered is what p256 said of exactly this key,
digest and signature; what the board signs, it signs with a stand-in (a hash). Where `real` is set there is neither. p256 has its
kernel, and no tables in the board's flash: they would be another scenario.
"""

from hashlib import sha256

from srup import p256, wire
from srup.errors import BadSignature
from tests.unit.server import Key

BOARD = Key("board")

_verify, _sign = p256.verify, p256.sign
_verdicts = {}  # (key, digest, signature): did it raise BadSignature?
_frames = {}  # (private key, digest of the signed bytes): frame
real = False


def frame(key, kind, elements):
    """A signed frame; the same one for the same elements."""
    signed = wire.preimage(kind, elements)
    digest = sha256(signed).digest()
    made = _frames.get((key.private, digest))
    if made is None:
        made = _frames[key.private, digest] = wire.seal(signed, _sign(key.private, digest))
    return made


def check(message):
    """Raises BadSignature unless the board has signed this frame of its own."""
    digest = sha256(b"".join([bytes(part) for part in message.signed_parts()])).digest()
    if real:
        _verify(BOARD.public, digest, message.signature)
    elif message.signature != _stand_in(digest):
        raise BadSignature("not the board's")


def _stand_in(digest):
    return digest + sha256(digest).digest()


def _remembered(public_key, digest, signature, table=None):
    if real:
        return _verify(public_key, digest, signature)
    known = (bytes(public_key), bytes(digest), bytes(signature))
    bad = _verdicts.get(known)
    if bad is None:
        try:
            _verify(public_key, digest, signature)
            bad = _verdicts[known] = False
        except BadSignature:
            bad = _verdicts[known] = True
    if bad:
        raise BadSignature("does not match")


def _signed(private_key, digest, random=None):
    return _sign(private_key, digest, random) if real else _stand_in(digest)


p256.keep_tables, p256.table = (lambda *_: None), (lambda *_: None)
p256.verify = _remembered
p256.sign = _signed
