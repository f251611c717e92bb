"""Waiting until a board that was provisioned says hello: its signed inventory, by way of the broker, into the fleet's ledger."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import serial

from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.fleet import Device, Fleet
from srup_host.ledger import Ledger
from srup_host.sending import Outcome, Sender

_AGAIN_S = 15  # a broker keeps nothing for a device that has never been there
_ASKS = "must show these words:"  # srup.joining
_REOPEN_S = 0.5  # a USB port goes away in a reset


def check_broker(fleet: Fleet) -> None:
    """Raise Failure unless the fleet's broker can be reached."""

    async def knock() -> None:
        ledger = Ledger(fleet)
        try:
            async with Courier(fleet, ledger):
                pass
        finally:
            ledger.close()

    try:
        asyncio.run(knock())
    except Failure as failure:
        raise Failure(failure.message, "start one: srup serve; or do not wait for the board: --no-wait") from None


def wait(fleet: Fleet, device: Device, seconds: float) -> dict[str, Any] | None:
    """The inventory that the device sends when it is asked, None if none comes in time. Raises Failure."""
    return asyncio.run(_wait(fleet, device, seconds))


async def _wait(fleet: Fleet, device: Device, seconds: float) -> dict[str, Any] | None:
    ledger = Ledger(fleet)
    until = time.monotonic() + seconds
    try:
        async with Courier(fleet, ledger) as courier:
            sender = Sender(ledger, courier)
            while (left := until - time.monotonic()) > 0:
                # Each time a new one: an inventory that was lost on its way is not sent again for the same.
                result = await sender.follow(device, ledger.id_request(device), min(left, _AGAIN_S))
                if result.outcome is Outcome.DONE:
                    return ledger.inventory(device)
    finally:
        ledger.close()
    return None


@contextlib.contextmanager
def console(port: str, told: Callable[[str], None]) -> Iterator[None]:
    """Within the context, what the board at this serial port prints: told is called with each line, in a thread."""
    over = threading.Event()
    thread = threading.Thread(target=_listen, args=(port, told, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)


def asks(port: str, told: Callable[[str], None], seconds: float) -> str:
    """The six words that the console of a board shows when it asks to join; "" if it does not in time. told: as for `console`."""
    found: queue.Queue[str] = queue.Queue()

    def look(line: str) -> None:
        told(line)
        if _ASKS in line:
            found.put(line.partition(_ASKS)[2].strip())

    with console(port, look), contextlib.suppress(queue.Empty):
        return found.get(timeout=seconds)
    return ""


def _listen(port: str, told: Callable[[str], None], over: threading.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(serial.SerialException, OSError), serial.Serial(port, 115200, timeout=0.2) as line:
            rest = b""
            while not over.is_set():
                *lines, rest = (rest + line.read(max(1, line.in_waiting))).split(b"\n")
                for each in lines:
                    told(each.decode("utf-8", "replace").strip("\r"))
        over.wait(_REOPEN_S)
