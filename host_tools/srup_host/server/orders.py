"""Orders: actions that people have a device carry out. What takes two keys takes two persons, and neither key of the second is here.

    somebody orders it (an operator, who types the device's name)      waiting
    somebody else prepares it                                          the token that it will have, and the boot nonce
    that one signs both with an authority key, at a machine of theirs
    and hands the signature in: it is verified, and the frame goes     sent

The signature holds for one device, one token and one start of the device. What is sent to the device in between makes the token
too old, and then the order is to be prepared again.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup import second, wire
from srup.errors import BadSignature
from srup_host import actions, signing
from srup_host.console import Failure
from srup_host.server import audit, registry
from srup_host.server.c2 import C2
from srup_host.server.errors import Missing
from srup_host.server.models import Member, Order
from srup_host.tables import Heard, Sent

WAITING, SENT, WITHDRAWN = "waiting", "sent", "withdrawn"
NAMED = (*actions.TWO_KEYS, actions.REVERT, actions.REBOOT)  # whoever orders one types the name of the device
NONCE = 16


def order(c2: C2, device: str, action: int, own: bytes, name: str) -> dict[str, Any]:
    """Send an action, or have what takes two keys wait for the second person. own: its parameters. Raises Failure."""
    with c2.read() as session:
        member = registry.one(session, device)
    if action in NAMED and name != member.name:
        raise Failure("that is not the name of this device", f"it is {member.name}: nothing was sent")
    if action not in actions.TWO_KEYS:
        sent = c2.send(c2.ledger.action, registry.as_device(member), action, own)
        return {"order": None, "state": SENT, "token": sent.token.hex()}
    if action == actions.SELF_DESTRUCT:
        own = hashlib.sha256(bytes.fromhex(member.public_key)).digest()
    with c2.write() as session:
        made = Order(
            device=member.uuid, action=action, own=own, state=WAITING, made=c2.now(), made_by=audit.actor(), ended_by=""
        )
        session.add(made)
        session.flush()
        audit.append(session, c2.now(), f"ordered {actions.name(action)}", member.uuid, {"order": made.id})
        return {"order": made.id, "state": WAITING, "token": None}


def facts(session: Session, one: Order) -> dict[str, Any]:
    member = session.get_one(Member, one.device)
    names = ("id", "device", "state", "made", "made_by", "ended", "ended_by")
    return {name: getattr(one, name) for name in names} | {"name": member.name, "action": actions.name(one.action)}


def newest_first(session: Session, most: int) -> list[dict[str, Any]]:
    return [facts(session, one) for one in session.scalars(select(Order).order_by(Order.id.desc()).limit(most))]


def prepare(c2: C2, number: int) -> dict[str, Any]:
    """What an authority key is to sign, in hex: `target`, `token`, `parameters` and `nonce`; and `kind`, `action`. Raises Failure."""
    with c2.write() as session:
        one = _waiting(session, number)
        member = session.get_one(Member, one.device)
        one.token = c2.ledger.reserve(registry.as_device(member))
        audit.append(session, c2.now(), "order prepared", one.device, {"order": one.id})
        target, nonce = registry.as_device(member).target, _nonce(session, one.device)
        told = {"target": target, "token": one.token, "parameters": one.own, "nonce": nonce}
        return {"kind": wire.ACTION, "action": one.action} | {name: value.hex() for name, value in told.items()}


def approve(c2: C2, number: int, proof: bytes) -> dict[str, Any]:
    """Send it. proof: `nonce | signature`, as prepared. Raises Failure."""
    with c2.read() as session:
        one = _waiting(session, number)
        device = registry.as_device(session.get_one(Member, one.device))
    if one.token is None:
        raise Failure("this order has not been prepared", "srup order approve prepares and signs it")
    try:
        wanted = second.signed(wire.ACTION, device.target, one.token, one.action, one.own, proof[:NONCE])
        signing.verify(c2.fleet.public_key("authority"), wanted, proof[NONCE:])
    except BadSignature as error:
        raise Failure(f"that is no signature of the authority key over this order: {error}") from None

    def end(session: Session, sent: Sent) -> None:
        _end(session, _waiting(session, number), SENT, c2.now())

    sent = c2.send(c2.ledger.action, device, one.action, one.own + proof, one.token, end)
    return {"order": number, "state": SENT, "token": sent.token.hex()}


def withdraw(c2: C2, number: int) -> dict[str, Any]:
    with c2.write() as session:
        one = _one(session, number)
        if one.state != WAITING:
            raise Failure(f"order {number} is {one.state}: there is nothing to withdraw")
        _end(session, one, WITHDRAWN, c2.now())
        return facts(session, one)


def _one(session: Session, number: int) -> Order:
    found = session.get(Order, number)
    if found is None:
        raise Missing(f"there is no order {number}")
    return found


def _waiting(session: Session, number: int) -> Order:
    """One that the second person may see to. Raises Failure for whoever made it."""
    one = _one(session, number)
    if one.state != WAITING:
        raise Failure(f"order {number} is {one.state}")
    if one.made_by == audit.actor():
        raise Failure("whoever made an order can't approve of it", "another approver has to")
    return one


def _end(session: Session, one: Order, state: str, at: int) -> None:
    one.state, one.ended, one.ended_by = state, at, audit.actor()
    audit.append(session, at, f"order {state}", one.device, {"order": one.id, "action": actions.name(one.action)})


def _nonce(session: Session, device: str) -> bytes:
    """Of the device's present start, as its latest inventory has it."""
    heard = session.get(Heard, device)
    told = json.loads(heard.inventory) if heard and heard.inventory else {}
    try:
        nonce = bytes.fromhex(told.get("nonce") or "")
    except (ValueError, TypeError):
        nonce = b""
    if len(nonce) != NONCE:
        raise Failure("the device has told no boot nonce", "ask it what it runs, and prepare the order again")
    return nonce
