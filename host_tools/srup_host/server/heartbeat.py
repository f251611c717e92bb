"""Each device is asked at least once in a heartbeat what it runs, by a signed ID_REQUEST (protocol.md, section 2, Freeze)."""

from sqlalchemy import select

from srup import wire
from srup_host.server import audit, registry
from srup_host.server.c2 import C2
from srup_host.server.models import Member
from srup_host.server.truth import HEARTBEAT_MS
from srup_host.tables import Heard, Sent

BATCH = 50  # devices asked at a time: a fleet that has been away does not come back all at once


def ask(c2: C2) -> int:
    """Ask those whose inventory is older than a heartbeat and who have not been asked within one; how many."""
    before = c2.now() - HEARTBEAT_MS
    recent = select(Heard.device).where(Heard.inventory_at > before)
    asked = select(Sent.device).where(Sent.type == wire.ID_REQUEST, Sent.at > before)
    query = select(Member).where(Member.left.is_(None), Member.uuid.not_in(recent), Member.uuid.not_in(asked))
    with c2.read() as session:
        members = list(session.scalars(query.order_by(Member.uuid).limit(BATCH)))
    with audit.acting("server"), c2.sending() as send:
        for member in members:
            send(c2.ledger.id_request, registry.as_device(member))
    return len(members)
