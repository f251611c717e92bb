"""The same server on PostgreSQL: its schema, its rules, and several workers of which any part may die in the middle of a roll-out."""

import asyncio
import os
import subprocess
import sys
import time

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.orm import Session

from srup import status, wire
from srup_host import init, signing
from srup_host.ledger import Ledger
from srup_host.server import audit, audit_verify, database
from srup_host.server.client import Client
from srup_host.server.roles import Role
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd as Simulated
from srup_host.simulate.ways import Ways
from srup_host.tables import Base, Transaction
from tests.flow.brokers import mosquitto
from tests.host.backdrop import create_fleet
from tests.host.shell import failed, srup
from tests.web.crowd import Crowd
from tests.web.postgres import postgres
from tests.web.site import Site
from tests.web.test_bundles import pack

DEVICES = 12
WORKERS = {"one": "127.0.0.1", "two": "127.0.0.2"}  # each on an address of its own: they have one port


@pytest.fixture
def server(monkeypatch):
    with postgres() as server:
        monkeypatch.setenv("SRUP_DATABASE", server.url)
        yield server


def test_the_migrations_make_what_the_models_say(server):
    with database.connect(server.url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_what_the_database_can_not_hold_is_refused_and_no_traceback(server, tmp_path):
    """U+0000, in what is asked for, in what is to be kept, and from a stranger."""
    site = Site(init.create(tmp_path / "fleet", "home"))
    Crowd(site).devices(good=1)
    operator = site.program(Role.OPERATOR)
    for path in ("devices?search=a%00", "devices?group=%00", "devices/%00", "bundles/%00", "audit?subject=%00"):
        refused = operator.get(f"/api/v1/{path}")
        assert (refused.status_code, refused.json()["error"][:30]) == (400, "the database can't hold this: ")
    assert operator.put("/api/v1/devices/d000/quarantine", json={"why": "a\0"}).status_code == 400
    assert site.client().post("/log-in", data={"name": "a\0", "password": "b"}).status_code == 400
    assert operator.put("/api/v1/devices/d000/quarantine", json={"why": "smoke"}).status_code == 200
    site.close()


def test_a_role_that_may_make_no_table_is_told_so_and_not_its_password(server, tmp_path, monkeypatch):
    with psycopg.connect(host=str(server.folder), user="srup", dbname="srup", autocommit=True) as connection:
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'hunter2'")
    fleet = init.create(tmp_path / "fleet", "home")
    monkeypatch.setenv("SRUP_DATABASE", f"postgresql+psycopg://app:hunter2@/srup?host={server.folder}")
    said = failed("account", "tokens", "--fleet", fleet.directory)
    assert "permission denied for schema public" in said and "hunter2" not in said and "srup restore" not in said


def test_a_roll_out_that_aborts_itself_its_pages_and_its_audit_log(server, tmp_path):
    site = Site(init.create(tmp_path / "fleet", "home"))
    crowd = Crowd(site)
    crowd.devices(good=10, bad=10)
    body = {"bundle": crowd.release(), "policy": {"waves": ["6", "100%"]}}
    site.program(Role.OPERATOR).post("/api/v1/rollouts", json=body)
    crowd.play()
    viewer, person = site.program(Role.VIEWER), site.person(Role.ADMIN)
    assert viewer.get("/api/v1/rollouts/1").json()["state"] == "aborted"
    assert viewer.get("/api/v1/devices?search=d00").json()["total"] == 10
    for page in ("/", "/rollouts", "/rollouts/1", "/orders", "/audit", "/accounts"):
        assert person.get(page).status_code == 200
    numbers = [line["number"] for line in viewer.get("/api/v1/audit?size=500").json()]
    assert numbers == sorted(numbers, reverse=True) and numbers[-1] == 1
    site.close()


def test_after_pg_restore_the_rules_of_a_restored_server_are_to_be_had(server, tmp_path):
    site = Site(init.create(tmp_path / "fleet", "home"))
    site.clock.now = time.time_ns() // 1_000_000  # the command goes by this machine's
    crowd = Crowd(site)
    crowd.devices(good=2)
    operator, person = site.program(Role.OPERATOR), site.person(Role.VIEWER)
    operator.post("/api/v1/rollouts", json={"bundle": crowd.release(), "policy": {"waves": ["100%"]}})
    crowd.runner.round()
    copy = server.dump()
    operator.post("/api/v1/rollouts/1/abort", json={})
    site.close()
    server.restore(copy)
    fleet = ("--fleet", site.fleet.directory)
    assert "another database" in failed("restored", "prod", *fleet)
    assert "2 devices are asked" in srup("restored", "srup", *fleet).text
    again = Site(site.fleet)
    shown = again.program(Role.VIEWER).get("/api/v1/rollouts/1").json()
    assert (shown["state"], shown["why"]) == ("paused", "restored from a copy: look at it, then resume")
    assert {sent.name for sent in again.c2.ledger.unanswered()} == {"ID_REQUEST"}
    cookies = again.client()
    cookies.cookies = person.cookies
    assert cookies.get("/api/v1/me").status_code == 401
    again.close()


async def serve(fleet, name):
    command = [
        sys.executable,
        "-m",
        "srup_host.cli",
        "serve",
        "--no-broker",
        "--worker",
        name,
        "--listen",
        WORKERS[name],
    ]
    with (fleet.directory.parent / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, "--fleet", str(fleet.directory), stdout=subprocess.PIPE, stderr=log
        )
    while not (line := await process.stdout.readline()).startswith(b"https"):
        assert line, "the worker has ended"
    asyncio.get_running_loop().create_task(process.stdout.read())
    return process


async def killed(process):
    process.kill()
    await process.wait()


def test_worker_broker_and_database_each_killed_in_the_middle(server, tmp_path):
    """No update and no answer is lost, and nothing is sent as two transactions."""

    async def story():
        fleet, mqtt, https = create_fleet(tmp_path / "fleet")
        for one in (*mqtt, *https):
            one.close()
        (tmp_path / "app.srup").write_bytes(pack(fleet.private_key("release")))
        played = cards.take(fleet, DEVICES)
        folders = iter(tmp_path / f"broker-{number}" for number in range(9))

        def broker():
            folder = next(folders)
            folder.mkdir()
            return mosquitto(fleet, folder)

        running = broker()
        running.__enter__()
        workers = {name: await serve(fleet, name) for name in WORKERS}
        client = Client(fleet.directory)
        try:
            async with Simulated(fleet, played, Ways(latency_s=0.3)) as crowd:
                digest = (await asyncio.to_thread(client.upload, tmp_path / "app.srup"))["digest"]
                body = {"bundle": digest, "policy": {"waves": ["4", "8", "100%"], "backoff_s": 1, "timeout_s": 240}}
                await asyncio.to_thread(client.post, "/rollouts", body)
                done = 0

                async def until(number):
                    async with asyncio.timeout(250):
                        while confirmed() < number:
                            await asyncio.sleep(0.1)

                def confirmed():
                    return crowd.versions()["2.0"]

                await until(done + 1)
                await killed(workers["one"])
                workers["one"] = await serve(fleet, "one")
                await until(4)
                server.kill()
                await asyncio.sleep(1)
                await asyncio.to_thread(server.start)
                await until(6)
                running.__exit__(None, None, None)  # its memory is gone with it: this broker keeps nothing on disk
                running = broker()
                await asyncio.to_thread(running.__enter__)
                await until(DEVICES)
                async with asyncio.timeout(200):
                    while (await asyncio.to_thread(client.get, "/rollouts/1"))["state"] != "done":
                        await asyncio.sleep(0.2)
        finally:
            for process in workers.values():
                await killed(process)
            running.__exit__(None, None, None)
        ledger = Ledger(fleet)
        assert ledger.alarms() == []
        with Session(ledger.engine) as session:
            updates = list(session.scalars(select(Transaction).where(Transaction.kind == wire.INITIATE)))
            signer = audit.key(fleet)
            lines = list(audit.export(session, audit.sign_head(session, signer, 0)))
        ledger.close()
        whole = audit_verify.verify(lines, signing.public_bytes(signer), {"command": [fleet.public_key("command")]})
        assert set(whole.keys) == {card.uuid for card in played}  # one chain, whoever wrote a line
        assert sorted(one.device for one in updates if one.confirmed) == sorted(card.uuid for card in played)
        # Another one only where the device could not do the first: what it was to download could not be had, or it was overtaken.
        assert {one.status for one in updates if not one.confirmed} <= {status.UPDATE_FAIL_SERVER, status.TOKEN_STALE}

    assert os.environ["SRUP_DATABASE"]
    asyncio.run(story())
