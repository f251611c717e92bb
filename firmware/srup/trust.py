"""Whom the device trusts from now on, and what time it can't be before: DATA `keys` and `clock`, which an authority key signs.

    keys     operation (1 add, 2 remove) | role (1 command, 2 release, 3 authority) | public key (65)
    clock    floor (6 bytes, ms since 1970) | key_id (8) of a command key, or nothing

Both give changes of the store, for one record with the answer: there is no moment in which half of them hold. What is so
already is no change, so that an order whose answer was lost can be given again.
"""

from srup import clock, keys, port
from srup.errors import InvalidKey, Refused
from srup.limits import KEYS_PER_ROLE, PUBLIC_KEY, const
from srup.status import DATA_UNKNOWN

ADD = const(1)
REMOVE = const(2)

_MS = const(6)
_KEY_ID = const(8)


def install(store, role, public_key, token, own=()):
    """Trust `public_key` (65 bytes) in `role` for frames with a token above `token` (16 bytes); as `addition`, done."""
    store.put(addition(store, role, public_key, token, own))


def changes(store, trusted, command):
    """What DATA `keys` or `clock` changes in the store. trusted: Keys. Raises Refused for what is not to be done."""
    value = command.element("value")
    if command.target[6] >> 4 == 5:
        raise Refused(DATA_UNKNOWN, "for one device, never for a group")
    try:
        if command.element("name") == b"clock":
            return _clock(store, command.token, value)
        return _keys(store, trusted, command, value)
    except InvalidKey as error:
        raise Refused(DATA_UNKNOWN, str(error))


def addition(store, role, public_key, token, own=()):
    """The changes that have `public_key` (65 bytes) trusted in `role`, for frames with a token above `token`.

    own: the device's own public keys. Raises InvalidKey for what is not a key, for one of these, for a key that has
    another role, and for a fifth of one role.
    """
    from srup import p256

    p256.check_public_key(public_key)
    identity = keys.key_id(public_key)
    if role not in keys.ROLES:
        raise InvalidKey("no such role: %d" % role)
    if public_key in own:
        raise InvalidKey("a device is not its own master")
    if any(store.get(keys.entry(other, identity)) for other in keys.ROLES if other != role):
        raise InvalidKey("one key has one role")
    if store.get(keys.entry(role, identity)):
        return {}
    if len(store.items(b"K" + bytes((role,)))) >= KEYS_PER_ROLE:
        raise InvalidKey("at most %d keys of a role" % KEYS_PER_ROLE)
    floor = store.get(b"F" + identity) or b""
    return {keys.entry(role, identity): public_key, b"F" + identity: max(floor, token)}


def _keys(store, trusted, command, value):
    if len(value) != 2 + PUBLIC_KEY:
        raise InvalidKey("not operation, role and public key")
    operation, role, public_key = value[0], value[1], value[2:]
    if operation == ADD:
        return addition(store, role, public_key, command.token, trusted.own())
    if operation == REMOVE and role in keys.ROLES:
        return _removal(store, role, keys.key_id(public_key), command.key_id)
    raise InvalidKey("no such operation or role")


def _removal(store, role, identity, signer):
    """The last key of a role stays: its successor comes first. That another authority key signs shows that it works."""
    if not store.get(keys.entry(role, identity)):
        return {}
    if identity == signer:
        raise InvalidKey("a key does not remove itself")
    if len(store.items(b"K" + bytes((role,)))) == 1:
        raise InvalidKey("the last key of its role")
    used = store.items(b"T" + identity)
    highest = max([store.get(b"F" + identity) or b""] + [token for _, token in used])
    changes = {entry: None for entry, _ in used}
    changes.update({keys.entry(role, identity): None, b"F" + identity: highest})
    return changes


def _clock(store, token, value):
    """The highest token of a command key starts at this frame again, where an accident or an attack has sent it ahead."""
    if int.from_bytes(value[:_MS], "big") > port.LATEST:
        raise InvalidKey("later than this board's clock can show")
    changes = {clock.FLOOR: value[:_MS]}
    identity = value[_MS:]
    if len(value) == _MS:
        return changes
    if len(identity) != _KEY_ID or not store.get(keys.entry(keys.COMMAND, identity)):
        raise InvalidKey("not a time, or not a time and the key_id of a command key")
    for entry, _ in store.items(b"T" + identity):
        changes[entry] = None
    changes[b"F" + identity] = token
    return changes
