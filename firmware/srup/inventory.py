"""DATA `inventory`: what the device is, runs and has been through, in at most 700 bytes. Imported for an ID_REQUEST.

A JSON object without spaces. Bytes are base64url without padding:

    slot        "a" or "b", which runs, or "none": recovery
    a, b        what is in each slot, where there is something whole: [name, version, security counter, tree]
    data        the application's own files: [name, version, tree]
    counter     the security counter of what was confirmed
    trial       1 while what runs is on trial
    board mp agent      the board's name; versions of MicroPython and of this package
    heap flash  free bytes
    reset up    why it has started, a word; seconds since
    mode poll   the mode; seconds between polls, in low power alone
    clock set   ms since 1970; 1 if that is true time, 0 if it is the least that it can be
    nonce       the boot nonce, for two keys
    refused     {reason: frames} of this start
    starved     how often the server was not heard for three heartbeats, in this start, where it was
    lost        how often records of the store were lost
    note        what the boot part found amiss, where it did
    latest      {token: its last status} of the latest transactions
    cut         1 where something was left out for want of room, in the order of `_sheds`
"""

import json
import os
from binascii import b2a_base64

from srup import __version__, limits, port, transaction

_SLOTS = ("a", "b")
_LATEST = 4


def value(road, hands):
    """The value, bytes. road: Road · hands: Hands"""
    return packed(_told(road, hands))


def _told(road, hands):
    session = road.session
    told = {
        "slot": (_SLOTS + ("none",))[min(road.choice.slot, 2)],
        "counter": hands.slots.record().counter,
        "trial": int(road.choice.trial and road.state() == transaction.TRIAL),
        "board": road.config.board,
        "mp": ".".join([str(number) for number in port.micropython()]),
        "agent": __version__,
        "heap": port.free_memory(),
        "flash": _free(road.root),
        "reset": session.cause,
        "up": session.uptime,
        "mode": session.mode,
        "clock": road.clock.now(),
        "set": int(port.clock_is_set()),
        "nonce": text(session.nonce()),
        "refused": session.refused,
        "lost": road.replay.losses(),
        "latest": {text(entry[1:]): last[0] for entry, last in road.store.items(b"S")[-_LATEST:]},
    }
    for slot, name in enumerate(_SLOTS):
        manifest = hands.slots.manifest(slot)
        if manifest:
            told[name] = [manifest["name"], manifest["version"], manifest["counter"], tree(manifest["tree"])]
    data = hands.data_manifest()
    if data:
        told["data"] = [data["name"], data["version"], tree(data["tree"])]
    if session.interval:
        told["poll"] = session.interval
    if session.starved:
        told["starved"] = session.starved
    if road.choice.note:
        told["note"] = road.choice.note[: limits.NOTE]
    return told


def packed(told):
    """The value of these facts, bytes: all of them if they fit, and else what `_sheds` leaves."""
    sheds = list(_sheds(told))
    while True:
        encoded = json.dumps(told, separators=(",", ":")).encode()
        if len(encoded) <= limits.VALUE or not sheds:
            return encoded
        sheds.pop(0)()
        told["cut"] = 1


def _sheds(told):
    """What to leave out, one after the other: what the server knows best first."""

    def only(count):
        latest = told["latest"]
        told["latest"] = {token: latest[token] for token in sorted(latest)[-count:]}

    def less(key):
        told.pop(key, None)

    return (
        lambda: told.update({"note": told.get("note", "")[:40]}),
        lambda: only(2),
        lambda: less("data"),
        lambda: less("note"),
        lambda: only(1),
        lambda: less("b" if told["slot"] == "a" else "a"),
        lambda: less("refused"),
    )


def _free(root):
    disk = os.statvfs(root)
    return disk[1] * disk[4] if disk[4] <= disk[2] else 0  # littlefs counts shared blocks twice: below none it wraps


def text(octets):
    """Bytes as base64url without padding."""
    return str(b2a_base64(octets), "ascii").rstrip("=\n").replace("+", "-").replace("/", "_")


def tree(digits):
    """A tree of a manifest, which is hex, as the inventory has it."""
    return text(bytes([int(digits[at : at + 2], 16) for at in range(0, len(digits), 2)]))
