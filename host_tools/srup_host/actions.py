"""ACTION's actions by name (protocol.md, Actions)."""

import hashlib

from srup import limits, second
from srup_host import values

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
_HELP = """\
REBOOT · SELF_TEST · REVERT to the previous version · CANCEL TOKEN of what is staged · SET_MODE normal, beacon (it blinks), safe (without its
application, over reboots) or one of the application's · LOW_POWER SECONDS between two looks at what has come · WAKE · CONNECT: stay, this
time · TURN_OFF until its power is cycled, and SELF_DESTRUCT, which take two keys · 0x80 … 0xff: the application's own"""


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


def help() -> str:
    """All of them, for people."""
    return _HELP.replace("\n", " ")


def parameters(action: int, text: str, device_key: bytes) -> bytes:
    """An action's own parameters, as somebody writes them on a command line. device_key: its public key. Raises ValueError, with what
    should be there."""
    if action == SELF_DESTRUCT:
        if text:
            raise ValueError("SELF_DESTRUCT takes no value: it names the device by its key")
        return hashlib.sha256(device_key).digest()
    if action == LOW_POWER:
        if not text.isdigit() or not 0 < int(text) < 1 << 32:
            raise ValueError("LOW_POWER takes the seconds between two looks, as in LOW_POWER 600")
        return int(text).to_bytes(4, "big")
    if action == CANCEL:
        try:
            token = bytes.fromhex(text.removeprefix("hex:"))
        except ValueError:
            token = b""
        if len(token) != limits.TOKEN:
            raise ValueError(f"CANCEL takes the token of what is staged, {limits.TOKEN} bytes in hex")
        return token
    if text and action < APPLICATION and action != SET_MODE:
        raise ValueError(f"{name(action)} takes no value")
    return values.octets(text)


def words(action: int, parameters: bytes) -> str:
    """What an action's parameters say, for people; with two keys, all three parts of them."""
    if action in TWO_KEYS and len(parameters) >= second.PROOF:
        own, proof = second.split(parameters)
        nonce, signature = proof[: second.NONCE].hex(), proof[second.NONCE :].hex()
        return f"{words(action, own)}{', ' if own else ''}nonce {nonce}, second signature {signature[:16]}…"
    if action == LOW_POWER and len(parameters) == 4:
        return f"{int.from_bytes(parameters, 'big')} s between two looks"
    if action == SET_MODE:
        return repr(parameters.decode("utf-8", "backslashreplace"))
    return parameters.hex()
