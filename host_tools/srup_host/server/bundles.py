"""Bundles that devices may be sent: what the release key has signed, offered over HTTPS under a name that never changes."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup.errors import BadSignature
from srup_host import bundle, hosting
from srup_host.console import REFUSED, Failure
from srup_host.fleet import Fleet
from srup_host.server import audit
from srup_host.server.errors import Missing
from srup_host.server.models import Release

MOST = 64 * 1024 * 1024  # bytes of the largest bundle taken


def check(fleet: Fleet, path: Path) -> bundle.Bundle:
    """The bundle in this file, if the fleet's release key signed it. Raises Failure."""
    opened = bundle.read(path)
    try:
        opened.verify(fleet.public_key("release"))
    except BadSignature as error:
        raise Failure(f"the fleet's release key did not sign this bundle: {error}", code=REFUSED) from None
    return opened


def add(session: Session, fleet: Fleet, path: Path, opened: bundle.Bundle, at: int) -> Release:
    """Offer it to devices. The same bundle again changes nothing."""
    known = session.get(Release, opened.digest.hex())
    if known:
        return known
    release = Release(
        digest=opened.digest.hex(),
        name=opened.manifest["name"],
        version=opened.manifest["version"],
        url=hosting.offer(fleet, path, opened),
        size=opened.size,
        manifest=opened.manifest,
        added=at,
        added_by=audit.actor(),
    )
    session.add(release)
    told = {"name": release.name, "version": release.version, "size": release.size}
    audit.append(session, at, "bundle added", release.digest, told)
    return release


def one(session: Session, text: str) -> Release:
    """By its digest, or the beginning of it. Raises Missing."""
    found = list(
        session.scalars(select(Release).where(Release.digest.startswith(text.lower(), autoescape=True)).limit(2))
    )
    if len(found) != 1 or len(text) < 8:
        raise Missing(f"there is no bundle {text!r}, or more than one", "name it by its SHA-256, 8 digits at least")
    return found[0]


def what(release: Release) -> str:
    """All of it, or a change to something; in words."""
    base = release.manifest.get("base")
    return f"delta to {str(base)[:8]}…" if base else "whole"


def newest_first(session: Session) -> list[Release]:
    return list(session.scalars(select(Release).order_by(Release.added.desc(), Release.digest)))
