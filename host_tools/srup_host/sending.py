"""From a frame to its outcome: publish it, follow the answers, confirm a trial, ask what runs at the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from srup import status, wire
from srup_host import rules
from srup_host.courier import Courier
from srup_host.fleet import Device
from srup_host.ledger import Ledger
from srup_host.receiving import Event, Kind
from srup_host.tables import Sent

INVENTORY_S = 30  # within which a device that has said ACTIVATE_SUCCESS must also say what it runs
_TICK_S = 1  # another process may be the one that hears the answer


class Outcome(IntEnum):
    """How it ended, as an exit code; 1 and 2 are the console's own."""

    DONE = 0
    REFUSED = 3  # by the device: too old, ahead of its clock, superseded, not allowed, unknown
    FAILED = 4  # tried, and it could not be done
    REVERTED = 5  # the new version ran on trial, and the previous one is back
    UNANSWERED = 6  # no answer in time; the frame stays queued
    CONTRADICTED = 7  # the device's answers do not agree with each other


_REFUSED = rules.REFUSED | {
    status.SUPERSEDED,
    status.UPDATE_FAIL_URL,
    status.ACTION_REFUSED,
    status.ACTION_UNKNOWN,
    status.DATA_UNKNOWN,
    status.JOIN_REFUSED,
}
_DONE = frozenset(
    (
        status.UPDATE_SUCCESS,
        status.ACTIVATE_SUCCESS,
        status.ACTION_SUCCESS,
        status.DATA_SUCCESS,
        status.JOIN_SUCCESS,
        status.DEREGISTER_SUCCESS,
    )
)
_REVERTED = frozenset((status.ACTIVATE_REVERTED, status.TRIAL_RETRY))


def outcome(value: int) -> Outcome:
    """The outcome that a status means."""
    if value in _DONE:
        return Outcome.DONE
    if value in _REVERTED:
        return Outcome.REVERTED
    return Outcome.REFUSED if value in _REFUSED else Outcome.FAILED


@dataclass(frozen=True)
class Result:
    """outcome · status: the last one, None if none came · why: where a status does not say it all."""

    outcome: Outcome
    status: int | None
    why: str = ""


class Sender:
    """Conversations with devices, one command at a time.

    told: called with each frame sent, and with each event of the device's.
    """

    def __init__(
        self,
        ledger: Ledger,
        courier: Courier,
        told: Callable[[Sent | Event], None] = lambda happened: None,
        confirm: bool = True,
    ):
        self._ledger = ledger
        self._courier = courier
        self._told = told
        self._confirm = confirm

    async def send(self, sent: Sent) -> None:
        await self._courier.send(sent)
        self._told(sent)

    async def follow(self, device: Device, sent: Sent, seconds: float) -> Result:
        """Send a frame and wait for what ends its wait; on the way confirm a trial, and at its end ask for the inventory."""
        await self.send(sent)
        return await self.wait(device, sent, seconds)

    async def wait(self, device: Device, sent: Sent, seconds: float) -> Result:
        """As `follow`, for a frame that has been sent."""
        result = await self._until(device, sent, seconds)
        if result.status == status.ACTIVATE_SUCCESS and sent.type == wire.ACTIVATE:
            return await self._check_what_runs(device, sent)
        return result

    async def _until(self, device: Device, sent: Sent, seconds: float) -> Result:
        deadline = time.monotonic() + seconds
        to_confirm = self._on_trial(device, sent)
        while True:
            if to_confirm and self._confirm:
                await self.send(self._ledger.confirm(device, to_confirm))
            result = self._result(device, sent)
            if result:
                return result
            left = deadline - time.monotonic()
            if left <= 0:
                return Result(Outcome.UNANSWERED, None, "no answer in time")
            event = await self._courier.next_event(min(left, _TICK_S))
            if event and event.device == device.uuid:
                self._told(event)
            to_confirm = event.confirm if event and event.device == device.uuid else None

    def _on_trial(self, device: Device, sent: Sent) -> bytes | None:
        """The token of the update, if it has asked to be confirmed before we came to listen."""
        asked = sent.type != wire.INITIATE and self._ledger.transaction(device, sent.token).status
        return sent.token if asked == status.ACTIVATE_TRIAL else None

    def _result(self, device: Device, sent: Sent) -> Result | None:
        """How it ended, None if it has not. The ledger is asked: whoever listens may have heard the answer."""
        transaction = self._ledger.transaction(device, sent.token)
        if sent.type == wire.ID_REQUEST and transaction.agreed:
            return Result(Outcome.DONE, None)
        value = next(iter(transaction.seen), None) if sent.type == wire.INITIATE else transaction.status
        if value is None or value not in rules.ENDS[sent.type]:
            return None
        return Result(outcome(value), value)

    async def _check_what_runs(self, device: Device, activate: Sent) -> Result:
        """Confirmed is ACTIVATE_SUCCESS and a signed inventory that agrees."""
        request = self._ledger.id_request(device)
        await self.send(request)
        await self._until(device, request, INVENTORY_S)
        if self._ledger.transaction(device, activate.token).confirmed:
            return Result(Outcome.DONE, status.ACTIVATE_SUCCESS)
        if self._ledger.is_unanswered(request):
            return Result(Outcome.UNANSWERED, status.ACTIVATE_SUCCESS, "reported, and no inventory came to confirm it")
        return Result(Outcome.CONTRADICTED, status.ACTIVATE_SUCCESS, "reported, and the inventory says otherwise")


def describe(event: Event) -> str:
    """An event in a few words."""
    if event.kind in (Kind.ALARM, Kind.REFUSED):
        return f"{event.kind}: {event.why}"
    if event.status is not None:
        return status.name(event.status)
    return event.name if event.kind is not Kind.DATA else f"DATA {event.name}"
