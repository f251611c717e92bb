"""The schema: the migrations make what the models say, and take a database from before there were any along."""

import contextlib
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, select

from srup_host import init
from srup_host.console import Failure
from srup_host.ledger import Ledger
from srup_host.server import database, models
from srup_host.tables import Base, Sent
from tests.host.fake_device import FakeDevice
from tests.host.shell import failed
from tests.host.test_disk_full import no_room

LEDGER = ("alarms", "evidence", "heard", "minted", "sent", "transactions")


def test_the_migrations_make_what_the_models_say(tmp_path):
    assert models
    engine = database.connect(f"sqlite:///{tmp_path / 'new.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_migration_is_the_one_that_is_asked_for():
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [database.HEAD]


def test_what_is_asked_for_every_frame_is_asked_of_an_index(tmp_path):
    """However much has been sent and heard."""
    engine = database.connect(f"sqlite:///{tmp_path / 'new.sqlite'}")
    asked = [
        "SELECT * FROM sent WHERE unanswered = 1 AND device = 'x' ORDER BY id",
        "SELECT * FROM sent WHERE device = 'x' ORDER BY id DESC LIMIT 50",
        "SELECT device FROM sent WHERE type = 6 AND at > 1",
        "SELECT * FROM transactions WHERE device = 'x' AND kind = 1 ORDER BY token DESC LIMIT 1",
        "SELECT id FROM evidence WHERE device = 'x' AND token = x'00'",
        "SELECT max(number) FROM audit",
        "SELECT max(token) FROM minted WHERE key_id = x'00'",
        "SELECT * FROM devices WHERE name >= 'kit' AND name < 'kiu'",
        "SELECT * FROM rollout_devices WHERE rollout = 1 ORDER BY wave, device LIMIT 50",
        "SELECT * FROM rollout_devices WHERE rollout = 1 AND state = 'pending' AND wave <= 3",
    ]
    with engine.connect() as connection:
        for query in asked:
            plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
            assert "SEARCH" in plan, (query, plan)
        in_order = str(select(Sent).where(Sent.unanswered).order_by(Sent.id).compile(engine))
        [plan] = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {in_order}").all()
        assert plan[3] == "SCAN sent USING INDEX sent_open"


def test_a_database_that_is_damaged_or_of_a_newer_srup_is_said_to_be(tmp_path):
    fleet = init.create(tmp_path / "fleet", "home")
    Ledger(fleet).close()
    path = fleet.directory / "c2.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(Failure, match=r"served by a newer srup \(schema 0099"):
        Ledger(fleet)
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(Failure, match=r"c2.sqlite is damaged: file is not a database"):
        Ledger(fleet)


@pytest.mark.parametrize(
    "where",
    [
        "hunter2",
        "nosuch://srup:hunter2@db/srup",
        "nosuch+psycopg://srup:hunter2@db/srup",
        "postgresql+nosuch://srup:hunter2@db/srup",
        "postgresql+psycopg://srup:hunter2@db:port/srup",
    ],
)
def test_what_names_no_database_is_said_to_name_none_and_is_not_repeated(where, tmp_path, monkeypatch):
    fleet = init.create(tmp_path / "fleet", "home")
    monkeypatch.setenv("SRUP_DATABASE", where)
    said = failed("account", "tokens", "--fleet", fleet.directory)
    assert "SRUP_DATABASE names no database" in said and "hunter" not in said


def test_a_password_that_would_be_taken_for_a_host_is_not_said():
    with pytest.raises(Failure, match="written %40") as refused:
        database.connect("postgresql+psycopg://srup:a@hunter2@db/srup")
    assert "hunter" not in str(refused.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Failure, match=r"SRUP_DATABASE can't be used: .*psycopg.*pip install") as refused:
        database.connect("postgresql+psycopg://srup:hunter2@db/srup")
    assert "hunter" not in str(refused.value)


def test_what_was_sent_before_there_were_migrations_is_still_known(tmp_path):
    fleet = init.create(tmp_path / "fleet", "home")
    kitchen = FakeDevice(fleet)
    old = create_engine(database.url(fleet))
    Base.metadata.create_all(old, tables=[Base.metadata.tables[name] for name in LEDGER])
    with old.begin() as connection:
        for index in ("sent_waiting", "sent_open", "sent_to", "sent_type", "minted_newest"):
            connection.exec_driver_sql(f"DROP INDEX {index}")
        connection.exec_driver_sql("ALTER TABLE heard DROP COLUMN starts")
        connection.exec_driver_sql("ALTER TABLE sent DROP COLUMN again")
        connection.exec_driver_sql("ALTER TABLE transactions DROP COLUMN lost")
    row = "INSERT INTO sent (device, token, type, frame, at, unanswered) VALUES (?, ?, 4, x'00', 1, 0)"
    with old.begin() as connection:
        connection.exec_driver_sql(row, (kitchen.uuid, bytes(16)))
    old.dispose()
    for _ in range(2):
        ledger = Ledger(fleet)
        assert ledger.last_command(kitchen.device).at == 1
        assert "rollouts" in inspect(ledger.engine).get_table_names()
        ledger.close()


def test_reading_waits_for_nobody_and_sees_one_moment(tmp_path):
    engine = database.connect(f"sqlite:///{tmp_path / 'one.sqlite'}")
    insert = "INSERT INTO alarms (device, why, at, count, frame) VALUES ('', '', 0, 1, x'')"
    with engine.begin() as writer, database.reading(engine).connect() as reader:
        writer.exec_driver_sql(insert)
        assert reader.exec_driver_sql("SELECT count(*) FROM alarms").scalar() == 0


def test_who_asks_while_the_database_is_gone_is_told_to_come_again(site, operator):
    site.device("kitchen")
    with no_room(site.fleet.directory):
        answers = [operator.patch("/api/v1/devices/kitchen", json={"tags": [f"tag-{at}"]}) for at in range(300)]
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["error"].startswith("the database can't be used")
    assert operator.patch("/api/v1/devices/kitchen", json={"tags": ["again"]}).json()["tags"] == ["again"]
