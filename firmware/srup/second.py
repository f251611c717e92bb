"""Two keys (protocol.md, Actions): what the command key alone may not order takes a signature of the authority's too.

The proof is `boot nonce (16) | second signature (64)`. Whoever has stolen the command key lacks the signature; whoever withholds a
frame that has both is left, after the device's next start, with the nonce of the start before.
"""

from srup import auth, keys, port, wire
from srup.errors import BadSignature
from srup.limits import const
from srup.policy import SELF_DESTRUCT

NONCE = const(16)
PROOF = const(80)

_LABEL = b"SRUP-second-1\0"


def prove(road, command):
    """True if this ACTION, which takes two keys, has them, and where it is SELF_DESTRUCT names this device. road: Road"""
    action = command.element("action")
    try:
        own, proof = split(command.element("parameters"))
        check(road.keys, road.config.device, road.session.nonce(), command, action, own, proof)
    except BadSignature as error:
        road.log("two keys: %s" % error)
        return False
    return action != SELF_DESTRUCT or own == port.sha256(road.keys.public_key()).digest()


def split(parameters):
    """(own parameters, proof) of an action's parameters. Raises BadSignature where they are too short for a proof."""
    at = len(parameters) - PROOF
    if at < 0:
        raise BadSignature("without a second signature")
    return parameters[:at], parameters[at:]


def check(trusted, device, nonce, command, action, own, proof):
    """Return if an authority key has signed that `device` is to do this, in this start. Raises BadSignature, whatever is amiss.

    trusted: Keys · device: its UUID, 16 bytes · nonce: of Session · command: Command · action: int, 0 for DEREGISTER_COMMAND ·
    own: its own parameters, b"" for DEREGISTER_COMMAND
    """
    if command.target != device:
        raise BadSignature("a group's, which can't be ordered this")
    if len(proof) != PROOF or not nonce or proof[:NONCE] != nonce:
        raise BadSignature("not with the nonce of this start")
    digest = port.sha256(signed(command.type, command.target, command.token, action, own, nonce)).digest()
    auth.signer(trusted.of(keys.AUTHORITY), digest, proof[NONCE:])


def signed(kind, target, token, action, own, nonce):
    """The bytes that the second signature is over."""
    return _LABEL + bytes((wire.VERSION, kind)) + _l16(target) + _l16(token) + bytes((action,)) + _l16(own) + nonce


def _l16(value):
    return len(value).to_bytes(2, "big") + value
