"""DATA `groups`: the groups that the device is in, from this frame on.

The value is the UUIDs of all of them, 16 bytes each (name-based: version nibble 5). The frame's token is their version: of two
lists the later one holds, whichever key has signed it. Whose frames to a group are good is for srup.replay, which has the store's
entries; here is what a new list makes of them.
"""

from srup import limits
from srup.errors import Refused
from srup.replay import groups
from srup.status import DATA_UNKNOWN


def changes(store, device, command):
    """What the list in `command` changes in the store. device: our UUID, 16 bytes. Raises Refused for what is none, and for one
    that is older than ours.

    A group that is left takes its entries with it: the highest tokens of its frames become those of their keys, so that it can be
    joined again and none of them be good again.
    """
    value, token = command.element("value"), command.token
    wanted = [value[at : at + limits.UUID] for at in range(0, len(value), limits.UUID)]
    if command.target != device or len(wanted) > limits.GROUPS or len(set(wanted)) < len(wanted):
        raise Refused(DATA_UNKNOWN, "groups: not for one device, too many, or one of them twice")
    if not all(len(group) == limits.UUID and group[6] >> 4 == 5 for group in wanted):
        raise Refused(DATA_UNKNOWN, "groups: not a list of their UUIDs")
    if token <= (store.get(b"G") or b"")[: limits.TOKEN]:
        raise Refused(DATA_UNKNOWN, "groups: older than those that it has")
    present = groups(store)
    found = {b"G": token + value}
    for group in wanted:
        if group not in present:
            found[b"J" + group] = token
    for group in present:
        if group not in wanted:
            _leave(store, group, found)
    return found


def _leave(store, group, found):
    found[b"J" + group] = None
    for entry, token in store.items(b"T"):
        if entry[9:] == group:
            floor = b"F" + entry[1:9]
            found[floor] = max(found.get(floor) or store.get(floor) or b"", token)
            found[entry] = None
