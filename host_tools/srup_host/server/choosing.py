"""Which bundle a device of a roll-out is sent. The one place that decides it."""

from sqlalchemy.orm import Session

from srup_host.server.models import Member, Release


def bundle_for(session: Session, release: Release, member: Member) -> Release:
    """The whole release, for every device: deltas against what `member` runs are to be chosen here."""
    return release
