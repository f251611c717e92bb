"""One order for many devices: what each is sent, and which of them have obeyed. Whoever is left can be asked again later."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from srup import status, wire
from srup_host import rules
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.fleet import Device
from srup_host.ledger import Ledger
from srup_host.sending import Outcome, outcome
from srup_host.tables import Sent

_LOOK_S = 2  # another process may be the one that hears an answer

Told = Callable[[int, int], None]  # how many have obeyed, of how many


class Left(NamedTuple):
    """A device that has not obeyed, and why."""

    device: Device
    why: str
    outcome: Outcome


@dataclass(frozen=True)
class Data:
    """DATA of this name and value, as an order that is given once: a device that has obeyed it is not asked again.

    newest: it counts only while no other of this name has been sent since.
    """

    name: str
    value: bytes
    newest: bool = False

    def obeyed(self, ledger: Ledger, device: Device) -> bool:
        found = ledger.last_data(device, self.name, None if self.newest else self.value)
        if found is None or wire.decode(found[0].frame).elements["value"] != self.value:
            return False
        return found[1].status in (status.DATA_SUCCESS, status.ACTIVATE_SUCCESS)

    def send(self, ledger: Ledger, device: Device) -> Sent:
        """The frame that is on its way already, or a new one. Raises Failure where the device has another unanswered."""
        found = ledger.last_data(device, self.name, self.value)
        return found[0] if found and found[0].unanswered else ledger.data(device, self.name, self.value)


async def order(
    ledger: Ledger,
    courier: Courier,
    orders: Iterable[tuple[Device, Data]],
    seconds: float,
    told: Told = lambda done, total: None,
) -> list[Left]:
    """Give each device its order, and wait for the answers at most so long. Returns who is left, by name."""
    orders = list(orders)
    left: list[Left] = []
    waiting: dict[str, tuple[Device, Sent]] = {}
    for device, data in orders:
        if data.obeyed(ledger, device):
            continue
        try:
            waiting[device.uuid] = device, data.send(ledger, device)
        except Failure as failure:
            left.append(Left(device, str(failure), Outcome.UNANSWERED))
            continue
        await courier.send(waiting[device.uuid][1])
    before = len(orders) - len(waiting) - len(left)
    left += await answers(ledger, courier, waiting, seconds, lambda done, _: told(before + done, len(orders)))
    return sorted(left, key=lambda one: one.device.name)


async def answers(
    ledger: Ledger,
    courier: Courier,
    waiting: Mapping[str, tuple[Device, Sent]],
    seconds: float,
    told: Told = lambda done, total: None,
) -> list[Left]:
    """Wait for what ends each frame's wait, at most so long; on the way trials are confirmed. Returns who has not obeyed.

    waiting: UUID -> the device, and what it was sent.
    """
    left: list[Left] = []
    open_yet, done = dict(waiting), 0
    told(done, len(waiting))
    deadline, look = time.monotonic() + seconds, 0.0
    while open_yet and (now := time.monotonic()) < deadline:
        event = await courier.next_event(min(deadline - now, _LOOK_S))
        everybody = now >= look
        if everybody:
            look = now + _LOOK_S
        for uuid in list(open_yet) if everybody else [event.device] if event and event.device in open_yet else []:
            device, sent = open_yet[uuid]
            value = await _end(ledger, courier, device, sent)
            if value is None:
                continue
            del open_yet[uuid]
            if value is _TOLD or outcome(value) is Outcome.DONE:
                done += 1
                told(done, len(waiting))
            else:
                left.append(Left(device, status.name(value), outcome(value)))
    return left + [Left(device, "no answer yet", Outcome.UNANSWERED) for device, _ in open_yet.values()]


_TOLD = -1  # an inventory, which is no status


async def _end(ledger: Ledger, courier: Courier, device: Device, sent: Sent) -> int | None:
    """The status that ends the wait after this frame; None while there is none."""
    transaction = ledger.transaction(device, sent.token)
    if sent.type == wire.ID_REQUEST and transaction.agreed:
        return _TOLD
    value = next(iter(transaction.seen), None) if sent.type == wire.INITIATE else transaction.status
    if value == status.ACTIVATE_TRIAL:
        await courier.send(ledger.confirm(device, sent.token))
    return value if value in rules.ENDS[sent.type] else None
