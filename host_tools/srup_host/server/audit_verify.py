"""Proving an export of the audit log offline: with nothing but the file, the audit key, and a head that was kept elsewhere.

1. Each line is JSON as `audit.encode` writes it: one way to write it, and so one hash.
2. Numbers go up from 1 by one; `previous` is the hash of the line before. A line removed, changed or moved shows here.
3. A frame is what the action says it is: its signature is by the device whose key the log itself has from its enrolment, or
   by the command key.
4. The head at the end is the audit key's, and names the hash of a line.
5. So does the head that was kept elsewhere: a tail that was cut off, or a log written anew, shows here and nowhere else.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from srup import p256, wire
from srup.errors import BadSignature, InvalidKey, Malformed
from srup_host import signing
from srup_host.console import REFUSED, Failure
from srup_host.server import audit

_FIELDS = {"number", "at", "actor", "action", "subject", "details", "frame", "previous"}


@dataclass
class Log:
    """What a file has shown so far. hashes: of the lines, from number 1 on · keys: of devices, by UUID."""

    hashes: list[str] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    frames: int = 0
    head: dict[str, Any] | None = None


def verify(lines: Iterable[str], audit_key: bytes, command_key: bytes | None = None, kept: str | None = None) -> Log:
    """Raises Failure, exit code 1, which names the first line that is wrong.

    command_key: None: frames to devices are not checked · kept: heads from elsewhere, as JSON Lines.
    """
    log = Log()
    for position, text in enumerate(lines, 1):
        try:
            if log.head:
                raise ValueError("a line after the head")
            _take(log, text.rstrip("\n"), audit_key, command_key)
        except (ValueError, TypeError, KeyError, BadSignature, InvalidKey, Malformed) as error:
            raise Failure(f"line {position} of the audit log is not good: {error}", code=REFUSED) from None
    if log.head is None:
        raise Failure("the audit log has no head at its end: it is cut off", code=REFUSED)
    if kept is not None:
        _check_kept(log, kept, audit_key)
    return log


def _take(log: Log, text: str, audit_key: bytes, command_key: bytes | None) -> None:
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
    if fields.keys() != _FIELDS:
        raise ValueError("not the fields of a line")
    if fields["number"] != len(log.hashes) + 1:
        raise ValueError(f"its number is {fields['number']}, not {len(log.hashes) + 1}")
    if fields["previous"] != (log.hashes[-1] if log.hashes else audit.START):
        raise ValueError("it does not follow from the line before it")
    _check_frame(log, fields, command_key)
    log.hashes.append(audit.hash_of(text))


def _check_frame(log: Log, fields: dict[str, Any], command_key: bytes | None) -> None:
    if fields["action"] == "device enrolled":
        key = bytes.fromhex(fields["details"]["public_key"])
        p256.check_public_key(key)
        if log.keys.setdefault(fields["subject"], key) != key:
            raise ValueError("another key for a device that has one")
    if not fields["frame"]:
        return
    frame = wire.decode(bytes.fromhex(fields["frame"]))
    from_device = str(fields["action"]).startswith("heard ")
    key = log.keys[fields["subject"]] if from_device else command_key
    if key:
        signing.verify_frame(key, frame)
        log.frames += 1


def check_head(fields: dict[str, Any], audit_key: bytes) -> None:
    """Raises BadSignature unless the audit key signed this head; KeyError, ValueError where it is none."""
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
    except (ValueError, TypeError, KeyError, BadSignature):
        raise Failure("the head to compare with is none of this audit key's", code=REFUSED) from None
    try:
        _match(log, head)
    except ValueError as error:
        raise Failure(f"the log was cut or written anew: {error}", code=REFUSED) from None
