"""What is on a board compared with what should be: `srup provision --check`. Nothing on it is changed, and it is started again."""

from typing import NamedTuple

from srup import keys
from srup_host import board_facts, credentials, device_tree, membership, policies, provisioning
from srup_host.board_facts import Facts
from srup_host.console import Failure
from srup_host.deploy import Connection
from srup_host.fleet import ROLES, Device, Fleet
from srup_host.profiles import Profile

_TRUSTED = """
import json
from srup import keys
from srup.store import Store
trusted = keys.Keys(Store("/{data}/state.log"), "/{data}/device.key")
print(json.dumps({{
    "key": trusted.public_key().hex(),
    "roles": [[identity.hex() for identity, _ in trusted.of(role)] for role in keys.ROLES],
}}))
"""
_OPEN = ("password", "wifi", "provisioned")  # of config.json: not the fleet's, or compared in another way


class Finding(NamedTuple):
    """where: a path, or "settings: NAME", "key", "trust: ROLE" · what: "missing", "differs", "in the way", or words"""

    where: str
    what: str


def check(board: Connection, fleet: Fleet, profile: str = "") -> tuple[Facts, Device | None, list[Finding]]:
    """What the board is, which device, and what is not as it should be. Raises Failure where it can't be told."""
    facts = board_facts.look(board)
    board_facts.check(facts, board.port)
    known = board_facts.profile(facts, profile)
    software = provisioning.software(facts)
    found = [Finding(path, what) for path, what in board.differing(software).items()]
    found += [Finding(path, "in the way") for path in provisioning.in_the_way(board, software)]
    device = next((one for one in fleet.devices() if facts.config and one.uuid == facts.config.get("uuid")), None)
    if device is None:
        return facts, None, [*found, Finding("settings: uuid", "no device of this fleet")]
    found += _settings(facts, fleet, device, known)
    certificate = {f"{device_tree.DATA}/ca0.der": fleet.ca_der()}
    found += [Finding(path, what) for path, what in board.differing(certificate).items()]
    return facts, device, found + _trust(board, fleet, device)


def _settings(facts: Facts, fleet: Fleet, device: Device, profile: Profile) -> list[Finding]:
    have = dict(facts.config or {})
    policy = policies.setting(profile.policy, fleet.policy, options={})
    wanted = membership.config(fleet, device, profile.settings() | policy, "")
    found = [
        Finding(f"settings: {name}", "differs")
        for name in wanted
        if name not in (*_OPEN, "broker", "policy") and have.get(name) != wanted[name]
    ]
    has = policies.of_board(have)
    if policies.strictest(has, wanted.get("policy", {})) != policies.strictest(has):
        found.append(Finding("settings: policy", "is less strict than the fleet's"))
    broker = have.get("broker")
    if not isinstance(broker, dict) or any(
        broker.get(name) != wanted["broker"][name] for name in ("host", "port", "tls", "user")
    ):
        return [*found, Finding("settings: broker", "differs")]
    if not credentials.check(fleet, device.uuid, str(broker.get("password"))):
        found.append(Finding("settings: broker", "its password is not the one that the fleet knows"))
    return found


def _trust(board: Connection, fleet: Fleet, device: Device) -> list[Finding]:
    try:
        said = board.ask(_TRUSTED.format(data=device_tree.DATA))
        found = [] if said["key"] == device.public_key else [Finding("key", "is not the one that the fleet knows")]
        return found + [
            Finding(f"trust: {role}", "the board does not have the fleet's key")
            for role, identities in zip(ROLES, said["roles"], strict=True)
            if keys.key_id(fleet.public_key(role)).hex() not in identities
        ]
    except (Failure, KeyError, TypeError, ValueError) as error:
        return [Finding("key", f"can't be asked: {error}")]
