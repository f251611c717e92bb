"""The transaction under way, as the store has it: "U" -> state | token 16 | key_id 8 of the command that began it | what it brings
(1 byte) | how the tree of what was staged begins. `update` says how it goes on, `updater` carries that out; who only asks how it
stands asks here."""

from srup.limits import const

_KEY = b"U"

# States
IDLE = const(0)
FETCHING = const(1)
STAGED = const(2)
TRIAL = const(3)
DOUBT = const(4)
WAITING = const(5)


def load(store):
    """(state, token, key_id, what it brings, how its tree begins: nothing where an older agent has staged it)"""
    entry = store.get(_KEY) or bytes(26)
    return entry[0], entry[1:17], entry[17:25], (entry + bytes(1))[25], entry[26:]


def change(now, token, key_id, brings, tree=b""):
    """The store's change that makes it so."""
    return {_KEY: bytes((now,)) + token + key_id + bytes((brings,)) + tree}


def state(store):
    """IDLE to WAITING."""
    return load(store)[0]


def staged(store):
    """(token, key_id) of the staged update, or None: what ACTIVATE may name."""
    now, token, key_id, _, _ = load(store)
    return (token, key_id) if now == STAGED else None


def under_way(store):
    """Token of the update that has no end yet, or None."""
    now, token, _, _, _ = load(store)
    return token if now != IDLE else None
