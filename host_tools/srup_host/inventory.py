"""A device's inventory as the host's programs and people have it; srup.inventory is how it comes."""

import base64
import datetime
import json
import math
import re
from typing import Any

from srup import status

_WORDS = {"mp": "micropython", "up": "uptime", "set": "clock_set", "poll": "poll_s"}
_LAST = 253_402_300_799_000  # the last second that datetime knows
_SLOT = ("name", "version", "counter", "tree")
_OURS = {*_SLOT, "other", "slots", *_WORDS.values()} - {"counter"}  # what `read` adds: no device says it
_UNFIT = re.compile("[\x00-\x1f\ud800-\udfff]")  # half a character is none in UTF-8, and PostgreSQL takes no U+0000


def read(value: bytes) -> dict[str, Any]:
    """DATA `inventory` -> {word: value}; trees, tokens and the nonce in hex. Raises ValueError.

    name, version, tree: of what runs, None in recovery · other: the version in the other slot · slots: {"a": {name, version,
    counter, tree}} · counter: the security counter of what was confirmed · clock: ms since 1970, and true if clock_set ·
    uptime: seconds · poll_s: seconds between polls, in low power only · all else as the device says it.
    """
    try:
        told = dict(json.loads(value))
        _check_fit(told)
        return _read(told)
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no inventory: {error}") from None


def _check_fit(said: Any) -> None:
    """Whatever a device says besides what is known here is kept and shown too. Raises ValueError for a text or a number, however deep,
    that a database or an answer in JSON has no place for."""
    if isinstance(said, str) and _UNFIT.search(said):
        raise ValueError("a text with half a character, or a control character")
    if isinstance(said, float) and not math.isfinite(said):
        raise ValueError("a number that is none")
    for each in [*said, *said.values()] if isinstance(said, dict) else said if isinstance(said, list) else ():
        _check_fit(each)


def _read(told: dict[str, Any]) -> dict[str, Any]:
    if not _OURS.isdisjoint(told):
        raise ValueError(f"words that are not a device's: {sorted(_OURS & told.keys())}")
    _texts([told[key] for key in _TEXTS if key in told])
    for key in _NUMBERS:
        _number(told.get(key, 0))
    slots = {slot: dict(zip(_SLOT, _list(told.pop(slot)), strict=True)) for slot in ("a", "b") if slot in told}
    for slot in slots.values():
        _texts([slot["name"], slot["version"]])
        slot["tree"] = _hex(slot["tree"])
    running = slots.get(told["slot"], {})
    other = slots.get("b" if told["slot"] == "a" else "a", {})
    if "data" in told:
        name, version, tree = _list(told["data"])
        _texts([name, version])
        told["data"] = [name, version, _hex(tree)]
    told["nonce"] = _hex(told.get("nonce", ""))
    told["trial"], told["set"] = bool(told.get("trial")), bool(told.get("set"))
    told["refused"] = {reason: _number(count) for reason, count in dict(told.get("refused", {})).items()}
    told["latest"] = {_hex(token): _number(last, 0xFF) for token, last in dict(told["latest"]).items()}
    runs = {word: running.get(word) for word in ("name", "version", "tree")} | {"other": other.get("version")}
    return runs | {_WORDS.get(key, key): said for key, said in told.items()} | {"slots": slots}


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list where there should be one")
    return value


def _number(value: Any, most: int = (1 << 48) - 1) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise TypeError("no number where there should be one")
    return value


def _texts(values: list[Any]) -> None:
    if not all(isinstance(value, str) for value in values):
        raise TypeError("no text where there should be some")


def _hex(text: str) -> str:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True).hex()


_NUMBERS = ("counter", "trial", "heap", "flash", "up", "poll", "clock", "set", "lost", "starved", "cut")
_TEXTS = ("slot", "board", "mp", "agent", "reset", "mode", "nonce", "note")


# For people


def rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What `read` has returned, as (what, in words), with what matters most first."""
    shown = {
        "runs": _slot(told, told["slot"]) + (", on trial" if told["trial"] else ""),
        "other slot": _slot(told, "b" if told["slot"] == "a" else "a"),
        "data": " ".join(told.get("data", [])[:2]),
        "security counter": told.get("counter"),
        "mode": told.get("mode"),
        "not heard the server": f"{told['starved']} times" if told.get("starved") else None,
        "asks every": f"{told['poll_s']} s" if "poll_s" in told else None,
        "board": told.get("board"),
        "MicroPython": told.get("micropython"),
        "agent": told.get("agent"),
        "started": _started(told),
        "clock": _clock(told),
        "free heap": _bytes(told.get("heap")),
        "free flash": _bytes(told.get("flash")),
        "refused": ", ".join(f"{count} {reason}" for reason, count in told.get("refused", {}).items()),
        "records lost": told.get("lost"),
        "noted": told.get("note"),
        "boot nonce": told.get("nonce"),
        "latest": ", ".join(f"{status.name(last)} ({token[:12]}…)" for token, last in told["latest"].items()),
        "left out": "some of it: it does not fit" if told.get("cut") else None,
    }
    return [(what, str(said)) for what, said in shown.items() if said]


def _slot(told: dict[str, Any], name: str) -> str:
    slot = told["slots"].get(name)
    if slot is None:
        return "recovery: no application" if name == "none" else ""
    return f"{slot['name']} {slot['version']} in slot {name} ({slot['tree'][:16]}…)"


def _started(told: dict[str, Any]) -> str:
    ago = f"{datetime.timedelta(seconds=min(told['uptime'], 10**10))} ago" if "uptime" in told else ""
    return ", ".join(each for each in (ago, told.get("reset")) if each)


def _clock(told: dict[str, Any]) -> str:
    if "clock" not in told:
        return ""
    moment = datetime.datetime.fromtimestamp(min(told["clock"], _LAST) / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" + ("" if told["clock_set"] else ", or later: nobody has set it")


def _bytes(count: int | None) -> str | None:
    return None if count is None else f"{count:,} bytes"
