"""The server's database, c2.sqlite in the fleet's directory: one writer at a time, its schema kept up to date by Alembic.

A transaction takes SQLite's write lock when it begins, so that what was read is still true when it is written. Whoever only
reads uses `reading`, which waits for nobody.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect

from srup_host.fleet import Fleet

HEAD = "0002"  # the newest of migrations/versions
_BEFORE_MIGRATIONS = "0001"  # what a database without a version number has
_WAIT_MS = 10_000  # for another process's transaction


def url(fleet: Fleet) -> str:
    return f"sqlite:///{fleet.directory / 'c2.sqlite'}"


def connect(where: str) -> Engine:
    """The database at this URL, at the newest version of its schema."""
    engine = create_engine(where)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA busy_timeout={_WAIT_MS}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    with engine.begin() as connection:
        if _version(connection) != HEAD:
            _upgrade(connection)
    return engine


def reading(engine: Engine) -> Engine:
    """The same database for those who change nothing: a consistent view, and no lock."""
    return engine.execution_options(reading=True)


def _version(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return _BEFORE_MIGRATIONS if "transactions" in tables else None


def _upgrade(connection: Connection) -> None:
    """All in the caller's transaction: another process sees the old schema or the new one."""
    from alembic import command  # they take a while to import, and are rarely needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if not inspect(connection).has_table("alembic_version") and _version(connection):
        command.stamp(config, _BEFORE_MIGRATIONS)
    command.upgrade(config, "head")
