"""How long the pages of a large fleet take: the server in this process, a database filled for it, each page asked five times."""

import random
import time
import uuid
from pathlib import Path
from statistics import median

from sqlalchemy import insert
from starlette.testclient import TestClient

from srup_host import init
from srup_host.server import rollout_states
from srup_host.server.models import Happening, Member, Release, Rollout, Target
from srup_host.server.rates import Rate
from srup_host.server.roles import Role
from srup_host.server.rollout_plan import Policy
from srup_host.tables import Heard
from tests.web.site import Site

TIMES = 5
DAY = 86_400_000


def _member(number: int, now: int, draw: random.Random) -> dict[str, object]:
    return {
        "uuid": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "name": f"device-{number:06}",
        "board": draw.choice(("RPI_PICO_W", "ESP32_GENERIC_S3")),
        "public_key": "04" + "00" * 64,
        "fingerprint": f"{draw.getrandbits(256):064x}",
        "provisioned": now - 90 * DAY,
        "online": draw.random() < 0.9,
        "seen": now - draw.randrange(3 * DAY),
        "app": "thermometer",
        "version": draw.choice(("1.0", "1.1", "2.0", "2.1")),
        "counter": 1,
        "failures": int(draw.random() < 0.01),
    }


def _heard(member: dict[str, object], now: int) -> dict[str, object]:
    return {"device": member["uuid"], "token": bytes(16), "inventory": "{}", "inventory_at": now, "starts": ""}


def _fill(site: Site, number: int) -> str:
    """The UUID of one of them."""
    draw, now = random.Random(1), site.clock.now
    members = [_member(one, now, draw) for one in range(number)]
    release = {"digest": "ab" * 32, "name": "thermometer", "version": "2.1", "url": "https://localhost/a", "size": 9}
    rollout = {"name": "thermometer 2.1", "bundle": "ab" * 32, "selector": {}, "policy": Policy().model_dump()}
    states = rollout_states.STATES[:8]
    with site.c2.write() as session:
        for start in range(0, number, 5000):
            batch = members[start : start + 5000]
            session.execute(insert(Member), batch)
            session.execute(insert(Heard), [_heard(one, now) for one in batch])
        session.execute(insert(Release).values(**release, manifest={}, added=now, added_by="bench"))
        session.execute(
            insert(Rollout).values(**rollout, state="paused", waves=4, wave=2, made=now, made_by="bench", changed=now)
        )
        targets = [
            {
                "rollout": 1,
                "device": one["uuid"],
                "wave": place * 4 // number,
                "state": draw.choice(states),
                "since": now,
            }
            for place, one in enumerate(members)
        ]
        for start in range(0, number, 5000):
            session.execute(insert(Target), targets[start : start + 5000])
        happened = {
            "rollout": 1,
            "at": now,
            "event": "begin",
            "before": "pending",
            "after": "staging",
            "actor": "bench",
        }
        session.execute(insert(Happening), [happened | {"device": one["uuid"]} for one in members[:1000]])
    return str(members[number // 2]["uuid"])


def page_times(folder: Path, number: int) -> dict[str, object]:
    """Page -> milliseconds, the median of five."""
    site = Site(init.create(folder, "large"))
    try:
        device = _fill(site, number)
        site.c2.requests = Rate(burst=10_000, seconds=0.001)
        client = site.person(Role.ADMIN)
        asked = {
            "the fleet": "/",
            "its last page": f"/?page={number // 100}",
            "by name": "/?search=device-0500",
            "by version": "/?version=2.1",
            "a device": f"/devices/{device}",
            "roll-outs": "/rollouts",
            "a roll-out of all": "/rollouts/1",
            "audit": "/audit",
        }
        return {f"page, {number:,} devices: {name}, ms": _time(client, path) for name, path in asked.items()}
    finally:
        site.close()


def _time(client: TestClient, path: str) -> int:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, (path, answer.text)
    return round(median(taken) * 1000)
