"""A board with MicroPython on it, and nothing else, becomes one of the fleet: over USB, without its private key ever leaving it.

    with deploy.connected(port) as board:
        plan = provisioning.plan(board, fleet, "kitchen")
        done = provisioning.carry_out(board, plan, fleet)
        board.reset()

The order is such that it can be broken off anywhere, and begun again:

    1  the packages go into /lib                          what is there already stays
    2  the board makes its keys                           once: what the fleet knows of is never replaced
    3  the fleet is told the public keys
    4  slot, trust, certificate; config.json last         with it the board is a member, and its memory is its own
    5  boot.py and main.py                                from the next start on it is the agent's

A member that is provisioned anew keeps its keys, its name, its highest tokens and its slots, and gets software and settings.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srup_host import board_facts, combs, credentials, deploy, device_tree, membership, native, policies
from srup_host.board_facts import Facts
from srup_host.console import Failure
from srup_host.deploy import Connection, Progress
from srup_host.fleet import NAME, Device, Fleet
from srup_host.profiles import Profile

STARTERS = ("boot.py", "main.py")
KEPT = ("wifi",)  # of the settings of a board that is provisioned anew
_CONFIG = f"{device_tree.DATA}/config.json"

_FILES = """
import os
def walk(folder):
    for entry in os.ilistdir("/" + folder):
        path = folder + "/" + entry[0] if folder else entry[0]
        if entry[1] & 0x4000:
            walk(path)
        else:
            print(path)
for folder in ("lib", "{data}"):
    try:
        walk(folder)
    except OSError:
        pass
for name in os.listdir("/"):
    if name in ("boot.py", "main.py", "boot.py~", "main.py~", "boot.mpy", "main.mpy"):
        print(name)
"""
_REMOVE = """
import os
for path in {paths}:
    os.remove(path)
"""
ERASE = """
import os
def erase(folder):
    for entry in os.ilistdir(folder):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            erase(path)
        else:
            os.remove(path)
    os.rmdir(folder)
erase("/{folder}")
"""

# Run on the board, by its own packages: /lib has them by now. A key that is there is kept.
_MAKE_KEYS = """
import os
from srup import keys, p256, port
try:
    os.mkdir("/{data}")
except OSError:
    pass
print(port.BOARD, port.mpy())
for name, share in (("device", "{share}"), ("sealing", "{other}")):
    path = "/{data}/" + name + ".key"
    try:
        with open(path, "rb") as file:
            private = file.read()
    except OSError:
        private = b""
    if len(private) == 32:
        print("kept", p256.public_key(private).hex())
    else:
        print("made", keys.create_device_key(path, bytes.fromhex(share)).hex())
"""
_FORGET_KEYS = """
import os
for name in ("device", "sealing"):
    try:
        os.remove("/{data}/" + name + ".key")
    except OSError:
        pass
"""


@dataclass(frozen=True)
class Plan:
    """What is to be done. software: path -> contents; different: of it, path -> "missing" or "differs"; extra: files of an earlier
    version, which would get in the way · name: in the fleet, if it is new · member: which device it is, if it is one · taken: it
    is another fleet's, and is to be taken from there · slots: slots.json, or None for folders · joins: it is not entered in the
    fleet, but asks to join"""

    facts: Facts
    profile: Profile
    software: Mapping[str, bytes]
    different: Mapping[str, str]
    extra: list[str]
    name: str
    member: Device | None
    taken: bool
    slots: bytes | None
    joins: bool = False

    @property
    def wants_wifi(self) -> bool:
        return self.profile.has_wifi and not (self.member and self.facts.config and self.facts.config.get("wifi"))

    def size(self) -> int:
        """Bytes of software to be copied."""
        return sum(len(self.software[path]) for path in self.different)


@dataclass(frozen=True)
class Provisioned:
    """copied: paths · kept: what the board had, and still has: "keys", "state", "slots", "software" """

    device: Device
    plan: Plan
    copied: list[str]
    kept: list[str] = field(default_factory=list)


def provision(
    port: str,
    fleet: Fleet,
    name: str = "",
    *,
    profile: str = "",
    application: Path | None = None,
    version: str = "1.0",
    settings: Mapping[str, object] | None = None,
    policy: Mapping[str, str] | None = None,
    progress: Progress = lambda path, done, total: None,
) -> Provisioned:
    """All of it, for the board at this serial port, which then starts; see `plan` and `carry_out`. Raises Failure."""
    with deploy.connected(port) as board:
        planned = plan(board, fleet, name, profile=profile)
        done = carry_out(
            board,
            planned,
            fleet,
            application=application,
            version=version,
            settings=settings,
            policy=policy,
            progress=progress,
        )
        board.reset()
    return done


def plan(
    board: Connection,
    fleet: Fleet,
    name: str = "",
    *,
    profile: str = "",
    slots: str = "",
    adopt: bool = False,
    joins: bool = False,
) -> Plan:
    """Look at the board, change nothing.

    name: in the fleet; by default one made of what it is · profile: another than that of its firmware's name · slots: a kind of
    them (srup_host.profiles) · adopt: also one of another fleet · joins: the board is to ask to join. Raises Failure where it can't be provisioned.
    """
    facts = board_facts.look(board)
    board_facts.check(facts, board.port)
    known = board_facts.profile(facts, profile)
    member = _member(board.port, fleet, facts, name, adopt)
    if member and joins:
        raise _is_member(board.port, member)
    wanted = software(facts)
    different = board.differing(wanted)
    planned = Plan(
        facts=facts,
        profile=known,
        software=wanted,
        different=different,
        extra=in_the_way(board, wanted),
        name=member.name if member else _new_name(fleet, name, facts, board),
        member=member,
        taken=facts.config is not None and member is None,
        slots=known.slots_json(slots),
        joins=joins,
    )
    board_facts.check_room(facts, {path: len(wanted[path]) for path in different})
    return planned


def _member(port: str, fleet: Fleet, facts: Facts, name: str, adopt: bool) -> Device | None:
    """The device of the fleet that the board's config.json says it is."""
    if facts.config is None:
        return None
    known = [device for device in fleet.devices() if device.uuid == facts.config.get("uuid")]
    if not known:
        if adopt:
            return None
        raise _is_no_member(port, facts.config, fleet)
    if name and name != known[0].name:
        raise Failure(f"the board on {port} is called {known[0].name} in this fleet", "leave --name away")
    return known[0]


def _is_no_member(port: str, config: Mapping[str, Any], fleet: Fleet) -> Failure:
    whose, erases = config.get("fleet"), "its keys, its applications and its memory are erased"
    if whose == str(fleet.namespace):
        asks = f"the board on {port} has asked to join, as {config.get('name')!r}, or has left: it is not in the fleet"
        return Failure(asks, f"srup join list; or --adopt makes it a new device: {erases}")
    other = f"the board on {port} is {config.get('name')!r} of another fleet ({whose})"
    return Failure(other, f"--adopt takes it from there: {erases}")


def _is_member(port: str, device: Device) -> Failure:
    return Failure(f"the board on {port} is {device.name}, and in the fleet already", "leave --join away")


def _new_name(fleet: Fleet, name: str, facts: Facts, board: Connection) -> str:
    """Raises Failure for a name that is none, or that another device has; not if that may be this board, once its key is known."""
    found = name or f"{facts.build}-{facts.unique_id[-6:] or 'x'}"[:32]
    if not NAME.fullmatch(found):
        raise Failure(f"{found!r} is no device name", "1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")
    if not facts.key and found in {device.name for device in fleet.devices()}:
        raise Failure(f"the fleet {fleet.name} has a device named {found}", "give this one another --name")
    return found


def software(facts: Facts) -> dict[str, bytes]:
    """What belongs onto the board: all, or native code alone where the rest is in its firmware."""
    processor = facts.processor
    if facts.frozen("srup"):
        return {f"lib/{name}": data for name, data in native.compiled(processor).items()}
    found = device_tree.device_files(processor=processor)
    if facts.frozen("umqtt.simple"):
        del found["lib/umqtt/simple.mpy"]
    return found


def in_the_way(board: Connection, software: Mapping[str, bytes]) -> list[str]:
    """Files on the board that are not ours, and would be imported where ours are meant; and halves of some."""
    there = map(str.strip, board.run(_FILES.format(data=device_tree.DATA)).split("\n"))
    return sorted(path for path in there if path and _is_in_the_way(path, software))


def _is_in_the_way(path: str, software: Mapping[str, bytes]) -> bool:
    if path in software or path.startswith(f"{device_tree.DATA}/"):
        return False
    stem, _, ending = path.rpartition(".")
    if path.endswith(deploy.PART) or path.startswith(("lib/srup/", "lib/srup_boot/", "lib/p256_")):
        return True
    return ending in ("py", "mpy") and bool({f"{stem}.py", f"{stem}.mpy"} & software.keys())


def carry_out(
    board: Connection,
    plan: Plan,
    fleet: Fleet,
    *,
    application: Path | None = None,
    version: str = "1.0",
    settings: Mapping[str, object] | None = None,
    policy: Mapping[str, str] | None = None,
    progress: Progress = lambda path, done, total: None,
) -> Provisioned:
    """Do what was planned; the board then waits for its reset. application, version: as for `membership.belongings`, of a new
    board · settings: in config.json besides the profile's and the fleet's · policy: what has the last word of it (srup_host.policies).
    Raises Failure; the same again then goes on."""
    if plan.taken:
        board.run(ERASE.format(folder=device_tree.DATA))
    if plan.extra:
        board.run(_REMOVE.format(paths=plan.extra))
    packages = {path: data for path, data in plan.software.items() if path not in STARTERS}
    copied = board.put(packages, progress)
    device, kept = _enrolled(board, plan, fleet)
    if plan.facts.processor:
        copied += board.put(combs.tables(device_tree.DATA, fleet.public_key("command")), progress)
    given = plan.profile.settings() | _policy(plan, fleet, policy) | _kept_settings(plan) | dict(settings or {})
    if plan.member:
        password = _password(fleet, plan)
        contents = membership.told(fleet, device, given, password)
        if not plan.facts.state:
            contents = membership.trusted(fleet, device) | contents
        kept += ["state", "slots"] if plan.facts.state else ["slots"]
    else:
        contents = membership.belongings(
            fleet,
            device,
            plan.facts.mpy_version,
            application=application,
            version=version,
            settings=given,
            joins=plan.joins,
        )
        if plan.slots is not None:
            contents = {f"{device_tree.DATA}/slots.json": plan.slots} | contents
    try:
        copied += board.put(contents, progress)
    except Failure:
        if plan.joins:  # the next attempt is another device's
            credentials.revoke(fleet, device.uuid)
        raise
    starters = {path: plan.software[path] for path in STARTERS if path in plan.software}
    copied += board.put(starters, progress)
    kept += [] if plan.different else ["software"]
    return Provisioned(device, plan, copied, kept)


def _enrolled(board: Connection, plan: Plan, fleet: Fleet) -> tuple[Device, list[str]]:
    """The board's keys are there, and the fleet knows them. Returns what was kept.

    A key that was made and that no fleet has heard of, for it was broken off right there, guards nothing yet: a new one is made,
    for it can't be told from one that somebody brought along.
    """
    newcomer, kept = make_keys(board, plan.name)
    known = fleet.device_of_key(newcomer.public_key)
    if plan.member and plan.member != known:
        raise Failure(
            f"the board on {board.port} says that it is {plan.member.name}, and its key is not that device's",
            "--adopt makes it a new device, once the old one is out of the fleet",
        )
    if kept and known is None:
        board.run(_FORGET_KEYS.format(data=device_tree.DATA))
        newcomer, kept = make_keys(board, plan.name)
    if known is None:
        return membership.guest(newcomer) if plan.joins else membership.register(fleet, newcomer), []
    if plan.joins:
        raise _is_member(board.port, known)
    if not known.sealing_key:
        fleet.learn_sealing_key(known, newcomer.sealing_key)
    if known.name != plan.name and not plan.name.startswith(plan.facts.build):
        raise Failure(f"the board on {board.port} is called {known.name} in this fleet", "leave --name away")
    return known, ["keys"] if kept else []


def make_keys(board: Connection, name: str) -> tuple[membership.Newcomer, bool]:
    """Let the board make its key pairs, one to sign and one for sealed bundles, unless it has them: what it says of itself, and
    whether it had the key to sign with. Raises Failure, for a source of randomness that repeats itself, too."""
    script = _MAKE_KEYS.format(data=device_tree.DATA, share=secrets.token_hex(32), other=secrets.token_hex(32))
    try:
        kind, mpy, how, public_key, _, sealing_key = board.run(script).split()
    except Failure as failure:
        if "StuckRandom" in failure.message:
            raise Failure(
                f"the board on {board.port} has no randomness: its source repeats itself, and no key was made",
                "try again; if it stays so, the board is broken",
            ) from None
        raise
    newcomer = membership.Newcomer(name, kind, mpy, bytes.fromhex(public_key), bytes.fromhex(sealing_key))
    return newcomer, how == "kept"


def _kept_settings(plan: Plan) -> dict[str, Any]:
    config = (plan.member and plan.facts.config) or {}
    return {name: config[name] for name in KEPT if name in config}


def _policy(plan: Plan, fleet: Fleet, chosen: Mapping[str, str] | None) -> dict[str, Any]:
    has = policies.of_board(plan.facts.config) if plan.member else {}
    return policies.setting(plan.profile.policy, fleet.policy, has, options=chosen or {})


def _password(fleet: Fleet, plan: Plan) -> str:
    """Of MQTT: the board's own where it is good."""
    broker = (plan.facts.config or {}).get("broker")
    password = broker.get("password") if isinstance(broker, dict) else None
    if plan.member and isinstance(password, str) and credentials.check(fleet, plan.member.uuid, password):
        return password
    return ""
