"""What all commands of `srup send` have in common: the conversation, what a person sees of it, and the exit code."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import typer

from srup import status, wire
from srup_host import console, inventory, offers, sending
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.fleet import Fleet
from srup_host.keyring import Keyring
from srup_host.ledger import Ledger
from srup_host.receiving import Event, Kind
from srup_host.sending import Outcome, Result, Sender
from srup_host.tables import Sent

Step = Callable[[], Sent]

_HINTS = {status.TOKEN_AHEAD: "its clock is behind, or it knows of nothing newer: srup send clock"}


class Task:
    """One run of `srup send`: a device, a conversation with it, how it ended."""

    def __init__(
        self,
        device: str,
        fleet_dir: Path | None,
        wait: bool,
        timeout: float,
        set_aside: bool,
        as_json: bool,
        confirm: bool = True,
        authority: Path | None = None,
    ):
        """authority: the authority key, if not where srup.toml says."""
        self.fleet = Fleet.open(fleet_dir)
        self.device = self.fleet.device(device)
        self.ledger = Ledger(self.fleet, keys=Keyring(self.fleet, {"authority": authority} if authority else None))
        self._wait = wait
        self._timeout = timeout
        self._set_aside = set_aside
        self._as_json = as_json
        self._confirm = confirm
        self._began = time.monotonic()
        self._happened: list[dict[str, object]] = []

    def run(self, *steps: Step, instead: Step | None = None, first: Step | None = None) -> NoReturn:
        """Send what each step makes, one after the other as long as all is well, show how it ended, and exit.

        instead: of the first step, where that was a delta and the device can't use it. first: of which nothing is shown but its failure.
        """
        if self._set_aside:
            self.ledger.set_aside(self.device)
        try:
            result = asyncio.run(self._converse(steps, instead, first))
        except KeyboardInterrupt:
            console.note(f"not waiting any longer; the frame stays queued: srup send wait {self.device.name}")
            raise
        finally:
            self.ledger.close()
        raise typer.Exit(result.outcome if result else 0)

    def boot_nonce(self) -> bytes:
        """The device's, as its latest inventory has it; what takes two keys is signed over it."""
        nonce = (self.ledger.inventory(self.device) or {}).get("nonce")
        if not nonce:
            raise Failure(f"no boot nonce of {self.device.name} is known", f"srup send id-request {self.device.name}")
        return bytes.fromhex(nonce)

    def last_sent(self) -> Sent:
        sent = self.ledger.last_command(self.device)
        if sent is None:
            raise Failure(f"nothing was ever sent to {self.device.name}")
        return sent

    async def _converse(self, steps: Iterable[Step], instead: Step | None, first: Step | None) -> Result | None:
        async with Courier(self.fleet, self.ledger) as courier:
            sender = Sender(self.ledger, courier, self._tell, self._confirm)
            result = None
            for step in [first, *steps] if first else steps:
                sent = step()
                if not self._wait and step is not first:
                    await sender.send(sent)
                    return self._show_sent(sent)
                result = await self._follow(sender, sent)
                if instead and step is not first and result.status in offers.NOT_THIS_DELTA:
                    console.note(f"{self.device.name} can't use the delta; now the full bundle")
                    sent = instead()
                    result = await self._follow(sender, sent)
                if step is first and result.outcome is Outcome.DONE:
                    continue
                instead = None
                self._show(sent, result)
                if result.outcome is not Outcome.DONE:
                    break
            return result

    async def _follow(self, sender: Sender, sent: Sent) -> Result:
        with console.err.status(f"waiting for {self.device.name} …"):
            return await sender.follow(self.device, sent, self._timeout)

    # What a person sees

    def _tell(self, happened: Sent | Event) -> None:
        after = time.monotonic() - self._began
        if isinstance(happened, Sent):
            what, size = happened.name, len(happened.frame)
            console.note(f"{after:8.2f} s  -> {what}, {size} bytes, token {happened.token.hex()}", "dim")
        else:
            what, size = sending.describe(happened), happened.size
            style = "bold red" if happened.kind in (Kind.ALARM, Kind.REFUSED) else "dim"
            console.note(f"{after:8.2f} s  <- {what}, {size} bytes", style)
        self._happened.append(
            {"seconds": round(after, 3), "sent": isinstance(happened, Sent), "what": what, "size": size}
        )

    def _show_sent(self, sent: Sent) -> None:
        if self._as_json:
            console.print_json(self._facts(sent) | {"outcome": "SENT", "status": None, "status_name": None})
        else:
            console.say(f"{self.device.name}: {sent.name} is with the broker, token {sent.token.hex()}")

    def _show(self, sent: Sent, result: Result) -> None:
        if self._as_json:
            known = None if result.status is None else status.name(result.status)
            facts = {"outcome": result.outcome.name, "status": result.status, "status_name": known, "why": result.why}
            extra = {"inventory": self.ledger.inventory(self.device)} if sent.type == wire.ID_REQUEST else {}
            said = self.ledger.values(self.device, sent.at)
            extra |= {"values": said} if said else {}
            console.print_json(self._facts(sent) | facts | extra | {"events": self._happened})
            return
        console.say(
            f"{self.device.name}: {self._words(sent, result)}", "bold green" if not result.outcome else "bold red"
        )
        if result.status in _HINTS:
            console.note(f"{_HINTS[result.status]} {self.device.name}")
        if sent.type == wire.ID_REQUEST and not result.outcome:
            console.columns(inventory.rows(self.ledger.inventory(self.device) or {}), ("cyan",))
        for name, value in self.ledger.values(self.device, sent.at).items():
            console.say(f"{name}: ", "cyan")
            for line in value.splitlines() or ["nothing"]:
                console.say(line)

    def _facts(self, sent: Sent) -> dict[str, object]:
        return {"device": self.device.name, "uuid": self.device.uuid, "type": sent.name, "token": sent.token.hex()}

    def _words(self, sent: Sent, result: Result) -> str:
        said = result.why if result.status is None else status.name(result.status)
        if result.outcome:
            return f"{said}: {result.why}" if result.why and result.status is not None else said
        if sent.type == wire.ID_REQUEST:
            return "runs"
        update = self.ledger.transaction(self.device, sent.token)
        end = {wire.INITIATE: "is staged", wire.ACTIVATE: "is confirmed"}.get(sent.type)
        return f"{update.name} {update.version} {end} ({said})" if end else said
