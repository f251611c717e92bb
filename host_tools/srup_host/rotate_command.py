"""`srup keys rotate`: a key of the whole fleet changed, and who is left."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from srup.keys import key_id
from srup_host import console, everywhere, keyfiles, rotation
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.everywhere import Data, Left
from srup_host.fleet import Device, Fleet, FleetOption
from srup_host.key_commands import JsonOption
from srup_host.keyring import Keyring
from srup_host.ledger import Ledger
from srup_host.rotation import Rotation
from srup_host.sending import Outcome

_STEPS = {"add": "trusts the new key beside the old one", "remove": "trusts the old key no more"}

AuthorityOption = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="The authority key.", show_default="where srup.toml says"),
]


@dataclass(frozen=True)
class _Run:
    """fleet, rotation: as they are · authority, new: files of private keys that are not where srup.toml says."""

    fleet: Fleet
    authority: Path | None
    new: Path | None
    without: frozenset[str]
    timeout: float
    as_json: bool

    def _keyring(self, rotated: Rotation) -> Keyring:
        """An authority key that changes is removed by its successor."""
        path = self.authority
        if rotated.role == "authority" and rotated.switched and self.new:
            path = self.new
        return Keyring(self.fleet, {"authority": path} if path else None)

    async def go_on(self, rotated: Rotation) -> list[Left]:
        """As far as it goes now. Returns who is left; nobody once it is done."""
        if rotated.switched is None:
            asked = [device for device in self.fleet.devices() if device.uuid not in self.without]
            if left := await self._order(rotated, rotated.add, asked, "add"):
                return left
            rotated = rotation.switch(self.fleet, rotated)
            console.note(f"the fleet signs with the new {rotated.role} key from now on", "green")
        concerned = [device for device in self.fleet.devices() if rotated.concerns(device)]
        late = self._who_never_added(rotated, concerned)
        left = await self._add_late(rotated, late)
        behind = {one.device.uuid for one in left}
        left += await self._order(
            rotated, rotated.remove, [one for one in concerned if one.uuid not in behind], "remove"
        )
        if not left:
            rotation.end(self.fleet, rotated.role)
        return left

    def _who_never_added(self, rotated: Rotation, devices: Iterable[Device]) -> list[Device]:
        ledger = Ledger(self.fleet)
        try:
            return [device for device in devices if not rotated.add.obeyed(ledger, device)]
        finally:
            ledger.close()

    async def _add_late(self, rotated: Rotation, late: list[Device]) -> list[Left]:
        if rotated.role == "authority":
            why = "never came to trust the new authority key: provision it anew"
            return [Left(device, why, Outcome.FAILED) for device in late]
        return await self._order(rotated, rotated.add, late, "add") if late else []

    async def _order(self, rotated: Rotation, data: Data, devices: list[Device], step: str) -> list[Left]:
        keyring = self._keyring(rotated)
        ledger = Ledger(self.fleet, keys=keyring)
        try:
            if all(data.obeyed(ledger, device) for device in devices):
                return []
            _ = keyring["authority"]  # it is missing for all of them, or for none
            with console.err.status("") as shown:
                async with Courier(self.fleet, ledger) as courier:
                    return await everywhere.order(
                        ledger,
                        courier,
                        [(device, data) for device in devices],
                        self.timeout,
                        lambda done, total: shown.update(f"{done} of {total}: {_STEPS[step]}"),
                    )
        finally:
            ledger.close()


def command(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="command, release or authority.")],
    new: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="The new key: a PEM file or hex. A private one is not copied.",
            show_default="made, where the old one is",
        ),
    ] = "",
    authority: AuthorityOption = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="DEVICE", help="Do not wait for this one before the switch; again for each further one."),
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for each step.")] = 600,
    status: Annotated[bool, typer.Option("--status", help="Only say how far it is.")] = False,
    as_json: JsonOption = False,
    fleet_dir: FleetOption = None,
) -> None:
    """Give the fleet a new key of this role: every device trusts both, the fleet switches, and the old one is trusted no more.

    The authority key signs the orders. What is left when this ends is taken up by the same command again: a device that was
    off answers when it is back. Exit codes: 0 done · 2 it can't be done · 3 a device refused · 4 one failed · 6 answers are missing.
    """
    fleet = Fleet.open(fleet_dir)
    rotated = rotation.under_way(fleet, rotation.check_role(role))
    if status:
        _show(fleet, role, rotated, None, as_json)
        return
    rotated = _begun(fleet, role, rotated, new)
    private = Path(new) if new and Path(new).is_file() and b"PRIVATE KEY" in Path(new).read_bytes() else None
    left_out = frozenset(fleet.device(name).uuid for name in without or [])
    run = _Run(fleet, authority, private, left_out, timeout, as_json)
    left = asyncio.run(run.go_on(rotated))
    _show(fleet, role, rotation.under_way(fleet, role), left, as_json, rotated)
    if role != "command" and new and not private:
        console.note(f"keep the new {role} key where srup.toml or the command that signs finds it")
    if left:
        raise typer.Exit(min(one.outcome for one in left))


def _begun(fleet: Fleet, role: str, rotated: Rotation | None, new: str) -> Rotation:
    public = keyfiles.load_public(new) if new else b""
    if rotated is None:
        return rotation.begin(fleet, role, public or rotation.make_key(fleet, role))
    if public and public.hex() != rotated.new:
        raise Failure(
            f"the {role} key is being changed for another one, {_id(rotated.new)}",
            "first see that through: leave --new away",
        )
    return rotated


def _show(
    fleet: Fleet,
    role: str,
    now: Rotation | None,
    left: list[Left] | None,
    as_json: bool,
    before: Rotation | None = None,
) -> None:
    told = now or before
    step = "done" if told is None or now is None else "add" if now.switched is None else "remove"
    ledger = Ledger(fleet)
    order = told and (told.add if step == "add" else told.remove)
    devices = [device for device in fleet.devices() if told is None or told.concerns(device)]
    if left is None:
        waits = [one for one in devices if order and step != "done" and not order.obeyed(ledger, one)]
        left = [Left(device, "no answer yet", Outcome.UNANSWERED) for device in waits]
    ledger.close()
    if as_json:
        facts = {
            "role": role,
            "step": step,
            "old": told and told.old,
            "new": told and told.new,
            "began": told and told.began,
            "devices": len(devices),
            "left": [{"device": one.device.name, "uuid": one.device.uuid, "why": one.why} for one in left],
        }
        console.print_json(facts)
        return
    if told is None:
        console.say(f"the {role} key is {_id(fleet.public_key(role).hex())}; it is not being changed")
        return
    words = f"{role} key {_id(told.old)} -> {_id(told.new)}"
    if step == "done":
        console.say(f"{words}: done, on {len(devices)} devices", "bold green")
        return
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(told.began / 1000))
    console.say(f"{words}, since {since}: {len(devices) - len(left)} of {len(devices)} devices: {_STEPS[step]}", "bold")
    console.columns([(one.device.name, one.why) for one in left], ("cyan",))
    console.note(f"again when they are back: srup keys rotate {role}")


def _id(public: str) -> str:
    return key_id(bytes.fromhex(public)).hex()
