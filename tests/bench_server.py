"""`make bench-server`: a roll-out over simulated devices, broker, server and devices on this machine -> build/bench/server.json.

What to hold it against: the updates a second that P-256 alone would allow here, and the messages a second that the broker alone
takes and hands on. Besides: memory for each 1,000 devices connected, and how long pages take in a fleet of 100,000.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiomqtt
import psutil
from rich.console import Console
from rich.table import Table

from srup_host import bundle, credentials, keyfiles, net, signing
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.server.client import Client
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import Ways
from tests.bench_pages import page_times
from tests.host.backdrop import create_fleet
from tests.unit.on_micropython import ROOT

TRIAL_S = 30  # of the simulated boards: within it our confirm must reach each
SIGNED, VERIFIED = 4, 5  # by the server for one update: INITIATE, ACTIVATE, confirm, ID_REQUEST; five answers
MESSAGES = 2000


def update_limit() -> float:
    """Updates a second that the server's P-256 alone allows on one core."""
    key = keyfiles.generate()
    public, data = signing.public_bytes(key), bytes(100)
    signature = signing.sign(key, data)
    began, times = time.perf_counter(), 300
    for _ in range(times):
        signing.sign(key, data)
    signs = (time.perf_counter() - began) / times
    began = time.perf_counter()
    for _ in range(times):
        signing.verify(public, data, signature)
    verifies = (time.perf_counter() - began) / times
    return 1 / (SIGNED * (signs + verifies) + VERIFIED * verifies)  # each frame signed is verified before it goes


async def message_rate(fleet: Fleet, card: cards.Card) -> float:
    """Messages a second from one client of the broker to another, QoS 1, ten under way."""

    def client(user: str, name: str, password: str) -> aiomqtt.Client:
        where = fleet.broker.host, fleet.broker.port
        return aiomqtt.Client(
            *where, username=user, password=password, identifier=name, tls_context=net.client_context(fleet)
        )

    login = credentials.server(fleet)
    topic = f"app/{card.uuid}/bench"
    async with (
        client(login.user, f"{login.user}.bench", login.password) as reader,
        client(card.uuid, card.uuid, card.password) as writer,
    ):
        await reader.subscribe("app/+/bench", qos=1)
        under_way = asyncio.Semaphore(10)

        async def publish() -> None:
            async with under_way:
                await writer.publish(topic, bytes(150), qos=1)

        began = time.perf_counter()
        writing = asyncio.gather(*(publish() for _ in range(MESSAGES)))
        for _ in range(MESSAGES):
            await anext(reader.messages)
        await writing
        return MESSAGES / (time.perf_counter() - began)


async def roll_out(client: Client, packed: Path, policy: dict[str, object]) -> tuple[dict[str, Any], float]:
    """(the roll-out at its end, seconds)."""
    digest = await asyncio.to_thread(client.upload, packed)
    began = time.perf_counter()
    made = await asyncio.to_thread(client.post, "/rollouts", {"bundle": digest["digest"], "policy": policy})
    while True:
        shown = await asyncio.to_thread(client.get, f"/rollouts/{made['id']}")
        if shown["state"] in ("done", "aborted") and not set(shown["states"]) - {"confirmed", "failed", "left out"}:
            return shown, time.perf_counter() - began
        await asyncio.sleep(0.5)


async def failures(client: Client, number: int) -> dict[str, int]:
    """Why devices failed, and how many."""
    found = await asyncio.to_thread(client.get, f"/rollouts/{number}/devices", state="failed", size=500)
    return dict(Counter(one["why"] for one in found["devices"]))


async def measure(folder: Path, number: int) -> dict[str, object]:
    fleet, mqtt, https = create_fleet(folder / "fleet")
    fleet.trial_s = TRIAL_S
    for one in (*mqtt, *https):
        one.close()
    played = cards.take(fleet, number)
    command = [sys.executable, "-m", "srup_host.cli", "serve", "--fleet", str(fleet.directory)]
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    process = psutil.Process(server.pid)
    client = Client(fleet.directory)
    try:
        await until_ready(client)
        figures: dict[str, object] = {"devices": number, "P-256 alone: updates a second": round(update_limit(), 1)}
        figures["broker alone: messages a second"] = round(await message_rate(fleet, played[0]))
        empty = process.memory_info().rss
        for version, bad in (("2.0", 0.03), ("3.0", 0.3)):
            path = folder / f"{version}.srup"
            content = {"app.py": os.urandom(4000).hex().encode()}
            key = fleet.private_key("release")
            path.write_bytes(bundle.pack(content, key, name="simulated", version=version, counter=1))
            async with Crowd(fleet, played, Ways(bad=bad, latency_s=0.05)) as crowd:
                while crowd.connected < number:
                    await asyncio.sleep(0.2)
                if version == "2.0":
                    held = process.memory_info().rss - empty
                    figures["memory per 1,000 devices connected, MB"] = round(held / number * 1e-3, 1)
                busy = process.cpu_times().user
                shown, seconds = await roll_out(client, path, {"waves": ["10%", "100%"], "abort": 0.12})
                busy = process.cpu_times().user - busy
            name = f"{bad:.0%} bad"
            figures[f"{name}: state"] = shown["state"]
            figures[f"{name}: devices"] = shown["states"]
            figures[f"{name}: why they failed"] = await failures(client, shown["id"])
            figures[f"{name}: seconds"] = round(seconds, 1)
            figures[f"{name}: server's CPU seconds"] = round(busy, 1)
            if shown["state"] == "done":
                figures["updates a second"] = round(shown["states"]["confirmed"] / seconds, 1)
        figures["memory at the end, MB"] = round(process.memory_info().rss * 1e-6)
        return figures
    finally:
        server.send_signal(signal.SIGINT)
        await server.wait()


async def until_ready(client: Client) -> None:
    while True:
        try:
            await asyncio.to_thread(client.get, "/me")
            return
        except Failure:
            await asyncio.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-server", description="A roll-out over simulated devices.")
    parser.add_argument("number", type=int, nargs="?", default=1000)
    parser.add_argument("--pages", type=int, default=100_000, help="devices of the fleet whose pages are timed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="srup-bench-") as folder:
        figures = asyncio.run(measure(Path(folder), asked.number))
        if asked.pages:
            figures |= page_times(Path(folder) / "pages", asked.pages)
    target = ROOT / "build" / "bench" / "server.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    table = Table("on this machine", "figure", title="make bench-server")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
