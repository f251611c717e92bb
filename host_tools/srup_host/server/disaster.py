"""When the server is gone: a copy of all that it was, and how it goes on from an older one.

What was sent after the copy was made is not in it, and devices remember it. So a server that is restored

1. mints no token before now: whatever was minted and lost is older, and no device takes a token that is not newer;
2. sends nothing again that had no answer: it may have been answered, or have been overtaken by what is lost;
3. asks, by a signed ID_REQUEST, every device that had something open what became of it;
4. begins nothing by itself: a roll-out that was going on may have been aborted since. It is paused until a person has looked;
   what is under way is seen through meanwhile;
5. lets nobody in by what may have been taken away since: sessions, invitations and vouchers end. It can't know which API tokens
   were revoked and which accounts closed: a person has to look.
"""

import contextlib
import io
import itertools
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from srup import tokens, wire
from srup_host import console
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.joins import Joins
from srup_host.server import accounts, audit, database, registry, rollouts
from srup_host.server.c2 import C2
from srup_host.server.models import Member, Rollout, Target
from srup_host.server.rollout_states import PAUSE, RUNNING, UNDER_WAY
from srup_host.tables import Minted, Sent, Transaction

DATABASE = "c2.sqlite"
_LEFT_OUT = (f"{DATABASE}-wal", f"{DATABASE}-shm", DATABASE)
_PARTIAL = re.compile(r"\..+\.[a-z0-9_]{8}")  # what files.replace, or a backup, has not finished


def backup(fleet: Fleet, target: Path) -> int:
    """Write the fleet's directory, keys and all, to a new .tar.gz, also while it is served; its size in bytes. Raises Failure."""
    if database.elsewhere():
        raise Failure("the database is PostgreSQL's", "pg_dump copies it, and tar the fleet's directory")
    with _made_whole(target) as file:
        _pack(fleet.directory, file)
    return target.stat().st_size


@contextlib.contextmanager
def _made_whole(target: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone, under another name until it is complete and on the disk; on failure there is none. Raises Failure."""
    partial = None
    try:
        _check_free(target)
        descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        _check_free(target)
        os.rename(partial, target)
        _sync(target.parent)
    except OSError as error:
        raise Failure(f"{target} can't be made: {error.strerror or error}", str(error.filename or "")) from None
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)


def _check_free(target: Path) -> None:
    if os.path.lexists(target):
        raise Failure(f"{target} can't be made: it is there already")


def _sync(folder: Path) -> None:
    """The names in it are on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pack(directory: Path, file: BinaryIO) -> None:
    """The database first: a device whose file is newer than that is enrolled when the server starts; one without a file would be gone.

    devices/ twice: the file of one that comes back meanwhile goes there from left/, which comes later.
    """
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=file, mode="w:gz") as packed:
        _add(packed, _snapshot(directory / DATABASE, Path(folder) / DATABASE), DATABASE)
        done: set[str] = set(_LEFT_OUT)
        for path in itertools.chain(_tree(directory), _tree(directory / "devices")):
            name = str(path.relative_to(directory))
            if name not in done:
                done.add(name)
                _add(packed, path, name)


def _tree(folder: Path) -> Iterator[Path]:
    """All that is in it and is finished, each directory before what is in that; nothing where it has gone."""
    try:
        inside = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for path in inside:
        if _PARTIAL.fullmatch(path.name):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _tree(path)


def _add(packed: tarfile.TarFile, path: Path, name: str) -> None:
    """A file as it is at one moment, or a link, or a directory without what is in it; nothing if it has gone meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_symlink() or not path.is_file():
            packed.add(path, name, recursive=False)
            return
        with path.open("rb") as file:
            described, data = packed.gettarinfo(arcname=name, fileobj=file), file.read()
        described.size = len(data)  # as it was read: it may grow or shrink
        packed.addfile(described, io.BytesIO(data))


def _snapshot(live: Path, copy: Path) -> Path:
    """The database as it is at one moment. Raises Failure."""
    before, after = sqlite3.connect(live), sqlite3.connect(copy)
    try:
        before.backup(after)
    except sqlite3.Error as error:
        raise Failure(f"the database can't be copied: {error}") from None
    finally:
        before.close()
        after.close()
    copy.chmod(0o600)
    return copy


@contextlib.contextmanager
def unpacked(packed: bytes, directory: Path) -> Iterator[tuple[Path, int]]:
    """(where a backup is unpacked, when it was made, ms since 1970). With the end of the context it becomes `directory`, which is not
    there yet: nobody can serve what the rules have not been applied to. On failure nothing is left. Raises Failure."""
    if database.elsewhere():
        raise Failure("SRUP_DATABASE is set, and what it names would be changed", "unset it; or see srup restored")
    if os.path.lexists(directory):
        raise Failure(f"{directory} is there already", "restore into a new directory, and look at it first")
    try:
        partial = Path(tempfile.mkdtemp(dir=directory.absolute().parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise Failure(f"{directory} can't be made: {error.strerror}") from None
    try:
        yield partial, _unpack(packed, partial)
        partial.rename(directory)
    except BaseException:
        shutil.rmtree(partial)
        raise


def _unpack(packed: bytes, directory: Path) -> int:
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            if DATABASE not in archive.getnames() or "srup.toml" not in archive.getnames():
                raise Failure("this is no backup of a fleet", "srup backup makes one")
            _check_inside(archive)
            archive.extractall(directory, filter="data")
            for folder in (member for member in archive.getmembers() if member.isdir()):
                (directory / folder.name).chmod(folder.mode & 0o777)  # the filter leaves that out
            return int(archive.getmember(DATABASE).mtime * 1000)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Failure(f"the backup can't be unpacked: {error}") from None


def _check_inside(archive: tarfile.TarFile) -> None:
    """Before anything is written. The filter of extractall takes the first slash away, and what comes after it does not."""
    for name in archive.getnames():
        if name.startswith("/") or ".." in name.split("/"):
            raise Failure(f"the backup can't be unpacked: {console.shortened(name)} in it is outside of it")


def go_on(c2: C2, made: int | None = None) -> int:
    """The five rules; how many devices are asked. made: when the copy was, ms since 1970, if that is known."""
    with audit.acting("restore"), c2.sending() as send, c2.write() as session:
        for minted in session.scalars(select(Minted)):
            minted.token = max(minted.token, tokens.first_at(c2.now()))
        members = list(session.scalars(select(Member).where(Member.uuid.in_(_open(session)), Member.left.is_(None))))
        session.execute(update(Sent).where(Sent.unanswered).values(unanswered=False))
        silent = update(Transaction).where(Transaction.kind == wire.INITIATE, Transaction.seen == b"")
        session.execute(silent.values(lost=True))
        told = {"asked": len(members), **accounts.end_all(session)}
        Joins(c2.fleet, c2.ledger, c2.now).void_vouchers()
        audit.append(session, c2.now(), "restored from a backup", details=told)
        _pause(session, c2.now(), made)
        for member in members:
            send(c2.ledger.id_request, registry.as_device(member))
    return len(members)


def _pause(session: Session, at: int, made: int | None) -> None:
    """Every roll-out that was going on when the copy was made."""
    of = "" if made is None else time.strftime(" of %Y-%m-%d %H:%M UTC", time.gmtime(made / 1000))
    for rollout in session.scalars(select(Rollout).where(Rollout.state == RUNNING).order_by(Rollout.id)):
        rollouts.move(session, rollout, PAUSE, at, f"restored from a copy{of}: look at it, then resume")


def _open(session: Session) -> set[str]:
    waiting = select(Sent.device).where(Sent.unanswered)
    under_way = select(Target.device).where(Target.state.in_(UNDER_WAY))
    return {*session.scalars(waiting), *session.scalars(under_way)}
