"""The audit log: who did what to what, with the signed frame that shows it; only ever appended to, each line bound to the last.

A line is JSON with sorted keys and no spaces:

    {"action":…,"actor":…,"at":…,"details":{…},"frame":…,"number":…,"previous":…,"subject":…}

frame is hex, "" where nothing was signed; previous is the hash of the line before (64 zeros before the first); a line's hash is
SHA-256("SRUP-audit-1\\0" | line). So a line that is changed, taken out or moved breaks the chain. What a chain can't show by
itself, a tail cut off or a log written anew, the head shows: number and hash of the newest line, signed with the server's
audit key every hour, and kept elsewhere.

The action says what a frame is: "send …", one to a device; "heard …", one from it; "alarm", a JOIN_REQUEST of whoever made the key
in it. No other line has one. "keys" names the key that signs in a role from there on, before the first frame that it has signed.
"""

import getpass
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup_host import files, keyfiles, signing
from srup_host.fleet import Fleet
from srup_host.server.models import AuditHead, AuditLine

START = "0" * 64  # what the first line has for the hash before it
HOUR_MS = 3_600_000
LINE, HEAD = b"SRUP-audit-1\0", b"SRUP-audit-head-1\0"

_TAIL = "audit tail"  # in a transaction's info: nobody else appends while it lasts

_actor: ContextVar[str] = ContextVar("actor")


def actor() -> str:
    """Who is at work: a person, an API token, a roll-out, a device, a voucher; at the command line the user of this machine."""
    return _actor.get("") or f"shell:{_user()}"


@cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return "unknown"


@contextmanager
def acting(who: str) -> Iterator[None]:
    """What is done within is `who`'s doing."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


def set_actor(who: str) -> None:
    """For the rest of this task."""
    _actor.set(who)


def hash_of(line: str) -> str:
    return hashlib.sha256(LINE + line.encode()).hexdigest()


def encode(fields: Mapping[str, Any]) -> str:
    """Fields as the hash covers them."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def append(
    session: Session,
    at: int,
    action: str,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
    frame: bytes = b"",
) -> None:
    """Add a line in the caller's exclusive transaction. subject: a device's UUID, or what it is about."""
    number, previous = session.info.get(_TAIL) or _tail(session)
    number += 1
    fields = {
        "number": number,
        "at": at,
        "actor": actor(),
        "action": action,
        "subject": subject,
        "details": dict(details or {}),
        "frame": frame.hex(),
        "previous": previous,
    }
    line = encode(fields)
    digest = hash_of(line)
    session.add(AuditLine(number=number, line=line, hash=bytes.fromhex(digest), at=at, subject=subject))
    session.info[_TAIL] = number, digest


def name_key(session: Session, at: int, role: str, public_key: bytes) -> None:
    """Have the log name the key (65 bytes) that signs in this role from here on, unless it has named it already."""
    subject = f"key:{role}"
    if (session.info.get(subject) or _named_key(session, subject)) != public_key:
        append(session, at, "keys", subject, {"role": role, "public_key": public_key.hex()})
    session.info[subject] = public_key


def _named_key(session: Session, subject: str) -> bytes:
    """The last one that the log has named, b"" before the first."""
    query = select(AuditLine.line).where(AuditLine.subject == subject).order_by(AuditLine.number.desc()).limit(1)
    line = session.scalar(query)
    return bytes.fromhex(json.loads(line)["details"]["public_key"]) if line else b""


def _tail(session: Session) -> tuple[int, str]:
    """Number and hash of the newest line."""
    last = newest(session)
    return (last.number, last.hash.hex()) if last else (0, START)


def newest(session: Session) -> AuditLine | None:
    return session.scalar(select(AuditLine).order_by(AuditLine.number.desc()).limit(1))


# The head


def key(fleet: Fleet) -> signing.PrivateKey:
    """The server's audit key, made when it is first asked for. It signs heads and nothing else."""
    path = fleet.directory / "keys" / "audit.pem"
    if not path.exists():
        made = keyfiles.generate()
        files.write_new(path, keyfiles.private_pem(made, None), 0o600)
        files.write_new(path.with_suffix(".pub.pem"), keyfiles.public_pem(made))
    return keyfiles.load_private(path)


def sign_head(session: Session, signer: signing.PrivateKey, at: int) -> str | None:
    """The newest line, signed, as JSON; kept too. None while there is no line."""
    last = newest(session)
    if last is None:
        return None
    head = head_line(signer, last.number, last.hash.hex(), at)
    session.merge(AuditHead(number=last.number, head=head))
    return head


def sign_hourly(session: Session, signer: signing.PrivateKey, at: int) -> None:
    """The newest line, if something has been written since the last head and that is an hour old."""
    [*last] = heads(session, 1)
    due = not last or at - json.loads(last[0].head)["at"] >= HOUR_MS
    if due and (line := newest(session)) and (not last or last[0].number < line.number):
        sign_head(session, signer, at)


def heads(session: Session, most: int) -> Iterable[AuditHead]:
    """The newest first."""
    return session.scalars(select(AuditHead).order_by(AuditHead.number.desc()).limit(most))


def head_line(signer: signing.PrivateKey, number: int, digest: str, at: int) -> str:
    fields = {"head": number, "hash": digest, "at": at}
    return encode(fields | {"signature": signing.sign(signer, HEAD + encode(fields).encode()).hex()})


def export(session: Session, head: str | None) -> Iterator[str]:
    """The lines up to the head, and the head."""
    if head is None:
        return
    query = select(AuditLine.line).where(AuditLine.number <= json.loads(head)["head"]).order_by(AuditLine.number)
    for line in session.scalars(query.execution_options(yield_per=1000)):
        yield line + "\n"
    yield head + "\n"
