"""`srup serve` killed in the middle of a roll-out, broker and all: what was sent and what was said is found again."""

import asyncio
import signal
import subprocess
import sys

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from srup import status, wire
from srup_host.ledger import Ledger
from srup_host.server.client import Client
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import Ways
from srup_host.tables import Transaction
from tests.host.backdrop import create_fleet
from tests.web.test_bundles import pack

DEVICES = 8


async def serve(fleet):
    command = [sys.executable, "-m", "srup_host.cli", "serve", "--fleet", str(fleet.directory)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while not (await process.stdout.readline()).startswith(b"https"):
        pass
    asyncio.get_running_loop().create_task(process.stdout.read())  # so that it can go on talking
    return process


async def states(client):
    shown = await asyncio.to_thread(client.get, "/rollouts/1")
    return shown["state"], shown["states"]


def unanswered(fleet):
    ledger = Ledger(fleet)
    try:
        return ledger.unanswered()
    finally:
        ledger.close()


@pytest.mark.parametrize("moment", ["staging", "activating", "on trial"])
def test_killed_while_devices_are(tmp_path, moment):
    async def story():
        fleet, mqtt, https = create_fleet(tmp_path / "fleet")
        for one in (*mqtt, *https):
            one.close()
        (tmp_path / "app.srup").write_bytes(pack(fleet.private_key("release")))
        played = cards.take(fleet, DEVICES)
        process = await serve(fleet)
        try:
            async with Crowd(fleet, played, Ways(latency_s=0.3)) as crowd:
                client = Client(fleet.directory)
                digest = (await asyncio.to_thread(client.upload, tmp_path / "app.srup"))["digest"]
                body = {"bundle": digest, "policy": {"waves": ["100%"], "backoff_s": 1}}
                await asyncio.to_thread(client.post, "/rollouts", body)
                while moment not in (await states(client))[1]:
                    await asyncio.sleep(0.02)
                process.send_signal(signal.SIGKILL)
                await process.wait()
                process = await serve(fleet)
                async with asyncio.timeout(200):
                    while await states(client) != ("done", {"confirmed": DEVICES}):
                        await asyncio.sleep(0.2)
                    while unanswered(fleet):  # a question that was on its way when the roll-out was done
                        await asyncio.sleep(0.2)
                assert crowd.versions() == {"2.0": DEVICES}
        finally:
            process.kill()
            await process.wait()
        ledger = Ledger(fleet)
        assert ledger.alarms() == [] and ledger.unanswered() == []
        with Session(ledger.engine) as session:
            updates = list(session.scalars(select(Transaction).where(Transaction.kind == wire.INITIATE)))
        assert sorted(one.device for one in updates if one.confirmed) == sorted(card.uuid for card in played)
        # None was sent as two transactions: another one came only where the device could not download while we were away.
        assert {one.status for one in updates if not one.confirmed} <= {status.UPDATE_FAIL_SERVER}
        ledger.close()

    asyncio.run(story())
