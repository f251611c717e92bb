"""The server as `srup serve` runs it, in this process: broker, HTTPS, runner, all real; and simulated devices on it."""

import asyncio
from contextlib import asynccontextmanager

from srup_host import bundle
from srup_host.serve import listen, servers
from srup_host.server import bundles, registry, rollouts
from srup_host.server.c2 import C2
from srup_host.server.rollout_plan import Policy
from srup_host.server.runner import Runner
from srup_host.tasks import end
from tests.host.backdrop import create_fleet


class Served:
    def __init__(self, c2, runner, requests):
        self.c2 = c2
        self.fleet = c2.fleet
        self.runner = runner
        self.requests = requests  # over HTTPS
        self.seen = []  # (device, online?), as the broker says
        note = c2.note_state
        c2.note_state = lambda uuid, online: (self.seen.append((uuid, online)), note(uuid, online))

    def release(self, version, folder):
        """A bundle, offered."""
        key = self.fleet.private_key("release")
        path = folder / f"{version}.srup"
        path.write_bytes(bundle.pack({"app.py": b"pass\n" * 200}, key, name="simulated", version=version, counter=1))
        opened = bundles.check(self.fleet, path)
        with self.c2.write() as session:
            return bundles.add(session, self.fleet, path, opened, self.c2.now())

    def roll_out(self, release, **policy):
        """To all devices; its number."""
        with self.c2.write() as session:
            registry.sync(session, self.fleet, self.c2.now())
            made = rollouts.create(session, release, "", [], {}, Policy(**policy), self.c2.now())
            return made.id

    def show(self, number):
        with self.c2.read() as session:
            return rollouts.facts(session, rollouts.one(session, number))

    async def until(self, number, *states, seconds=250):
        """The roll-out as it is shown, once it is in one of these states and no device of it is under way."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            shown = self.show(number)
            if shown["state"] in states and not set(shown["states"]) - {"confirmed", "failed", "left out"}:
                return shown
            unanswered = [f"{sent.name} {sent.device}" for sent in self.c2.ledger.unanswered()]
            assert asyncio.get_running_loop().time() < deadline, (shown, unanswered)
            await asyncio.sleep(0.1)

    async def all_is_answered(self, seconds=30):
        """Also what was on its way when a roll-out was done."""
        async with asyncio.timeout(seconds):
            while self.c2.ledger.unanswered():
                await asyncio.sleep(0.1)


@asynccontextmanager
async def serving(folder, trial_s=120):
    fleet, mqtt, https = create_fleet(folder / "fleet")
    fleet.trial_s = trial_s
    c2, requests = C2(fleet), []
    async with servers(fleet, mqtt, https, seen=requests.append, c2=c2):
        runner = Runner(c2)
        c2.hear = runner.hear
        served = Served(c2, runner, requests)
        tasks = [
            asyncio.create_task(listen(fleet, c2.ledger, runner.hear, "localhost", c2)),
            asyncio.create_task(runner.run()),
        ]
        try:
            yield served
        finally:
            await end(*tasks)
    c2.close()
