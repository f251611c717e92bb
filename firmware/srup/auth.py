"""Step 3. Unverified -> Authenticated: size, target, signature, in this order (protocol.md, section 2 steps 1 to 3).

The only caller of ECDSA verification, and its contract is an exception: what returns is authentic, what is not raises.
"""

from srup import keys as roles
from srup import port, wire
from srup.errors import BadSignature, Malformed, Outside, Throttled, WrongTarget
from srup.limits import BAD_SIGNATURE_PAUSE, BAD_SIGNATURES

# What the authority key signs; every other frame to a device is the command key's.
_AUTHORITY_DATA = (b"keys", b"clock", b"settings")

_TO_DEVICE = (
    wire.INITIATE,
    wire.ACTIVATE,
    wire.ACTION,
    wire.DATA,
    wire.ID_REQUEST,
    wire.JOIN_COMMAND,
    wire.DEREGISTER_COMMAND,
)


class Authenticated:
    """A frame for this device whose signature holds. Made by `Auth.authenticate` alone.

    key_id: 8 bytes, of the key that signed · target: 16 bytes, this device's where the type carries none ·
    digest: SHA-256 of the whole frame
    """

    def __init__(self, unverified, key_id, target):
        self.frame = unverified.frame
        self.type = unverified.type
        self.elements = unverified.elements
        self.key_id = key_id
        self.target = target
        self.digest = port.sha256(unverified.frame).digest()


def role_for(unverified):
    """The one role that may sign this frame."""
    if unverified.type == wire.DATA and unverified.elements["name"] in _AUTHORITY_DATA:
        return roles.AUTHORITY
    return roles.COMMAND


def signed_digest(unverified):
    """SHA-256 over the received bytes with the signature element cut out."""
    hashed = port.sha256()
    for part in unverified.signed_parts():
        hashed.update(part)
    return hashed.digest()


def check_signature(public_key, digest, signature, table=None):
    """Raise BadSignature unless this low-S signature (64 bytes) over `digest` is `public_key`'s. table: Keys.table of it."""
    from srup import p256  # now: it may have been let go meanwhile

    if len(signature) != 64 or not p256.is_low_s(signature):
        raise BadSignature("not a low-S signature of 64 bytes")
    p256.verify(public_key, digest, signature, table)


def signer(candidates, digest, signature, table=lambda public_key: None):
    """The key_id of the candidate, [(key_id, public_key)], that made the signature. Raises BadSignature if none did.

    table: Keys.table, for keys that sign often.
    """
    for key_id, public_key in candidates:
        try:
            check_signature(public_key, digest, signature, table(public_key))
            return key_id
        except BadSignature:
            pass  # the next key may be the one
    raise BadSignature("by no key that may sign this")


def check_release(keys, signed, signature):
    """Raise BadSignature unless one of the release keys signed these bytes (a bundle's header and manifest)."""
    keys.ready()  # P-256 may have been let go meanwhile
    signer(keys.of(roles.RELEASE), port.sha256(signed).digest(), signature)


class Auth:
    """keys: Keys · device: this device's UUID, 16 bytes · groups: callable giving the UUIDs of its groups · admits:
    callable saying of a type if such frames are obeyed at all."""

    def __init__(self, keys, device, groups=lambda: (), admits=lambda kind: True):
        self._keys = keys
        self._device = device
        self._groups = groups
        self._admits = admits
        self._bad = 0
        self._bad_at = 0

    def authenticate(self, unverified):
        """Raises Malformed, WrongTarget, Throttled or BadSignature; none of them is ever answered."""
        wire.check_sizes(unverified)  # step 1
        if unverified.type not in _TO_DEVICE:
            raise Malformed("not a frame for a device")
        target = unverified.elements.get("target", self._device)  # step 2: ACTIVATE names a token of ours instead
        if target != self._device and target not in self._groups():
            raise WrongTarget("for another device")
        if not self._admits(unverified.type):
            raise Outside("in no fleet")
        self._throttle()  # step 3
        try:
            role = role_for(unverified)
            table = (self._keys.table,) if role == roles.COMMAND else ()
            key_id = signer(self._keys.of(role), signed_digest(unverified), unverified.signature, *table)
        except BadSignature:
            self._bad += 1
            self._bad_at = port.ticks_ms()
            raise
        self._bad = 0
        self._keys.signed(key_id)
        return Authenticated(unverified, key_id, target)

    def _throttle(self):
        """After ten bad signatures in a row, at most one verification a second."""
        if self._bad >= BAD_SIGNATURES and port.within(BAD_SIGNATURE_PAUSE, self._bad_at):
            raise Throttled("too many bad signatures")
