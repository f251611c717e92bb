"""People and programs: accounts with passwords, sessions, API tokens, and the links by which an account is made.

Nobody chooses a password for somebody else, and there is none by default: an account is made by whoever opens its invitation,
a link that works once. The first one, for an administrator, is printed by `srup serve`.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.server import audit, roles
from srup_host.server.errors import Missing, NotLoggedIn
from srup_host.server.models import Account, ApiToken, Invitation, Visit
from srup_host.server.roles import Role

PASSWORD = 12  # characters of the shortest; of the longest:
PASSWORD_MOST = 256
IDLE_MS = 12 * 3_600_000  # after which a session that nobody uses ends
SESSION_MS = 7 * 86_400_000  # after which any session ends
INVITATION_MS = 86_400_000
TOKEN_PREFIX = "srup_"  # noqa: S105 - so that a token that got into a file or a log is found there

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_USED_MS = 60_000  # a session's last use is noted no more often
_hasher = PasswordHasher()


@dataclass(frozen=True)
class Actor:
    """Whoever is asking. name: as the audit log has it. csrf: of a session, "" for an API token."""

    name: str
    role: Role
    account: int | None = None
    csrf: str = ""


def _hidden(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


# Accounts


def invite(session: Session, role: Role, at: int) -> str:
    """A secret that makes one account of this role, for a day."""
    secret = secrets.token_urlsafe(32)
    session.add(Invitation(secret=_hidden(secret), role=role, expires=at + INVITATION_MS, made_by=audit.actor()))
    audit.append(session, at, "account invited", details={"role": role.word})
    return secret


def first_invitation(session: Session, at: int) -> str | None:
    """An administrator's, while there is none to make one; what was handed out before is void."""
    if _has_admin(session):
        return None
    session.execute(delete(Invitation).where(Invitation.role == Role.ADMIN))
    return invite(session, Role.ADMIN, at)


def _has_admin(session: Session) -> bool:
    query = select(Account.id).where(Account.role == Role.ADMIN, Account.closed.is_(None))
    return session.scalar(query.limit(1)) is not None


def invitation(session: Session, secret: str, at: int) -> Invitation:
    """Raises Missing for one that was used, has expired, or never was."""
    found = session.get(Invitation, _hidden(secret))
    if found is None or found.expires < at:
        raise Missing("this link is not valid, or not any more", "ask for another one")
    return found


def hashed(name: str, password: str) -> str:
    """The password as it is kept. Raises Failure for a name or password that will not do. Takes a while, on purpose."""
    if not _NAME.fullmatch(name):
        raise Failure(f"{name!r} is no account name", "1 to 64 of A-Z a-z 0-9 . _ @ -")
    if not PASSWORD <= len(password) <= PASSWORD_MOST or password.lower() == name.lower():
        raise Failure(f"the password needs {PASSWORD} to {PASSWORD_MOST} characters, and must not be the name")
    return _hasher.hash(password)


def accept(session: Session, secret: str, name: str, kept: str, at: int) -> Account:
    """Make the account of an invitation. kept: of `hashed`."""
    link = invitation(session, secret, at)
    if session.scalar(select(Account.id).where(Account.name == name)):
        raise Failure(f"there is an account {name!r} already", "choose another name")
    account = Account(name=name, role=link.role, password=kept, made=at)
    session.add(account)
    session.delete(link)
    with audit.acting(f"person:{name}"):
        audit.append(session, at, "account made", name, {"role": Role(link.role).word, "invited_by": link.made_by})
    return account


def account(session: Session, number: int) -> Account:
    found = session.get(Account, number)
    if found is None:
        raise Missing(f"there is no account {number}")
    return found


def change(session: Session, number: int, role: Role | None, closed: bool | None, at: int) -> Account:
    """Another role, or no way in any more; its sessions end. The last administrator stays one.

    Whoever is an administrator no longer has made no way in that is left: the API tokens and the invitations of theirs end, too.
    """
    found = account(session, number)
    was_admin = found.role == Role.ADMIN and found.closed is None
    found.role = found.role if role is None else role
    if closed is not None:
        found.closed = (found.closed or at) if closed else None
    session.flush()
    if was_admin and not _has_admin(session):
        raise Failure("this is the last administrator", "make another one first")
    session.execute(delete(Visit).where(Visit.account == number))
    told = {"role": Role(found.role).word, "closed": found.closed is not None}
    audit.append(session, at, "account changed", found.name, told)
    if found.closed is not None or found.role != Role.ADMIN:
        _end_what_was_made_by(session, f"person:{found.name}", at)
    return found


# Sessions


@cache
def nobody() -> str:
    """The hash of no password: so that an unknown name takes as long as a wrong password."""
    return _hasher.hash(secrets.token_hex(16))


def check_password(session: Session, name: str, password: str) -> Account | None:
    """The account, if this is its password. Takes as long for one that is not there."""
    found = session.scalar(select(Account).where(Account.name == name))
    try:
        _hasher.verify(found.password if found else nobody(), password[:PASSWORD_MOST])
    except (VerificationError, InvalidHashError):
        return None
    return found if found and found.closed is None else None


def log_in(session: Session, account_id: int, at: int) -> str:
    """The secret of a new session."""
    secret = secrets.token_urlsafe(32)
    session.execute(delete(Visit).where((Visit.used < at - IDLE_MS) | (Visit.began < at - SESSION_MS)))
    session.add(Visit(secret=_hidden(secret), account=account_id, csrf=secrets.token_urlsafe(32), began=at, used=at))
    with audit.acting(f"person:{account(session, account_id).name}"):
        audit.append(session, at, "logged in")
    return secret


def log_out(session: Session, secret: str, at: int) -> None:
    """End this session; nothing where it has ended already."""
    visit = session.get(Visit, _hidden(secret))
    if visit is None:
        return
    session.delete(visit)
    with audit.acting(f"person:{account(session, visit.account).name}"):
        audit.append(session, at, "logged out")


def end_all(session: Session) -> dict[str, int]:
    """Every session, and every invitation that nobody has opened; how many there were. Whoever has an account logs in again."""
    ended = {}
    for name, table in (("sessions", Visit), ("invitations", Invitation)):
        ended[name] = session.scalar(select(func.count()).select_from(table)) or 0
        session.execute(delete(table))
    return ended


def visitor(session: Session, secret: str, at: int) -> tuple[Actor, bool]:
    """Whose session this is, and whether its use is to be noted (`used`). Raises NotLoggedIn."""
    visit = session.get(Visit, _hidden(secret))
    if visit is None or visit.used < at - IDLE_MS or visit.began < at - SESSION_MS:
        raise NotLoggedIn("this session is over", "log in again")
    person = session.get_one(Account, visit.account)
    if person.closed is not None:
        raise NotLoggedIn("this account is closed")
    return Actor(f"person:{person.name}", Role(person.role), person.id, visit.csrf), visit.used < at - _USED_MS


def used(session: Session, secret: str, at: int) -> None:
    if visit := session.get(Visit, _hidden(secret)):
        visit.used = at


# API tokens


def make_token(session: Session, name: str, role: Role, at: int, days: int | None = None) -> tuple[str, ApiToken]:
    """(secret, entry). The secret is shown now and never again."""
    if not _NAME.fullmatch(name):
        raise Failure(f"{name!r} is no name of a token", "1 to 64 of A-Z a-z 0-9 . _ @ -")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else at + days * 86_400_000
    entry = ApiToken(secret=_hidden(secret), name=name, role=role, made=at, made_by=audit.actor(), expires=expires)
    session.add(entry)
    session.flush()
    audit.append(session, at, "API token made", name, {"role": role.word, "id": entry.id})
    return secret, entry


def revoke_token(session: Session, number: int, at: int) -> None:
    """This API token is good no more, nor are the API tokens and invitations that were made with it."""
    entry = session.get(ApiToken, number)
    if entry is None:
        raise Missing(f"there is no API token {number}")
    if entry.revoked is None:
        entry.revoked = at
        audit.append(session, at, "API token revoked", entry.name, {"id": entry.id})
        _end_what_was_made_by(session, f"token:{entry.name}", at)


def _end_what_was_made_by(session: Session, maker: str, at: int) -> None:
    """Every API token of `maker`, and every invitation that nobody has opened. The accounts of those who opened one stay."""
    session.execute(delete(Invitation).where(Invitation.made_by == maker))
    made = select(ApiToken.id).where(ApiToken.made_by == maker, ApiToken.revoked.is_(None))
    for number in session.scalars(made).all():
        revoke_token(session, number, at)


def token_facts(token: ApiToken) -> dict[str, Any]:
    """An API token as it is shown: all but its secret."""
    facts = {key: getattr(token, key) for key in ("id", "name", "made", "made_by", "expires", "revoked")}
    return facts | {"role": Role(token.role).word}


def good_tokens(session: Session, at: int) -> list[ApiToken]:
    """The API tokens that let somebody in, the oldest first."""
    lasting = ApiToken.expires.is_(None) | (ApiToken.expires >= at)
    return list(session.scalars(select(ApiToken).where(ApiToken.revoked.is_(None), lasting).order_by(ApiToken.id)))


def program(session: Session, secret: str, at: int) -> Actor:
    """Whose API token this is. Raises NotLoggedIn."""
    entry = session.scalar(select(ApiToken).where(ApiToken.secret == _hidden(secret)))
    if entry is None or entry.revoked is not None or (entry.expires is not None and entry.expires < at):
        raise NotLoggedIn("this API token is not valid, or not any more")
    return Actor(f"token:{entry.name}", Role(entry.role))


def role_of(word: str) -> Role:
    """A role by its word. Raises Failure."""
    try:
        return roles.named(word)
    except ValueError as error:
        raise Failure(str(error)) from None
