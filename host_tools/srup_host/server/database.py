"""The server's database, its schema kept up to date by Alembic: c2.sqlite in the fleet's directory, or the PostgreSQL of SRUP_DATABASE.

One writer at a time: a transaction takes SQLite's write lock when it begins, or in PostgreSQL an advisory lock of ours, so that what was
read is still true when it is written, and the audit log is one chain. Whoever only reads uses `reading`, which waits for nobody.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
)
from sqlalchemy.orm import Session

from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.server.errors import Unavailable

HEAD = "0009"  # the newest of migrations/versions
_BEFORE_MIGRATIONS = "0001"  # what a database without a version number has
_LOCK = 0x53525550  # "SRUP": nobody else's number in this database
_WAIT_MS = 10_000  # for another process's transaction
# It can't be used; the last one where that was within a savepoint.
GONE = (OperationalError, InterfaceError, PendingRollbackError)


def url(fleet: Fleet) -> str:
    """SRUP_DATABASE, as in postgresql+psycopg://user:password@host/name, or the fleet's own file."""
    return os.environ.get("SRUP_DATABASE") or f"sqlite:///{fleet.directory / 'c2.sqlite'}"


def elsewhere() -> bool:
    """Does SRUP_DATABASE name one, which is in no fleet's directory?"""
    return bool(os.environ.get("SRUP_DATABASE"))


def name() -> str:
    """Of the database that SRUP_DATABASE names, without its host; empty where it names none."""
    where = os.environ.get("SRUP_DATABASE")
    return (_engine(where).url.database or "") if where else ""


def connect(where: str) -> Engine:
    """The database at this URL, at the newest version of its schema. Raises Failure for what is none of ours."""
    engine = _engine(where)
    (_as_sqlite if engine.dialect.name == "sqlite" else _as_postgresql)(engine)
    _turns[engine] = Lock()
    try:
        with translated(), engine.begin() as connection:
            if _version(connection) != HEAD:
                _upgrade(connection)
    except DatabaseError as error:  # not one that is gone for now
        raise _not_ours(engine, str(error.orig).splitlines()[0]) from None
    return engine


def _engine(where: str) -> Engine:
    """Raises Failure, which repeats nothing of the URL: a password may be in it."""
    try:
        engine = create_engine(where, pool_pre_ping=not where.startswith("sqlite"))
    except ImportError as error:
        raise Failure(f"SRUP_DATABASE can't be used: {error}", "pip install 'srup-micropython[postgres]'") from None
    except (ArgumentError, ValueError):
        raise Failure("SRUP_DATABASE names no database", "as in postgresql+psycopg://USER:PASSWORD@HOST/NAME") from None
    if "@" in (engine.url.host or ""):  # the end of the password is taken for a part of the host's name
        raise Failure("SRUP_DATABASE has an @ too many", "in a password it is written %40")
    return engine


def _not_ours(engine: Engine, why: str) -> Failure:
    if engine.dialect.name == "sqlite":
        return Failure(f"{engine.url.database} is damaged: {why}", "srup restore, from a copy of the fleet")
    return Failure(f"the database that SRUP_DATABASE names can't be used: {why}")


def _as_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA busy_timeout={_WAIT_MS}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _as_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("reading"):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


@contextmanager
def translated() -> Iterator[None]:
    """A database that can't be reached, as Unavailable: who does without it for a while goes on when it is back.

    What it can't hold, as Failure: PostgreSQL takes no U+0000 in a text.
    """
    try:
        yield
    except DataError as error:
        raise Failure(f"the database can't hold this: {str(error.orig).splitlines()[0]}") from None
    except GONE as error:
        raise Unavailable(f"the database can't be used: {str(error).splitlines()[0]}") from None


@contextmanager
def looking(engine: Engine) -> Iterator[Session]:
    """A consistent view, for looking only."""
    with translated(), Session(engine, expire_on_commit=False) as session:
        yield session


def reading(engine: Engine) -> Engine:
    """The same database for those who change nothing: a consistent view, and no lock."""
    return engine.execution_options(reading=True)


_turns: WeakKeyDictionary[Engine, Lock] = (
    WeakKeyDictionary()
)  # threads take turns; SQLite would have them ask again and again
_writing: ContextVar[Session | None] = ContextVar("writing", default=None)


@contextmanager
def exclusive(engine: Engine) -> Iterator[Session]:
    """One writer at a time, in whichever process; all or nothing.

    Within another one of the same database it is a part of that: kept with it, and undone alone where it fails. So who has
    much to write has one commit for it. What is noted in the session's info holds for as long, and goes with what is undone.
    """
    around = _writing.get()
    if around is not None and around.bind is engine:
        noted = dict(around.info)
        try:
            with around.begin_nested():
                yield around
        except BaseException:
            around.info.clear()
            around.info.update(noted)
            raise
        return
    with translated(), _turns[engine], Session(engine, expire_on_commit=False) as session, session.begin():
        token = _writing.set(session)
        try:
            yield session
        finally:
            _writing.reset(token)


def _version(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return _BEFORE_MIGRATIONS if "transactions" in tables else None


def _upgrade(connection: Connection) -> None:
    """All in the caller's transaction: another process sees the old schema or the new one."""
    from alembic import command  # they take a while to import, and are rarely needed
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    version = _version(connection)
    if version and version not in {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}:
        raise Failure(f"this fleet was served by a newer srup (schema {version}, here {HEAD})", "update srup")
    if not inspect(connection).has_table("alembic_version") and version:
        command.stamp(config, _BEFORE_MIGRATIONS)
    command.upgrade(config, "head")
