"""What `srup send` does with group:NAME instead of a device: one frame for all, and what became of it at each member."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import typer

from srup import wire
from srup_host import console, everywhere
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.everywhere import Left
from srup_host.fleet import Fleet
from srup_host.groups import Group, Groups
from srup_host.ledger import Ledger
from srup_host.tables import Sent

_MARK = "group:"


def is_group(text: str) -> bool:
    return text.startswith(_MARK)


class GroupTask:
    """Orders to one group, each of which makes the frames for its members; `run` sends them."""

    def __init__(self, group: str, fleet_dir: Path | None, wait: bool, timeout: float, set_aside: bool, as_json: bool):
        self.fleet = Fleet.open(fleet_dir)
        self.ledger = Ledger(self.fleet)
        self.group: Group = Groups(self.fleet, self.ledger).one(group.removeprefix(_MARK))
        self._wait = wait
        self._timeout = timeout
        self._set_aside = set_aside
        self._as_json = as_json
        self._token = b""

    # What is sent

    def initiate(self, url: str, digest: bytes, manifest: Mapping[str, Any]) -> list[Sent]:
        expected = {"name": manifest["name"], "version": manifest["version"], "tree": manifest["tree"]}
        return self._order(wire.INITIATE, {"url": url.encode(), "digest": digest}, expected)

    def activate(self) -> list[Sent]:
        """What the group's latest INITIATE has staged."""
        updates = {update.token for device in self.group.members if (update := self.ledger.latest_update(device))}
        if not updates:
            raise Failure(
                f"the group {self.group.name} has nothing staged", "send it a bundle first: srup send initiate"
            )
        token = self._token or max(updates)
        members = [one for one in self.group.members if (own := self.ledger.latest_update(one)) and own.token == token]
        sent = self.ledger.activate_group(token, members)
        if not sent:
            raise Failure(f"no device of the group {self.group.name} has staged it", "see what became of the INITIATE")
        return sent

    def action(self, action: int, parameters: bytes) -> list[Sent]:
        return self._order(wire.ACTION, {"action": action, "parameters": parameters})

    def data(self, name: str, value: bytes) -> list[Sent]:
        return self._order(wire.DATA, {"name": name.encode(), "value": value})

    def id_request(self) -> list[Sent]:
        return self._order(wire.ID_REQUEST, {})

    def _order(self, kind: int, elements: dict[str, bytes | int], expected: dict[str, str] | None = None) -> list[Sent]:
        if self._set_aside:
            for device in self.group.members:
                self.ledger.set_aside(device)
        sent = self.ledger.to_group(self.group.target, self.group.members, kind, elements, expected)
        self._token = sent[0].token
        return sent

    # How it ends

    def run(self, *steps: Callable[[], list[Sent]]) -> NoReturn:
        """One step after the other, as long as a device is left that has done the one before; show who has not, and exit."""
        try:
            if not self.group.members:
                raise Failure(
                    f"the group {self.group.name} has no members", f"srup group add {self.group.name} DEVICE ..."
                )
            left = asyncio.run(self._converse(steps))
        finally:
            self.ledger.close()
        raise typer.Exit(min((one.outcome for one in left), default=0))

    async def _converse(self, steps: tuple[Callable[[], list[Sent]], ...]) -> list[Left]:
        devices = {device.uuid: device for device in self.group.members}
        left: list[Left] = []
        async with Courier(self.fleet, self.ledger) as courier:
            for step in steps:
                sent = step()
                await courier.publish(self.group.topic, sent[0])
                if not self._wait:
                    self._show(sent, [], "with the broker")
                    return []
                waiting = {one.device: (devices[one.device], one) for one in sent}
                with console.err.status("") as shown:
                    said = f"of the group {self.group.name} have done the {sent[0].name}"
                    left += await everywhere.answers(
                        self.ledger,
                        courier,
                        waiting,
                        self._timeout,
                        lambda done, total, said=said: shown.update(f"{done} of {total} {said}"),
                    )
                self._show(sent, left, "done")
                if len(left) >= len(devices):
                    break
        return left

    def _show(self, sent: list[Sent], left: list[Left], word: str) -> None:
        why = {one.device.uuid: one.why for one in left}
        rows = [(device.name, why.get(device.uuid, word)) for device in self.group.members]
        if self._as_json:
            told = [
                {
                    "device": device.name,
                    "uuid": device.uuid,
                    "done": not why.get(device.uuid),
                    "why": why.get(device.uuid),
                }
                for device in self.group.members
            ]
            facts = {
                "group": self.group.name,
                "uuid": self.group.uuid,
                "type": sent[0].name,
                "token": sent[0].token.hex(),
            }
            console.print_json(facts | {"members": told})
            return
        console.say(
            f"group {self.group.name}: {sent[0].name}, {len(rows) - len(left)} of {len(rows)} {word}",
            "bold red" if left else "bold green",
        )
        console.columns(rows, ("cyan",))
