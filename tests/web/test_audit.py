"""The audit log: whoever takes a line out, changes one, moves one, cuts the end off or writes it all anew is found out."""

import json

import pytest

from srup import status
from srup_host import keyfiles, signing
from srup_host.console import Failure
from srup_host.server import audit, audit_verify
from srup_host.server.roles import Role
from srup_host.server.runner import Runner
from tests.host.shell import run, srup


@pytest.fixture
def lines(site):
    """An export with people, devices and signed frames in it."""
    kitchen = site.device()
    sent = site.c2.ledger.action(kitchen.device, 1)
    site.hear(kitchen, kitchen.response(sent.token, status.ACTION_SUCCESS))
    site.hear(kitchen, kitchen.inventory({"name": "app", "version": "1.0"}))
    operator = site.program(Role.OPERATOR)
    operator.put(f"/api/v1/devices/{kitchen.uuid}/quarantine", json={"why": "smells of smoke"})
    return site.program(Role.VIEWER).get("/api/v1/audit/export").text.splitlines()


@pytest.fixture
def keys(site):
    return signing.public_bytes(site.c2.audit_key), site.fleet.public_key("command")


def fails(lines, keys, kept=None):
    with pytest.raises(Failure) as refused:
        audit_verify.verify(lines, *keys, kept)
    assert refused.value.code == 1
    return str(refused.value)


def test_the_whole_story_is_in_it_and_verifies(lines, keys):
    shown = audit_verify.verify(lines, *keys)
    assert (len(shown.hashes), shown.frames, len(shown.keys)) == (len(lines) - 1, 3, 1)
    told = [json.loads(line) for line in lines[:-1]]
    by = {line["action"]: line for line in told}
    assert by["device quarantined"]["actor"] == "token:a-operator"
    assert by["device quarantined"]["details"] == {"why": "smells of smoke"}
    assert by["heard answer"]["details"] == {"status": "ACTION_SUCCESS"} and by["heard answer"]["frame"]
    assert by["send ACTION"]["actor"].startswith("shell:")


def test_a_line_removed_changed_moved_or_put_in_is_found_wherever_it_is(lines, keys):
    for at in range(len(lines) - 1):
        number = f"line {at + 1} "
        assert number in fails(lines[:at] + lines[at + 1 :], keys)
        changed = json.loads(lines[at])
        changed["actor"] = "person:mallory"
        fails(lines[:at] + [audit.encode(changed)] + lines[at + 1 :], keys)
        fails(lines[: at + 1] + lines[at:], keys)
        if at:
            fails(lines[: at - 1] + [lines[at], lines[at - 1]] + lines[at + 1 :], keys)


def test_every_bit_of_a_line_counts(lines, keys):
    line = lines[2]
    for at in range(0, len(line), 7):
        other = "0" if line[at] != "0" else "1"
        fails(lines[:2] + [line[:at] + other + line[at + 1 :]] + lines[3:], keys)


def rewritten(lines, change, key):
    """The log with its numbers and hashes made anew after a change, and a head signed with `key`."""
    last, out = audit.START, []
    for number, line in enumerate(change([json.loads(line) for line in lines[:-1]]), 1):
        text = audit.encode(line | {"number": number, "previous": last})
        last = audit.hash_of(text)
        out.append(text)
    return [*out, audit.head_line(key, len(out), last, 0)]


def test_a_log_written_anew_needs_the_audit_key(lines, keys):
    fails(rewritten(lines, lambda told: told[:-1], keyfiles.generate()), keys)


def test_with_the_audit_key_too_it_is_found_by_a_head_that_was_kept_elsewhere(site, lines, keys):
    kept = lines[-1]
    assert audit_verify.verify(lines, *keys, kept)
    for change in (lambda told: told[:-1], lambda told: told[:2] + told[3:], lambda told: [told[0], *told[:0:-1]]):
        forged = rewritten(lines, change, site.c2.audit_key)
        assert audit_verify.verify(forged, *keys)  # by itself nothing is wrong with it
        assert "cut or written anew" in fails(forged, keys, kept)


def test_the_tail_cut_off(site, lines, keys):
    kept = lines[-1]
    assert "cut off" in fails(lines[:-1], keys)
    assert "the head names line" in fails(lines[:-2] + lines[-1:], keys)
    shorter = rewritten(lines, lambda told: told[:-2], site.c2.audit_key)
    assert audit_verify.verify(shorter, *keys)
    assert "the head names line" in fails(shorter, keys, kept)


def test_a_head_from_before_holds_for_a_log_that_has_grown(site, lines, keys):
    site.device("cellar")
    longer = site.program(Role.VIEWER).get("/api/v1/audit/export").text.splitlines()
    assert len(longer) > len(lines)
    assert audit_verify.verify(longer, *keys, lines[-1])


def test_a_frame_that_the_device_never_signed_is_no_evidence(site, lines, keys):
    def forge(told):
        frame = signing.sign_frame(keyfiles.generate(), 2, {"token": bytes(16), "status": 0x10})
        return [line | {"frame": frame.hex()} if line["action"] == "heard answer" else line for line in told]

    assert "does not match" in fails(rewritten(lines, forge, site.c2.audit_key), keys)


def test_a_device_can_not_be_given_another_key_in_the_log(site, lines, keys):
    def swap(told):
        enrolled = next(line for line in told if line["action"] == "device enrolled")
        other = signing.public_bytes(keyfiles.generate()).hex()
        return [*told, enrolled | {"details": enrolled["details"] | {"public_key": other}}]

    assert "another key" in fails(rewritten(lines, swap, site.c2.audit_key), keys)


def test_srup_audit_at_the_command_line(site, lines, tmp_path):
    fleet = ("--fleet", site.fleet.directory)
    log, head = tmp_path / "audit.jsonl", tmp_path / "head.json"
    head.write_bytes(srup("audit", "head", *fleet).out)
    log.write_bytes(srup("audit", "export", *fleet).out)
    told = srup("audit", "verify", log, "--head", head, "--json", *fleet).json
    assert told["frames"] == 3 and told["lines"] == len(lines) - 1
    cut = log.read_text().splitlines(keepends=True)
    log.write_text("".join(cut[:-3] + cut[-1:]))
    result = run("audit", "verify", log, *fleet)
    assert result.code == 1 and result.err.startswith("error: line ")
    key = site.fleet.directory / "keys" / "audit.pub.pem"
    log.write_text("".join(cut))
    assert "the log is whole" in srup("audit", "verify", log, "--key", key).text  # nothing else is needed


def test_two_processes_write_one_chain(site, keys):
    """srup send beside srup serve."""
    from srup_host.ledger import Ledger

    kitchen, other = site.device(), Ledger(site.fleet, site.clock)
    for number in range(6):
        (site.c2.ledger if number % 2 else other).id_request(kitchen.device)
    other.close()
    lines = site.program(Role.VIEWER).get("/api/v1/audit/export").text.splitlines()
    assert audit_verify.verify(lines, *keys).frames == 6


def test_the_head_is_signed_every_hour_and_a_log_written_anew_is_found_by_what_was_kept(site, lines, keys, tmp_path):
    """lines has a head of its own export, at the beginning."""
    runner, viewer = Runner(site.c2), site.program(Role.VIEWER)
    kitchen = site.device("pantry")

    def an_hour(*happened):
        site.clock.now += audit.HOUR_MS
        for hear in happened:
            hear()
        runner.round()
        return viewer.get("/api/v1/audit/heads").json()

    def speak():
        site.hear(kitchen, kitchen.inventory({"name": "app", "version": "1.0"}))

    first = an_hour(speak)
    assert (
        len(an_hour()) <= len(first) + 1
    )  # nobody has said anything: what the server asked of devices is in it, at most
    kept = an_hour(speak)
    assert [one["head"] for one in kept] == sorted((one["head"] for one in kept), reverse=True)
    site.clock.now += audit.HOUR_MS // 2
    speak()
    runner.round()
    assert viewer.get("/api/v1/audit/heads").json() == kept  # not before an hour is over
    assert f"of line {kept[0]['head']}" in site.person(Role.VIEWER).get("/audit").text
    taken = srup("audit", "heads", "--fleet", site.fleet.directory).out.decode()
    assert [json.loads(line) for line in taken.splitlines()] == kept[::-1]
    log = viewer.get("/api/v1/audit/export").text.splitlines()
    assert audit_verify.verify(log, *keys, taken)
    forged = rewritten(log, lambda told: [told[0], *told[2:]], site.c2.audit_key)
    assert "cut or written anew" in fails(forged, keys, taken)
    assert "no head" in fails(log, keys, "\n")
