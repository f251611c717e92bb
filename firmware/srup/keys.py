"""Whom this device trusts, for what, and its own key pair (protocol.md, Keys and roles).

Trusted keys live in the store, so that a change of keys and the token that ordered it are one atomic record:

    "K" role key_id -> public key          "F" key_id -> the lowest token this key may use is above this one

"F" stays when the key goes: were it trusted again, nothing that it has signed before would be good.
"""

from srup import port
from srup.errors import NO_ROOM, InvalidKey, Refused, StorageError
from srup.limits import const

COMMAND = const(1)  # signs frames
RELEASE = const(2)  # signs bundles, never a frame
AUTHORITY = const(3)  # owns the other keys; signs DATA `keys` and `clock`

ROLES = (COMMAND, RELEASE, AUTHORITY)

MEMBERSHIP = b"Q"  # in the store, of a device that is in no fleet: one of these (module joining)
LEFT = b"\x01"
JOINING = b"\x02"
RESIGNING = b"\x03"  # it has left, and has not said so yet


def key_id(public_key):
    """The first 8 bytes of SHA-256 of a public key (65 bytes)."""
    return port.sha256(public_key).digest()[:8]


def entry(role, identity):
    """Where the store has the key of this key_id, if it has this role."""
    return b"K" + bytes((role,)) + identity


def create_device_key(path, host_bytes):
    """Make this device's key pair, store the private key (32 bytes) at `path`, return the public key (65 bytes).

    host_bytes: 32 random bytes of the provisioning host, mixed with the device's own randomness and unique id, so that a
    weak source on one side is not the end. Raises Refused if there is a key already: a key is never replaced in place.
    """
    if _read(path):
        raise Refused(0, "this device has a key already")
    private, public = _candidate(host_bytes)
    with open(path, "wb") as file:
        file.write(private)
    if _read(path) != private:
        raise StorageError("the device key reads back differently")
    return public


def _candidate(host_bytes):
    """(private, public) from fresh randomness; drawn again where it is not in [1, n-1] (FIPS 186-5, A.2.2)."""
    from srup import p256

    while True:
        private = port.sha256(port.random(32) + host_bytes + port.unique_id()).digest()
        try:
            return private, p256.public_key(private)
        except InvalidKey:
            pass  # one chance in 2^32


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read(32)
    except OSError:
        return b""


class Keys:
    """The trusted keys of `store` and the device's own pair from `path` (32 bytes).

    tables: the folder for what is prepared of keys, see srup.p256.keep_tables; in_memory: as there.
    """

    def __init__(self, store, path, tables="", in_memory=False):
        self._store = store
        self._path = path
        self._kept = tables, in_memory
        self._missed = {}  # key_id: public key, of those whose table is not there
        self._wanted = None  # the public key whose table is to be made
        self._making = None  # the generator that makes it

    def _p256(self):
        """The module, imported now, for it may have been let go meanwhile."""
        from srup import p256

        if not p256.keeps_tables():
            p256.keep_tables(*self._kept)
        return p256

    def ready(self):
        """P-256 knows where its tables are; else it makes that of its generator anew, in memory."""
        self._p256()

    def of(self, role):
        """[(key_id, public_key)] of a role."""
        return [(key[2:], value) for key, value in self._store.items(b"K" + bytes((role,)))]

    def floor(self, identity):
        """The token that this key's tokens must exceed, for every target."""
        return self._store.get(b"F" + identity) or b"\xff" * 16

    def table(self, public_key):
        """What makes it faster to verify signatures of this key. None where there is nothing yet: see `signed`."""
        table = self._p256().table(public_key, False)
        if table is None and self._p256().keeps_tables():
            self._missed[key_id(public_key)] = public_key
        return table

    def signed(self, identity):
        """The key of this key_id has signed: if its table was missed it is worth making. Who has no key has nothing written."""
        self._wanted = self._missed.pop(identity, self._wanted)

    def preparing(self):
        """True while a table that was missed is still to be made."""
        return self._wanted is not None

    def prepare(self):
        """A piece of it. Where flash or heap have no room for it, signatures of that key go on taking longer."""
        if self._wanted is None:
            return
        try:
            if self._making is None:
                self._making = self._p256().prepare(self._wanted, [key for _, key in self.of(COMMAND)])
            next(self._making)
        except (StopIteration, OSError) + NO_ROOM:
            self.leave()

    def pause(self):
        """Let go of what is half made: `prepare` begins anew."""
        if self._making:
            self._making.close()
        self._making = None

    def leave(self):
        """Give it up, until it is missed again."""
        self.pause()
        self._wanted = None

    def sign(self, digest):
        """The device's signature (64 bytes, low-S) over a SHA-256 digest."""
        try:
            return self._p256().sign(_read(self._path), digest, port.random)
        except port.StuckRandom:  # it only masks the arithmetic: RFC 6979 needs none, and the device is to stay heard
            return self._p256().sign(_read(self._path), digest)

    def public_key(self):
        return self._p256().public_key(_read(self._path))

    def own(self):
        """The public keys of this device: that to sign with, and that of sealed bundles if there is one."""
        sealing = _read(self._path.rsplit("/", 1)[0] + "/sealing.key")
        return [self.public_key()] + ([self._p256().public_key(sealing)] if sealing else [])
