"""A board that sleeps: SRUP over HTTPS, from the server as `srup serve` runs it to a real board, and no connection between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from srup import status, wire
from srup_host import actions
from srup_host.virtual import making
from srup_host.virtual.running import VirtualBoard
from tests.flow.world import GOOD
from tests.web.served import Served, serving

SECONDS = (2).to_bytes(4, "big")


class Sleeper:
    """A board on a server: `await sleeper.until(...)`."""

    def __init__(self, served: Served, board: VirtualBoard):
        self.served = served
        self.board = board
        self.device = served.fleet.devices()[0]

    def polls(self) -> int:
        return sum("/srup/v1/" in request.path and request.status == 200 for request in self.served.requests)

    def connections(self) -> int:
        """By MQTT, as the broker's word of them has reached the server."""
        return self.served.seen.count((self.device.uuid, True))

    async def until(self, holds: Any, what: str, seconds: float = 90) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not holds():
            lines = "\n".join(self.board.lines()[-30:])
            assert asyncio.get_running_loop().time() < deadline, f"never: {what}\n{lines}"
            await asyncio.sleep(0.1)

    async def answered(self, sent: Any, value: int) -> None:
        ledger = self.served.c2.ledger
        await self.until(
            lambda: ledger.transaction(self.device, sent.token).status == value, f"{sent.name}: {status.name(value)}"
        )

    async def lay_down(self) -> None:
        ledger = self.served.c2.ledger
        sent = self.served.c2.send(ledger.action, self.device, actions.number("LOW_POWER"), SECONDS)
        await self.answered(sent, status.ACTION_SUCCESS)
        await self.until(lambda: self.polls() >= 2, "it polls")


@contextlib.asynccontextmanager
async def sleeping(folder: Path) -> AsyncIterator[Sleeper]:
    async with serving(folder) as served:
        app = folder / "app"
        app.mkdir()
        (app / "app.py").write_text(GOOD.replace("{version}", "1.0"))
        await asyncio.to_thread(making.make, folder / "board", served.fleet, "kitchen", application=app)
        board = VirtualBoard(folder / "board")
        sleeper = Sleeper(served, board)
        board.start()
        try:
            await sleeper.until(lambda: any("srup: connected" in line for line in board.lines()), "connected")
            yield sleeper
        finally:
            board.power_cut()


def play(folder: Path, story: Any) -> None:
    async def told() -> None:
        async with sleeping(folder) as sleeper:
            await story(sleeper)

    asyncio.run(told())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seal", [False, True], ids=["in the open", "sealed for it alone"])
def test_a_whole_update_by_polls_alone(tmp_path: Path, seal: bool) -> None:
    async def story(sleeper: Sleeper) -> None:
        await sleeper.lay_down()
        before = sleeper.connections()
        number = sleeper.served.roll_out(sleeper.served.release("2.0", tmp_path), seal=seal)
        shown = await sleeper.served.until(number, "done")
        assert shown["states"] == {"confirmed": 1}
        assert sleeper.connections() == before, "it has not connected to the broker"
        assert sleeper.served.c2.ledger.alarms() == []

    play(tmp_path, story)


def test_it_sleeps_hears_what_waited_and_comes_back_when_it_is_woken(tmp_path: Path) -> None:
    async def story(sleeper: Sleeper) -> None:
        c2, device = sleeper.served.c2, sleeper.device
        await sleeper.lay_down()
        await sleeper.until(lambda: any("asleep for 2 s" in line for line in sleeper.board.lines()), "asleep")
        c2.send(c2.ledger.id_request, device)
        await sleeper.until(lambda: (c2.ledger.inventory(device) or {}).get("poll_s") == 2, "an inventory that says so")
        before = sleeper.connections()
        await sleeper.answered(c2.send(c2.ledger.action, device, actions.number("WAKE")), status.ACTION_SUCCESS)
        await sleeper.until(lambda: sleeper.connections() > before, "connected by MQTT again")
        assert c2.ledger.alarms() == []

    play(tmp_path, story)


def test_a_power_cut_while_it_polls_changes_nothing(tmp_path: Path) -> None:
    async def story(sleeper: Sleeper) -> None:
        c2, device = sleeper.served.c2, sleeper.device
        await sleeper.lay_down()
        sleeper.board.power_cut()
        command = c2.send(c2.ledger.data, device, "app.colour", b"red")
        polls = sleeper.polls()
        sleeper.board.start()
        await sleeper.answered(command, status.DATA_UNKNOWN)
        assert sleeper.polls() > polls and command.type == wire.DATA

    play(tmp_path, story)
