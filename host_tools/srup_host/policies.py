"""What boards let be ordered of them: {action: "allow", "two-keys" or "refuse"}, `policy` in a board's config.json.

A board's profile has a say, the fleet's [policy], and what the board was given before: of what they say the strictest holds, so
that nothing is loosened by being left out. `--policy ACTION=WORD` alone has the last word, for one board.
"""

from collections.abc import Mapping
from typing import Annotated

import typer

from srup.policy import APPLICATION, NAMES
from srup_host.console import Failure

WORDS = ("allow", "two-keys", "refuse")  # each stricter than the one before
_TWO_KEYS = ("TURN_OFF", "SELF_DESTRUCT")  # always
_REST = "APPLICATION"  # of the application's own, all that are not named

PolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="ACTION=WORD",
        help="Whether the board obeys an action: allow, two-keys or refuse; again for each further one. ACTION: as of `srup send "
        "action`, or APPLICATION for all of the application's own.",
    ),
]


def checked(given: Mapping[str, object]) -> dict[str, str]:
    """The same, actions as boards know them. Raises ValueError: a word that is misspelt was meant to forbid something."""
    found: dict[str, str] = {}
    for action, word in given.items():
        name = _name(action)
        if word not in WORDS:
            raise ValueError(f"the policy for {action} is one of {', '.join(WORDS)}")
        if word == "allow" and name in _TWO_KEYS:
            raise ValueError(f"{name} takes two keys on every board")
        if name in found:
            raise ValueError(f"two policies for {name}")
        found[name] = str(word)
    return found


def _name(action: str) -> str:
    word = action.upper().replace("-", "_")
    if word in (_REST, *NAMES.values()):
        return word
    try:
        number = int(action, 0)
    except ValueError:
        number = 0
    if number not in NAMES and not APPLICATION <= number <= 0xFF:
        raise ValueError(f"there is no action {action}")
    return NAMES.get(number, f"0x{number:02x}")


def chosen(options: list[str] | None) -> dict[str, str]:
    """What --policy says. Raises Failure."""
    pairs = [(action, word) for action, _, word in (option.partition("=") for option in options or [])]
    if len({action for action, _ in pairs}) < len(pairs):
        raise Failure("--policy says two things of one action")
    try:
        return checked(dict(pairs))
    except ValueError as error:
        raise Failure(str(error), "as in --policy REBOOT=two-keys") from None


def of_board(config: Mapping[str, object] | None) -> dict[str, str]:
    """What a board's config.json says, whatever that is."""
    found = (config or {}).get("policy")
    return {action: str(word) for action, word in found.items()} if isinstance(found, dict) else {}


def strictest(*policies: Mapping[str, str]) -> dict[str, str]:
    """For each action that one of them names."""
    named = sorted({action for policy in policies for action in policy})
    return {action: max((_word(policy, action) for policy in policies), key=WORDS.index) for action in named}


def _word(policy: Mapping[str, str], action: str) -> str:
    """As a board finds it: an action of the application's that is not named is one of the rest."""
    word = policy.get(action, policy.get(_REST, "allow") if action.startswith("0x") else "allow")
    return word if word in WORDS else "refuse"  # so does a board


def setting(*policies: Mapping[str, str], options: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Of config.json; nothing where every action is simply allowed."""
    policy = strictest(*policies) | dict(options)
    return {"policy": policy} if policy else {}
