"""/api/v1: oneself, accounts, invitations, API tokens."""

from typing import Any

from fastapi import Request
from pydantic import Field
from sqlalchemy import select

from srup_host.server import accounts
from srup_host.server.asking import Body, Here, Id, Who
from srup_host.server.models import Account, ApiToken
from srup_host.server.roles import Role


class InvitationBody(Body):
    role: str = Field(description="viewer, operator, approver or admin")


class AccountBody(Body):
    role: str | None = None
    closed: bool | None = None


class TokenBody(Body):
    name: str
    role: str
    days: int | None = Field(None, ge=1, le=3650, description="how long it is good for; for ever without")


def me(actor: Who) -> dict[str, Any]:
    """Who is asking."""
    return {"name": actor.name, "role": actor.role.word}


def openapi(request: Request) -> dict[str, Any]:
    """This interface, described."""
    return request.app.openapi()


def list_accounts(c2: Here) -> list[dict[str, Any]]:
    with c2.read() as session:
        return [account_facts(one) for one in session.scalars(select(Account).order_by(Account.name))]


def account_facts(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "role": Role(account.role).word,
        "made": account.made,
        "closed": account.closed,
    }


def change_account(c2: Here, account: Id, body: AccountBody) -> dict[str, Any]:
    """Another role, or closed. The sessions of this account end."""
    role = None if body.role is None else accounts.role_of(body.role)
    with c2.write() as session:
        return account_facts(accounts.change(session, account, role, body.closed, c2.now()))


def invite(c2: Here, body: InvitationBody) -> dict[str, str]:
    """A link that makes one account of this role, within a day."""
    role = accounts.role_of(body.role)
    with c2.write() as session:
        return {"link": c2.link(accounts.invite(session, role, c2.now()))}


def list_tokens(c2: Here) -> list[dict[str, Any]]:
    with c2.read() as session:
        return [accounts.token_facts(one) for one in session.scalars(select(ApiToken).order_by(ApiToken.id))]


def make_token(c2: Here, body: TokenBody) -> dict[str, Any]:
    """An API token. `secret` is shown this once."""
    role = accounts.role_of(body.role)
    with c2.write() as session:
        secret, entry = accounts.make_token(session, body.name, role, c2.now(), body.days)
        return accounts.token_facts(entry) | {"secret": secret}


def revoke_token(c2: Here, token: Id) -> None:
    with c2.write() as session:
        accounts.revoke_token(session, token, c2.now())
