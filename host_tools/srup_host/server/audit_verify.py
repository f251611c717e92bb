"""Proving an export of the audit log offline: with nothing but the file, the audit key, and a head that was kept elsewhere.

1. Each line is JSON as `audit.encode` writes it: one way to write it, and so one hash.
2. Numbers go up from 1 by one; `previous` is the hash of the line before. A line removed, changed or moved shows here.
3. A frame is what the action and the details say it is, and it is signed: by the device whose key the log itself has from its
   enrolment; by the key that the log has named last for the role that signs such frames; or, a stranger's request to join,
   by the key in it.
4. The keys that the log names last are among those that the verifier has from elsewhere, role by role.
5. The head at the end is the audit key's, and names the hash of a line.
6. So does the head that was kept elsewhere: a tail that was cut off, or a log written anew, shows here and nowhere else.

Whoever has the audit key, and none of the fleet's, can write a log anew (until 6.) with devices of their own making in it, and with
keys of their own making for all frames before a rotation. Not so with the frames since: those keys are pinned by 4. The older ones
are, too, where the verifier has all keys that there ever were, as the fleet's directory has them; `on_its_word` are those it has not.
Of frames by a key that was retired the log alone says when they were: whoever took it along, and has the audit key, can write such since;
`signed` shows them. A stranger's frame shows that somebody has sent it, and nothing of who that was.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srup import p256, status, wire
from srup.errors import BadSignature, InvalidKey, Malformed
from srup_host import signing
from srup_host.console import REFUSED, Failure
from srup_host.fleet import ROLES
from srup_host.receiving import Kind
from srup_host.server import audit
from srup_host.tables import Sent

_FIELDS = {
    "number": int,
    "at": int,
    "actor": str,
    "action": str,
    "subject": str,
    "details": dict,
    "frame": str,
    "previous": str,
}
_NOT_GOOD = (ValueError, TypeError, KeyError, RecursionError, BadSignature, InvalidKey, Malformed)

Given = Mapping[str, Sequence[bytes]]  # role -> public keys of the fleet that the verifier has from elsewhere


@dataclass
class Log:
    """What a file has shown so far. given: what it is held against · hashes: of the lines, from number 1 on · keys: of devices, by UUID
    · named: of the fleet, by role, in the order in which the log names them · signed: how many frames each (role, key) of the fleet has."""

    given: Given
    hashes: list[str] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    named: dict[str, list[bytes]] = field(default_factory=dict)
    signed: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    frames: int = 0
    head: dict[str, Any] | None = None

    def on_its_word(self) -> list[tuple[str, bytes]]:
        """(role, key) of the fleet's keys that nobody but the log says were the fleet's."""
        every = [(role, key) for role, named in self.named.items() for key in dict.fromkeys(named)]
        return [(role, key) for role, key in every if key not in self.given.get(role, ())]


def verify(lines: Iterable[str], audit_key: bytes, given: Given | None = None, kept: str | None = None) -> Log:
    """Raises Failure, exit code 1, which names the first line that is wrong.

    given: for a role that is not in it, the log is taken at its word · kept: heads from elsewhere, as JSON Lines.
    """
    log = Log(given or {})
    for position, text in enumerate(lines, 1):
        try:
            if log.head:
                raise ValueError("a line after the head")
            _take(log, text.rstrip("\n"), audit_key)
        except _NOT_GOOD as error:
            raise Failure(f"line {position} of the audit log is not good: {error}", code=REFUSED) from None
    if log.head is None:
        raise Failure("the audit log has no head at its end: it is cut off", code=REFUSED)
    _check_pins(log)
    if kept is not None:
        _check_kept(log, kept, audit_key)
    return log


def _take(log: Log, text: str, audit_key: bytes) -> None:
    fields = json.loads(text)
    if type(fields) is not dict or audit.encode(fields) != text:
        raise ValueError("not written as the server writes it")
    if "head" in fields:
        check_head(fields, audit_key)
        _match(log, fields)
        if fields["head"] != len(log.hashes):
            raise ValueError("the head is not of the last line")
        log.head = fields
        return
    if {name: type(value) for name, value in fields.items()} != _FIELDS:
        raise ValueError("not the fields of a line")
    if fields["number"] != len(log.hashes) + 1:
        raise ValueError(f"its number is {fields['number']}, not {len(log.hashes) + 1}")
    if fields["previous"] != (log.hashes[-1] if log.hashes else audit.START):
        raise ValueError("it does not follow from the line before it")
    _learn(log, fields)
    _check_frame(log, fields)
    log.hashes.append(audit.hash_of(text))


# Keys


def _learn(log: Log, fields: dict[str, Any]) -> None:
    """The key that a line tells of, if it does."""
    action, subject, details = fields["action"], fields["subject"], fields["details"]
    if action == "device enrolled":
        key = _key(details)
        if log.keys.setdefault(subject, key) != key:
            raise ValueError("another key for a device that has one")
    elif action == "keys":
        if details["role"] not in ROLES or subject != f"key:{details['role']}":
            raise ValueError("a key without a role")
        log.named.setdefault(details["role"], []).append(_key(details))


def _key(details: dict[str, Any]) -> bytes:
    key = bytes.fromhex(details["public_key"])
    p256.check_public_key(key)
    return key


def _check_pins(log: Log) -> None:
    for role, named in log.named.items():
        if role in log.given and named[-1] not in log.given[role]:
            raise Failure(f"the {role} key that the audit log names last is another one than was given", code=REFUSED)


# Frames


def _check_frame(log: Log, fields: dict[str, Any]) -> None:
    check = _FRAMES.get(str(fields["action"]).partition(" ")[0])
    if check is None:
        if fields["frame"]:
            raise ValueError("a frame, and the action says nothing of one")
        return
    frame = wire.decode(bytes.fromhex(fields["frame"]))
    wire.check_sizes(frame)
    if "target" in frame.elements and str(uuid.UUID(bytes=frame.elements["target"])) != fields["subject"]:
        raise ValueError("its frame has another target")
    check(log, fields, frame)
    log.frames += 1


def _check_sent(log: Log, fields: dict[str, Any], frame: wire.Unverified) -> None:
    name, role = Sent(type=frame.type, frame=frame.frame).name, signing.role(frame.type, frame.elements)
    # the number: as it once was written for a group in which nobody had that staged
    if fields["action"] not in (f"send {name}", f"send {frame.type}"):
        raise ValueError(f"its frame is {name}")
    named = log.named.get(role)
    candidates = named[-1:] if named else log.given.get(role, ())  # an old log has keys from its middle on
    if not candidates:
        raise ValueError(f"no {role} key is known, by which its frame could be signed: give one")
    signer = next((key for key in candidates if _has_signed(key, frame)), None)
    if signer is None:
        raise BadSignature(f"the signature of its frame does not match: it is not by the {role} key of that time")
    log.signed[role, signer] += 1


def _has_signed(key: bytes, frame: wire.Unverified) -> bool:
    try:
        signing.verify_frame(key, frame)
        return True
    except BadSignature:
        return False


_HEARD = {
    Kind.ANSWER: (wire.RESPONSE,),
    Kind.INVENTORY: (wire.DATA,),
    Kind.DATA: (wire.DATA,),
    Kind.REQUEST: (wire.JOIN_REQUEST, wire.RESIGN_REQUEST),
    Kind.ALARM: (wire.RESPONSE, wire.DATA, wire.JOIN_REQUEST, wire.RESIGN_REQUEST),
}


def _check_heard(log: Log, fields: dict[str, Any], frame: wire.Unverified) -> None:
    """The device's word, and the line has no other than that."""
    signing.verify_frame(log.keys[fields["subject"]], frame)
    if frame.type not in _HEARD.get(fields["action"].removeprefix("heard "), ()):
        raise ValueError(f"its frame is {wire.TYPES[frame.type][0]}")
    elements, details = frame.elements, fields["details"]
    answer = status.name(elements["status"]) if "status" in elements else None
    if details.get("status") != answer:
        raise ValueError(f"it says {details.get('status')}, and its frame {answer}")
    name = elements.get("name", b"").decode("ascii", "replace") or wire.TYPES[frame.type][0]
    if details.get("name", name) != name or (fields["action"] == "heard inventory" and name != "inventory"):
        raise ValueError(f"it says {details.get('name')}, and its frame {name}")


def _check_alarm(log: Log, fields: dict[str, Any], frame: wire.Unverified) -> None:
    """Somebody asked to join in the name of a device, perhaps of one that has a key: with the key in the frame, whosever it is."""
    if frame.type != wire.JOIN_REQUEST:
        raise ValueError(f"its frame is {wire.TYPES[frame.type][0]}")
    signing.verify_frame(frame.elements["public_key"], frame)


_Check = Callable[[Log, dict[str, Any], wire.Unverified], None]
_FRAMES: dict[str, _Check] = {"send": _check_sent, "heard": _check_heard, "alarm": _check_alarm}


# Heads


def check_head(fields: dict[str, Any], audit_key: bytes) -> None:
    """Raises BadSignature unless the audit key signed this head; KeyError, ValueError where it is none."""
    if type(fields["head"]) is not int:
        raise ValueError("its head is no number of a line")
    signed = audit.encode({name: fields[name] for name in ("head", "hash", "at")})
    signing.verify(audit_key, audit.HEAD + signed.encode(), bytes.fromhex(fields["signature"]))


def _match(log: Log, head: dict[str, Any]) -> None:
    number = head["head"]
    if not 1 <= number <= len(log.hashes):
        raise ValueError(f"the head names line {number}, and there are {len(log.hashes)}")
    if log.hashes[number - 1] != head["hash"]:
        raise ValueError(f"line {number} is not the one that the head names")


def _check_kept(log: Log, kept: str, audit_key: bytes) -> None:
    if not kept.strip():
        raise Failure("there is no head to compare with", code=REFUSED)
    for line in kept.splitlines():
        _check_one(log, line, audit_key)


def _check_one(log: Log, kept: str, audit_key: bytes) -> None:
    try:
        head = json.loads(kept)
        check_head(head, audit_key)
    except _NOT_GOOD:
        raise Failure("the head to compare with is none of this audit key's", code=REFUSED) from None
    try:
        _match(log, head)
    except ValueError as error:
        raise Failure(f"the log was cut or written anew: {error}", code=REFUSED) from None
