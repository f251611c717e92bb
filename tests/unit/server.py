"""The server's side of a story: keys made for the test, and signed frames."""

from binascii import unhexlify
from hashlib import sha256

from srup import p256, tokens, wire

DEVICE = unhexlify("6ba7b8109dad41d180b400c04fd430c8")
STRANGER = unhexlify("7d4448409dc041d1b2455ffdce74fad2")
NOON = 1_790_000_000_000  # ms since 1970: when these stories play


class Key:
    """A key pair made from a name: a different one for each name, the same one in each run."""

    def __init__(self, name):
        self.private = sha256(name.encode()).digest()
        self.public = p256.public_key(self.private)

    def frame(self, kind, **elements):
        signed = wire.preimage(kind, elements)
        return wire.seal(signed, p256.sign(self.private, sha256(signed).digest()))

    def initiate(self, token, target=DEVICE, url=b"https://localhost:8443/x.srup", digest=bytes(32)):
        return self.frame(wire.INITIATE, target=target, token=token, url=url, digest=digest)


def token(ms=NOON, nth=0):
    """The nth token of a millisecond."""
    return tokens.mint(ms, tokens.ZERO, bytes((0, nth)) + bytes(6))
