"""What a device of a roll-out is sent: a delta to what it runs or all of it, and a copy for it alone where the policy asks for that."""

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from srup_host import files, hosting, offers, sealing
from srup_host.fleet import Fleet, sealing_key
from srup_host.server.models import Member, Release, Target
from srup_host.tables import Heard

_COPY = ".sealed.srup"  # the end of its name
_ABANDONED_S = 3600  # after which what nobody has recorded is nobody's: another worker may be about to
_SAME = ("kind", "name", "version", "counter", "tree")  # what makes two bundles the same release


def equals(session: Session, release: Release) -> list[Release]:
    """Bundles that make the same software of a device, this one first, then the smallest."""
    named = select(Release).where(Release.name == release.name, Release.version == release.version)
    found = [one for one in session.scalars(named.order_by(Release.size)) if _id(one) == _id(release)]
    return sorted(found, key=lambda one: one.digest != release.digest)


def _id(release: Release) -> list[object]:
    return [release.manifest.get(field) for field in _SAME]


def bundle_for(session: Session, among: list[Release], member: Member, target: Target) -> Release:
    """The smallest that this device can use. among: see `equals`; the first of them where nothing fits.

    Who was sent a delta before, and is to be sent something again, gets all of it: it is not known why the delta did not do.
    """
    heard = session.get(Heard, member.uuid)
    told = json.loads(heard.inventory) if heard and heard.inventory else {}
    fitting = [one for one in among if _fits(one, member, told)]
    whole = [one for one in fitting if not one.manifest["base"]]
    if target.attempts and whole:
        fitting = whole
    return min(fitting, key=lambda one: one.size, default=among[0])


def _fits(release: Release, member: Member, told: Mapping[str, Any]) -> bool:
    boards, base = _texts(release, "boards"), str(release.manifest["base"])
    running = offers.tree(told, str(release.manifest["kind"]))
    return (not boards or member.board in boards) and (not base or bool(running) and running.startswith(base))


def _texts(release: Release, field: str) -> list[str]:
    found = release.manifest[field]
    return [str(one) for one in found] if isinstance(found, list) else []


# Copies for one device alone


def seal(fleet: Fleet, release: Release, member: Member, target: Target) -> tuple[str, bytes]:
    """(URL, SHA-256) of a copy that this device alone can read. Raises Failure where it has made no key for that."""
    forget(fleet, target)
    key = sealing_key(fleet.device(member.uuid))
    raw = files.read(hosting.public(fleet) / hosting.file_of(release.url))
    url, digest = hosting.offer_bytes(fleet, sealing.seal(raw, [key]), release.manifest, _COPY)
    target.sealed = hosting.file_of(url)
    return url, digest


def forget(fleet: Fleet, target: Target) -> None:
    """Nobody will ask for its copy again."""
    if target.sealed:
        (hosting.public(fleet) / target.sealed).unlink(missing_ok=True)
        target.sealed = ""


def sweep(session: Session, fleet: Fleet) -> None:
    """Remove the copies that no target has: a worker was killed before it could record, or forget, them."""
    kept = set(session.scalars(select(Target.sealed).where(Target.sealed != "")))
    for path in hosting.public(fleet).glob("*" + _COPY):
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            if path.name not in kept and time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
