"""What a board lets be ordered: from the operator's words into its config.json, and never looser by an oversight."""

import dataclasses
import json
import time

import pytest

from srup_host import board_facts, deploy, policies, profiles, provisioning
from srup_host.virtual.running import VirtualBoard
from tests.host.backdrop import Backdrop
from tests.host.shell import failed, run, srup
from tests.host.test_provision import board, fleet, member  # noqa: F401  (fixtures)

STARTED = b"srup: agent"


def policy_of(one):
    with deploy.connected(one.port) as connection:
        return json.loads(connection.run("print(open('/srup-data/config.json').read())")).get("policy")


def provisioned(one, *options):
    """And started: it hears no Ctrl-C before."""
    starts, until = one.output.count(STARTED), time.monotonic() + 60
    srup("provision", one.port, "--no-wait", *options)
    while one.output.count(STARTED) == starts:
        assert time.monotonic() < until, "it does not start"
        time.sleep(0.1)


def outcome(*action):
    return run("send", "action", "shed", *action, "--json").json["status_name"]


def say(text, into):
    """In srup.toml."""
    path = into.directory / "srup.toml"
    path.write_text(path.read_text().replace("[policy]", f"[policy]\n{text}", 1))


def test_a_board_refuses_what_the_fleet_and_the_command_line_forbid(tmp_path, monkeypatch):
    with Backdrop(tmp_path / "fleet") as backdrop:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        say('REBOOT = "refuse"\nSELF_TEST = "refuse"', backdrop.fleet)
        srup("virtual", tmp_path / "shed", "--no-run", "--policy", "SELF_TEST=allow", "--policy", "SET_MODE=two-keys")
        with VirtualBoard(tmp_path / "shed").start() as shed:
            shed.wait_for("srup: connected")
            assert outcome("REBOOT") == outcome("SET_MODE", "beacon") == "ACTION_REFUSED"
            assert outcome("SELF_TEST") == "ACTION_SUCCESS"
            order, signed = tmp_path / "order.json", tmp_path / "signed.json"
            srup("send", "id-request", "shed")
            srup("send", "action", "shed", "SET_MODE", "beacon", "--request", order)
            srup("sign", "second", order, "-o", signed, "--name", "shed")
            assert outcome("SET_MODE", "beacon", "--second", signed) == "ACTION_SUCCESS"


def test_what_is_left_out_is_not_allowed_by_that_and_only_the_command_line_loosens(member, fleet):  # noqa: F811
    assert policy_of(member) is None
    provisioned(member, "--policy", "REBOOT=two-keys", "--policy", "0x81=refuse")
    say('REBOOT = "allow"\nREVERT = "two-keys"\nAPPLICATION = "two-keys"', fleet)
    assert "settings: policy" in run("provision", "--check", member.port).text  # REVERT is not on the board yet
    provisioned(member)
    expected = {"REBOOT": "two-keys", "REVERT": "two-keys", "APPLICATION": "two-keys", "0x81": "refuse"}
    assert policy_of(member) == expected
    assert run("provision", "--check", member.port).code == 0
    provisioned(member, "--policy", "REBOOT=allow", "--policy", "REVERT=allow")
    assert policy_of(member) == expected | {"REBOOT": "allow", "REVERT": "allow"}
    assert "settings: policy" in run("provision", "--check", member.port).text  # for REVERT is the fleet's word, too


def test_the_profile_has_a_say(member, fleet, monkeypatch):  # noqa: F811
    strict = dataclasses.replace(profiles.load("UNIX"), policy={"LOW_POWER": "refuse"})
    monkeypatch.setattr(board_facts, "profile", lambda facts, name: strict)
    provisioning.provision(member.port, fleet)
    assert policy_of(member) == {"LOW_POWER": "refuse"}


def test_an_action_of_the_application_that_is_not_named_is_one_of_the_rest():
    rest, one = {"APPLICATION": "refuse"}, {"0x81": "allow"}
    assert policies.strictest(rest, one) == policies.strictest(one, rest) == {"APPLICATION": "refuse", "0x81": "refuse"}
    assert policies.strictest({"REBOOT": "forbid"}, {"REBOOT": "allow"}) == {"REBOOT": "refuse"}  # so does the board


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["REBOOT"], "is one of allow, two-keys, refuse"),
        (["REBOOT=never"], "is one of allow, two-keys, refuse"),
        (["REBOT=refuse"], "there is no action REBOT"),
        (["0x70=refuse"], "there is no action 0x70"),
        (["TURN_OFF=allow"], "TURN_OFF takes two keys on every board"),
        (["REBOOT=refuse", "reboot=allow"], "two policies for REBOOT"),
        (["REBOOT=refuse", "REBOOT=allow"], "two things of one action"),
    ],
)
def test_a_slip_of_the_pen_is_told_before_anything_is_done(fleet, tmp_path, given, why):  # noqa: F811
    options = [part for one in given for part in ("--policy", one)]
    assert why in failed("virtual", tmp_path / "shed", "--no-run", *options)
    assert not (tmp_path / "shed").exists() and fleet.devices() == []


def test_an_action_is_known_by_its_number_too():
    assert policies.chosen(["0x01=refuse", "0x8A=two-keys"]) == {"REBOOT": "refuse", "0x8a": "two-keys"}
