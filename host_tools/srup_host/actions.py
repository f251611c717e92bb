"""ACTION's actions by name (protocol.md, Actions)."""

REBOOT = 0x01
LOW_POWER = 0x02
WAKE = 0x03
TURN_OFF = 0x04
SELF_TEST = 0x05
SET_MODE = 0x06
SELF_DESTRUCT = 0x07
REVERT = 0x08
CANCEL = 0x09
CONNECT = 0x0A
APPLICATION = 0x80  # and above: the application's own

TWO_KEYS = (TURN_OFF, SELF_DESTRUCT)

_NAMES = {value: word for word, value in globals().items() if word.isupper() and isinstance(value, int)}


def name(action: int) -> str:
    """`REBOOT`, `APPLICATION+3`, or `(unknown)`."""
    if action >= APPLICATION:
        return f"APPLICATION+{action - APPLICATION}"
    return _NAMES.get(action, "(unknown)")


def number(text: str) -> int:
    """The action that a name or a number (decimal, or 0x..) gives. Raises ValueError."""
    for value, word in _NAMES.items():
        if word == text.upper().replace("-", "_") and value != APPLICATION:
            return value
    value = int(text, 0)
    if not 0 <= value <= 0xFF:
        raise ValueError(text)
    return value
