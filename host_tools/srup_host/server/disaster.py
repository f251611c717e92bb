"""When the server is gone: a copy of all that it was, and how it goes on from an older one.

What was sent after the copy was made is not in it, and devices remember it. So a server that is restored

1. mints no token before now: whatever was minted and lost is older, and no device takes a token that is not newer;
2. sends nothing again that had no answer: it may have been answered, or have been overtaken by what is lost;
3. asks, by a signed ID_REQUEST, every device that had something open what became of it. Roll-outs go on from that.
"""

import io
import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from srup import tokens
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.server import audit, registry
from srup_host.server.c2 import C2
from srup_host.server.models import Member, Target
from srup_host.server.rollout_states import UNDER_WAY
from srup_host.tables import Minted, Sent

DATABASE = "c2.sqlite"
_LEFT_OUT = (f"{DATABASE}-wal", f"{DATABASE}-shm", DATABASE)


def backup(fleet: Fleet, target: Path) -> int:
    """Write the fleet's directory, keys and all, to a new .tar.gz, also while it is served; its size in bytes. Raises Failure."""
    if "SRUP_DATABASE" in os.environ:
        raise Failure("the database is PostgreSQL's", "pg_dump copies it, and tar the fleet's directory")
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(f"{target} can't be made: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as packed:
        for path in sorted(fleet.directory.iterdir()):
            if path.name not in _LEFT_OUT:
                packed.add(path, path.name)
        with tempfile.TemporaryDirectory() as folder:
            packed.add(_snapshot(fleet.directory / DATABASE, Path(folder) / DATABASE), DATABASE)
    return target.stat().st_size


def _snapshot(database: Path, copy: Path) -> Path:
    """The database as it is at one moment."""
    before, after = sqlite3.connect(database), sqlite3.connect(copy)
    try:
        before.backup(after)
    finally:
        before.close()
        after.close()
    copy.chmod(0o600)
    return copy


def unpack(packed: bytes, directory: Path) -> None:
    """A backup into a directory that is not there yet. Raises Failure."""
    if directory.exists():
        raise Failure(f"{directory} is there already", "restore into a new directory, and look at it first")
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            if DATABASE not in archive.getnames() or "srup.toml" not in archive.getnames():
                raise Failure("this is no backup of a fleet", "srup backup makes one")
            archive.extractall(directory, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Failure(f"the backup can't be unpacked: {error}") from None


def go_on(c2: C2) -> int:
    """The three rules; how many devices are asked."""
    with audit.acting("restore"), c2.sending() as send, c2.write() as session:
        for minted in session.scalars(select(Minted)):
            minted.token = max(minted.token, tokens.first_at(c2.now()))
        members = list(session.scalars(select(Member).where(Member.uuid.in_(_open(session)), Member.left.is_(None))))
        session.execute(update(Sent).where(Sent.unanswered).values(unanswered=False))
        audit.append(session, c2.now(), "restored from a backup", details={"asked": len(members)})
        for member in members:
            send(c2.ledger.id_request, registry.as_device(member))
    return len(members)


def _open(session: Session) -> set[str]:
    waiting = select(Sent.device).where(Sent.unanswered)
    under_way = select(Target.device).where(Target.state.in_(UNDER_WAY))
    return {*session.scalars(waiting), *session.scalars(under_way)}
