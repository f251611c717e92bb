"""Roll-outs over simulated devices on a real broker, with real downloads: good ones, bad ones, and devices that come and go."""

import asyncio
import itertools
import json
import signal
import subprocess
import sys

import pytest

from srup_host.server import rollout_plan
from srup_host.simulate import cards
from srup_host.simulate.crowd import Crowd
from srup_host.simulate.ways import BAD, BROKEN, CRASH, Ways
from tests.web.served import serving


def play(folder, number, how, story, trial_s=120):
    """how: Ways, or what makes them of the devices' UUIDs"""

    async def told():
        async with serving(folder, trial_s) as served:
            taken = cards.take(served.fleet, number)
            ways = how([card.uuid for card in taken]) if callable(how) else how
            async with Crowd(served.fleet, taken, ways) as crowd:
                await story(served, crowd)
        assert len(asyncio.all_tasks()) == 1  # nothing is left running

    asyncio.run(told())


def test_a_good_release_reaches_every_simulated_device(tmp_path):
    async def story(served, crowd):
        number = served.roll_out(served.release("2.0", tmp_path), waves=["3", "100%"])
        shown = await served.until(number, "done")
        assert shown["states"] == {"confirmed": 20}
        assert crowd.versions() == {"2.0": 20}
        assert sum(request.status == 200 for request in served.requests) == 20
        await served.all_is_answered()
        assert served.c2.ledger.alarms() == []

    play(tmp_path, 20, Ways(latency_s=0.01), story)


MANY = 1000


@pytest.mark.timeout(900)
def test_a_release_that_3_per_cent_do_not_bear_reaches_all_others(tmp_path):
    """Nobody counts as failed who did not: the server, broker and devices are all in this one process, and none of it is quick."""
    bad = MANY * 3 // 100

    async def story(served, crowd):
        number = served.roll_out(served.release("2.0", tmp_path), waves=["40", "100%"], abort=0.2, success=0.5)
        shown = await served.until(number, "done", seconds=800)
        assert shown["states"] == {"confirmed": MANY - bad, "failed": bad}
        assert crowd.versions() == {"2.0": MANY - bad, "1.0": bad}
        assert served.c2.ledger.alarms() == []

    play(tmp_path, MANY, Ways(bad=0.03, latency_s=0.01, seed="2"), story)


@pytest.mark.timeout(900)
def test_of_many_devices_no_more_than_the_canaries_meet_a_release_that_30_per_cent_do_not_bear(tmp_path):
    async def story(served, crowd):
        number = served.roll_out(served.release("2.0", tmp_path), waves=["40", "100%"], abort=0.05)
        shown = await served.until(number, "aborted", seconds=800)
        assert shown["by_wave"][1:] == [{"left out": MANY - 40}] and sum(shown["by_wave"][0].values()) == 40
        assert crowd.versions()["1.0"] >= MANY - 40

    play(tmp_path, MANY, Ways(bad=0.3, latency_s=0.01), story)


@pytest.mark.parametrize("way", [BAD, CRASH])
def test_a_release_that_30_per_cent_do_not_bear_ends_in_its_canaries(tmp_path, way):
    async def story(served, crowd):
        release = served.release("2.0", tmp_path)
        number = served.roll_out(release, waves=["8", "50%", "100%"])
        shown = await served.until(number, "aborted")
        touched = shown["states"].get("failed", 0) + shown["states"].get("confirmed", 0)
        assert touched <= 8 and sum(shown["by_wave"][0].values()) == 8
        assert shown["by_wave"][1:] == [{"left out": 7}, {"left out": 15}]
        assert crowd.versions()["1.0"] >= 22

    def how(uuids):
        """30 per cent of the canaries, too: drawn, it might be none of them."""
        canaries = rollout_plan.order(uuids, "1")[:8]
        drawn = (Ways(**{way: 0.3}, latency_s=0.01, seed=str(seed)) for seed in itertools.count())
        return next(ways for ways in drawn if [ways.share_out(uuids)[uuid] for uuid in canaries].count(way) == 2)

    # A trial that nobody confirms is to end while the test lasts.
    play(tmp_path, 30, how, story, trial_s=2 if way == CRASH else 120)


def test_few_that_fail_are_counted_and_the_others_get_it(tmp_path):
    async def story(served, crowd):
        number = served.roll_out(served.release("2.0", tmp_path), waves=["100%"], attempts=2, backoff_s=0)
        shown = await served.until(number, "done")
        assert shown["states"] == {"confirmed": 28, "failed": 2}
        assert crowd.versions() == {"2.0": 28, "1.0": 2}

    play(tmp_path, 30, Ways(bad=1 / 30, broken=1 / 30, latency_s=0.01), story)


def test_devices_that_come_and_go_miss_nothing(tmp_path):
    async def story(served, crowd):
        number = served.roll_out(served.release("2.0", tmp_path), waves=["100%"])
        shown = await served.until(number, "done")
        assert shown["states"] == {"confirmed": 10} and served.c2.ledger.alarms() == []

    play(tmp_path, 10, Ways(offline=0.5, spell_s=0.2, latency_s=0.02), story)


def test_the_shares_are_exact_and_fall_on_the_same_devices():
    uuids = [str(number) for number in range(1000)]
    how = Ways(bad=0.03, crash=0.01, broken=0.02)
    ways = how.share_out(uuids)
    assert [list(ways.values()).count(way) for way in (BAD, CRASH, BROKEN)] == [30, 10, 20]
    assert ways == how.share_out(uuids[::-1]) != Ways(bad=0.03, seed="x").share_out(uuids)


def test_srup_simulate_as_a_command(tmp_path):
    """Enrolled once, and the same devices the next time, running what they ran."""

    async def story(served, crowd):
        command = [sys.executable, "-m", "srup_host.cli", "simulate", "3", "--fleet", str(served.fleet.directory)]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        while b"3 connected" not in await process.stdout.readline():
            pass
        number = served.roll_out(served.release("2.0", tmp_path), waves=["100%"])
        assert (await served.until(number, "done"))["states"] == {"confirmed": 3}
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        kept = json.loads((served.fleet.directory / "simulated.json").read_text())
        assert [card["runs"]["version"] for card in kept] == ["2.0"] * 3
        assert {card.uuid for card in cards.take(served.fleet, 2)} <= {card["uuid"] for card in kept}

    play(tmp_path, 0, Ways(), story)
