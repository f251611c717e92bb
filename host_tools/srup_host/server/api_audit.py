"""/api/v1: the audit log."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from srup_host.server import audit
from srup_host.server.asking import Here, Size
from srup_host.server.errors import Missing
from srup_host.server.models import AuditLine


def lines(
    c2: Here,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="Only lines with a lower number.")] = None,
    subject: Annotated[str, Query(max_length=64)] = "",
    size: Size = 100,
) -> list[dict[str, Any]]:
    """The newest lines first."""
    query = select(AuditLine.line).order_by(AuditLine.number.desc()).limit(size)
    query = query.where(AuditLine.number < before) if before else query
    query = query.where(AuditLine.subject == subject) if subject else query
    with c2.read() as session:
        return [json.loads(line) for line in session.scalars(query)]


def head(c2: Here) -> dict[str, Any]:
    """Number and hash of the newest line, signed: kept elsewhere, it proves what an export must contain."""
    with c2.write() as session:
        signed = audit.sign_head(session, c2.audit_key, c2.now())
    if signed is None:
        raise Missing("there is no line in the audit log yet")
    return json.loads(signed)


def heads(c2: Here, size: Size = 100) -> list[dict[str, Any]]:
    """Heads signed so far, one an hour at least while there is something new; the newest first."""
    with c2.read() as session:
        return [json.loads(one.head) for one in audit.heads(session, size)]


def export(c2: Here) -> StreamingResponse:
    """The whole log as JSON Lines, with a signed head at its end: for srup audit verify."""
    with c2.write() as session:
        signed = audit.sign_head(session, c2.audit_key, c2.now())

    def stream() -> Iterator[str]:
        with c2.read() as session:
            yield from audit.export(session, signed)

    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(stream(), media_type="application/jsonl", headers=headers)
