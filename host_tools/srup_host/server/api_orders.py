"""/api/v1: what people have devices do."""

from typing import Any

from pydantic import Field

from srup_host import actions
from srup_host.console import Failure
from srup_host.server import orders
from srup_host.server.asking import Body, Here, Id, Size


class ActionBody(Body):
    action: str = Field(max_length=32, description="as in protocol.md: REBOOT, SET_MODE, SELF_DESTRUCT, 0x80 …")
    parameters: str = Field(default="", max_length=384, pattern="^([0-9a-fA-F]{2})*$", description="hex")
    name: str = Field(default="", max_length=64, description="the device's name, for what can't be undone")


class ProofBody(Body):
    proof: str = Field(
        pattern="^[0-9a-f]{160}$", description="hex: boot nonce (16 bytes), authority key's signature (64)"
    )


def act(c2: Here, device: str, body: ActionBody) -> dict[str, Any]:
    """ACTION. What takes two keys waits, as an order, for a second person."""
    try:
        number = actions.number(body.action)
    except ValueError:
        raise Failure(f"no action {body.action!r}", "a name as in protocol.md, or a number from 0x00 to 0xff") from None
    return orders.order(c2, device, number, bytes.fromhex(body.parameters), body.name)


def list_orders(c2: Here, size: Size = 100) -> list[dict[str, Any]]:
    """The newest first."""
    with c2.read() as session:
        return orders.newest_first(session, size)


def prepare(c2: Here, order: Id) -> dict[str, Any]:
    """What an authority key is to sign. Whoever made the order can't."""
    return orders.prepare(c2, order)


def approve(c2: Here, order: Id, body: ProofBody) -> dict[str, Any]:
    """Send it, with the authority key's signature. Whoever made the order can't."""
    return orders.approve(c2, order, bytes.fromhex(body.proof))


def withdraw(c2: Here, order: Id) -> dict[str, Any]:
    return orders.withdraw(c2, order)
