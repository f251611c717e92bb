"""What this board lets be ordered: `policy` in config.json, {action: "allow", "refuse" or "two-keys"}.

An action is named as in protocol.md, APPLICATION for all that are the application's own, or "0x81" for one of them.
"""

from srup import status
from srup.errors import Refused
from srup.limits import const

APPLICATION = const(0x80)  # and above: the application's own
SELF_DESTRUCT = const(0x07)

NAMES = {
    0x01: "REBOOT",
    0x02: "LOW_POWER",
    0x03: "WAKE",
    0x04: "TURN_OFF",
    0x05: "SELF_TEST",
    0x06: "SET_MODE",
    0x07: "SELF_DESTRUCT",
    0x08: "REVERT",
    0x09: "CANCEL",
    0x0A: "CONNECT",
}

_ALLOW, _TWO_KEYS = "allow", "two-keys"
_ALWAYS_TWO_KEYS = ("TURN_OFF", "SELF_DESTRUCT")


def name(action):
    """The action's name; None for one that no device knows."""
    return NAMES.get(action, "APPLICATION" if action >= APPLICATION else None)


def takes_two_keys(given, action):
    """given: the board's policy. Raises Refused for an action that it does not allow, whatever word says so: one that is
    misspelt was meant to forbid something."""
    word = given.get("0x%02x" % action, given.get(name(action), _ALLOW))
    if word not in (_ALLOW, _TWO_KEYS):
        raise Refused(status.ACTION_REFUSED, "this board's policy: %s" % word)
    return word == _TWO_KEYS or name(action) in _ALWAYS_TWO_KEYS
