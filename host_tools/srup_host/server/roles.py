"""Who may do what: four roles, each of which may do all that the ones before it may."""

from enum import IntEnum


class Role(IntEnum):
    ANYBODY = 0  # no account: probes, the way in, what devices download
    VIEWER = 1  # sees everything, changes nothing
    OPERATOR = 2  # roll-outs, bundles, groups and tags, quarantine
    APPROVER = 3  # lets a roll-out of somebody else's go ahead
    ADMIN = 4  # accounts

    @property
    def word(self) -> str:
        return self.name.lower()


WORDS = tuple(role.word for role in Role if role)


def named(word: str) -> Role:
    """Raises ValueError for what is no role of an account."""
    if word not in WORDS:
        raise ValueError(f"{word!r} is no role; they are {', '.join(WORDS)}")
    return Role[word.upper()]
