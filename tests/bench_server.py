"""`make bench-server`: a roll-out over simulated devices, broker, server and devices on this machine -> build/bench/server.json.

Two figures to hold it against: what OpenSSL alone would allow here, with the server's signatures and verifications of an
update, and the share of the time that server and devices were at work at all.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from srup_host import bundle, keyfiles, signing
from srup_host.server.client import Client
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import Ways
from tests.host.backdrop import create_fleet
from tests.unit.on_micropython import ROOT

SIGNED, VERIFIED = 4, 5  # by the server for one update: INITIATE, ACTIVATE, confirm, ID_REQUEST; five answers


def update_limit() -> float:
    """Updates a second that the server's P-256 alone allows on one core."""
    key = keyfiles.generate()
    public, data = signing.public_bytes(key), bytes(100)
    began, times = time.perf_counter(), 300
    for _ in range(times):
        signature = signing.sign(key, data)
    signs = (time.perf_counter() - began) / times
    began = time.perf_counter()
    for _ in range(times):
        signing.verify(public, data, signature)
    verifies = (time.perf_counter() - began) / times
    return 1 / (
        2 * SIGNED * (signs + verifies) / 2 + VERIFIED * verifies
    )  # each frame signed is verified before it goes


async def roll_out(
    client: Client, crowd: Crowd, packed: Path, policy: dict[str, object]
) -> tuple[dict[str, object], float]:
    """(the roll-out at its end, seconds)."""
    digest = await asyncio.to_thread(client.upload, packed)
    began = time.perf_counter()
    body = {"bundle": digest["digest"], "policy": policy}
    made = await asyncio.to_thread(client.post, "/rollouts", body)
    while True:
        shown = await asyncio.to_thread(client.get, f"/rollouts/{made['id']}")
        if shown["state"] in ("done", "aborted") and not set(shown["states"]) - {"confirmed", "failed", "left out"}:
            return shown, time.perf_counter() - began
        await asyncio.sleep(0.5)


async def measure(folder: Path, number: int) -> dict[str, object]:
    fleet, mqtt, https = create_fleet(folder / "fleet")
    fleet.trial_s = 120
    for one in (*mqtt, *https):
        one.close()
    played = cards.take(fleet, number)
    command = [sys.executable, "-m", "srup_host.cli", "serve", "--fleet", str(fleet.directory)]
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    process = psutil.Process(server.pid)
    try:
        await asyncio.sleep(5)
        empty = process.memory_info().rss
        figures: dict[str, object] = {"devices": number}
        for version, bad in (("2.0", 0.03), ("3.0", 0.3)):
            path = folder / f"{version}.srup"
            content = {"app.py": os.urandom(4000).hex().encode()}
            key = fleet.private_key("release")
            path.write_bytes(bundle.pack(content, key, name="simulated", version=version, counter=1))
            async with Crowd(fleet, played, Ways(bad=bad, latency_s=0.05)) as crowd:
                while crowd.connected < number:
                    await asyncio.sleep(0.2)
                busy = process.cpu_times().user
                shown, seconds = await roll_out(
                    Client(fleet.directory), crowd, path, {"waves": ["20", "100%"], "abort": 0.1}
                )
                busy = process.cpu_times().user - busy
            name = f"{bad:.0%} bad"
            figures[f"{name}: state"] = shown["state"]
            figures[f"{name}: devices"] = shown["states"]
            figures[f"{name}: seconds"] = round(seconds, 1)
            figures[f"{name}: server's CPU seconds"] = round(busy, 1)
            if shown["state"] == "done":
                rate = shown["states"]["confirmed"] / seconds
                figures["updates a second"] = round(rate, 1)
                figures["share of what P-256 alone allows"] = round(rate / update_limit(), 4)
                figures["memory per 1,000 devices, MB"] = round((process.memory_info().rss - empty) / number * 1e-3, 1)
        return figures
    finally:
        server.send_signal(signal.SIGINT)
        await server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-server", description="A roll-out over simulated devices.")
    parser.add_argument("number", type=int, nargs="?", default=1000)
    with tempfile.TemporaryDirectory(prefix="srup-bench-") as folder:
        figures = asyncio.run(measure(Path(folder), parser.parse_args().number))
    target = ROOT / "build" / "bench" / "server.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    table = Table("on this machine", "figure", title="make bench-server")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
