"""The boot record of a story, as an earlier one has left it."""

from srup_boot import record


def save(root, **fields):
    state = record.load(root)
    for name, value in fields.items():
        setattr(state, name, value)
    state.save(root)
