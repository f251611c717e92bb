"""The audit log: whoever takes a line out, changes one, moves one, cuts the end off or writes it all anew is found out."""

import json

import pytest

from srup import status, wire
from srup.keys import key_id
from srup_host import keyfiles, rotation, signing
from srup_host.console import Failure
from srup_host.fleet import ROLES
from srup_host.joins import Joins
from srup_host.server import audit, audit_verify
from srup_host.server.roles import Role
from srup_host.server.runner import Runner
from tests.host.shell import failed, run, srup
from tests.host.test_joins import Asking


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
    return signing.public_bytes(site.c2.audit_key), {"command": [site.fleet.public_key("command")]}


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
    assert by["keys"]["details"] == {"role": "command", "public_key": keys[1]["command"][0].hex()}
    assert by["keys"]["number"] < by["send ACTION"]["number"]


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


def forged(lines, site, of, **other):
    """The log with other fields in the lines of this action, and a head that the audit key has signed."""
    return rewritten(
        lines, lambda told: [line | (other if line["action"] == of else {}) for line in told], site.c2.audit_key
    )


@pytest.mark.parametrize(
    ("action", "other"),
    [
        ("heard answer", {"details": {"status": "ACTIVATE_SUCCESS"}}),
        ("heard answer", {"details": {}}),
        ("heard answer", {"details": {"status": "ACTION_SUCCESS", "name": "inventory"}}),
        ("heard answer", {"action": "heard inventory"}),
        ("heard answer", {"action": "heard of it"}),
        ("heard answer", {"action": "alarm"}),
        ("heard answer", {"action": "logged in"}),
        ("heard answer", {"frame": ""}),
        ("heard inventory", {"details": {"name": "app.log"}}),
        ("heard inventory", {"details": {"name": "inventory", "status": "ACTION_SUCCESS"}}),
        ("heard inventory", {"action": "heard answer"}),
        ("send ACTION", {"action": "send ACTIVATE"}),
        ("send ACTION", {"action": "send DATA confirm"}),
        ("send ACTION", {"subject": "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"}),
        ("send ACTION", {"frame": ""}),
        ("heard answer", {"details": []}),
        ("heard answer", {"details": "status"}),
        ("heard answer", {"action": ["heard", "answer"]}),
        ("device enrolled", {"details": []}),
        ("device enrolled", {"subject": {}}),
        ("device quarantined", {"details": None}),
        ("device quarantined", {"actor": 1}),
    ],
)
def test_who_has_the_audit_key_can_not_say_of_a_frame_what_it_does_not(site, lines, keys, action, other):
    assert audit_verify.verify(forged(lines, site, action), *keys)
    assert "of the audit log is not good" in fails(forged(lines, site, action, **other), keys)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"head":' * 100_000])
def test_a_line_that_is_deeper_than_any_parser_goes_is_no_good_one(lines, keys, deep):
    assert "line 3 of the audit log is not good" in fails([*lines[:2], deep], keys)
    assert "none of this audit key's" in fails(lines, keys, deep)


@pytest.mark.parametrize("number", ["1", 1.5, [], True])
def test_a_head_of_what_is_no_number_is_none_even_if_signed(site, lines, keys, number):
    head = audit.head_line(site.c2.audit_key, number, audit.hash_of(lines[0]), 0)
    assert "none of this audit key's" in fails(lines, keys, head)
    assert f"line {len(lines)} of the audit log is not good" in fails([*lines[:-1], head], keys)


def test_no_frame_of_nobody_s_is_one_to_a_device(site, lines, keys):
    told = [json.loads(line) for line in lines[:-1]]
    sent = next(line for line in told if line["action"] == "send ACTION")
    elements = wire.decode(bytes.fromhex(sent["frame"])).elements
    stolen = keyfiles.generate()
    frame = signing.sign_frame(stolen, wire.ACTION, elements).hex()
    named = {"role": "command", "public_key": signing.public_bytes(stolen).hex()}
    assert "does not match" in fails(forged(lines, site, "send ACTION", frame=frame), keys)
    named_too = forged(forged(lines, site, "send ACTION", frame=frame), site, "keys", details=named)
    assert "names last is another one" in fails(named_too, keys)

    def unnamed(told):
        return [line for line in told if line["action"] != "keys"]

    assert audit_verify.verify(rewritten(lines, unnamed, site.c2.audit_key), *keys), "a log from before there were any"
    assert "no command key is known" in fails(rewritten(lines, unnamed, site.c2.audit_key), keys[:1])
    assert "does not match" in fails(rewritten(named_too, unnamed, site.c2.audit_key), keys)
    assert "without a role" in fails(forged(lines, site, "keys", details=named | {"role": "baker"}), keys)


def test_a_stranger_who_asks_to_join_in_the_name_of_a_device_does_not_spoil_the_log(site, keys):
    kitchen = site.device()
    joins, thief = Joins(site.fleet, site.c2.ledger, site.clock), Asking(kitchen.uuid)
    assert joins.received(thief.request())[0].kind == "alarm"
    thief.key, thief.public = kitchen.key, signing.public_bytes(kitchen.key)
    assert joins.received(thief.request())[0].kind == "alarm"
    site.c2.ledger.action(kitchen.device, 1)
    lines = site.program(Role.VIEWER).get("/api/v1/audit/export").text.splitlines()
    assert audit_verify.verify(lines, *keys).frames == 3
    told = [json.loads(line) for line in lines[:-1]]
    assert [one["actor"] for one in told if one["action"] == "alarm"] == ["stranger", f"device:{kitchen.uuid}"]
    broken = next(one for one in told if one["action"] == "alarm")["frame"]
    fails(forged(lines, site, "alarm", frame=f"{broken[:-2]}{'00' if broken[-2:] != '00' else '01'}"), keys)
    answer = signing.sign_frame(kitchen.key, wire.RESPONSE, {"token": bytes(16), "status": 0x10})
    assert "its frame is RESPONSE" in fails(forged(lines, site, "alarm", frame=answer.hex()), keys)


def rotate(site, role):
    rotation.switch(site.fleet, rotation.begin(site.fleet, role, rotation.make_key(site.fleet, role)))
    rotation.end(site.fleet, role)


@pytest.fixture
def rotated(site):
    """An export with frames of two command keys and of two authority keys."""
    kitchen = site.device()

    def speak():
        sent = site.c2.ledger.action(kitchen.device, 5)
        site.hear(kitchen, kitchen.response(sent.token, status.ACTION_SUCCESS))
        sent = site.c2.ledger.data(kitchen.device, "clock", b"12345678")
        site.hear(kitchen, kitchen.response(sent.token, status.DATA_SUCCESS))

    speak()
    for role in ROLES:
        rotate(site, role)
    speak()
    return site.program(Role.VIEWER).get("/api/v1/audit/export").text.splitlines()


def test_frames_of_the_authority_key_and_of_keys_that_have_been_changed_verify_by_the_keys_of_their_time(
    site, rotated, keys
):
    now = {role: [site.fleet.public_key(role)] for role in ROLES}
    shown = audit_verify.verify(rotated, keys[0], now)
    assert shown.frames == 8 and {role: len(named) for role, named in shown.named.items()} == {
        "command": 2,
        "authority": 2,
        "release": 1,
    }
    before = {role: rotation.retired(site.fleet, role) for role in ROLES}
    assert sorted(shown.on_its_word()) == sorted((role, before[role][0]) for role in ("command", "authority"))
    every = {role: now[role] + before[role] for role in ROLES}
    assert audit_verify.verify(rotated, keys[0], every).on_its_word() == []
    assert audit_verify.verify(rotated, keys[0]).frames == 8  # with nothing but the log
    assert "names last" in fails(rotated, (keys[0], {"authority": before["authority"]}))


def test_an_older_key_is_good_for_the_frames_of_its_time_and_for_no_others(site, rotated, keys):
    told = [json.loads(line) for line in rotated[:-1]]
    first, *_, last = [line["frame"] for line in told if line["action"] == "send ACTION"]
    for of, other in ((first, last), (last, first)):

        def moved(told, of=of, other=other):
            return [line | {"frame": other} if line["frame"] == of else line for line in told]

        assert "does not match" in fails(rewritten(rotated, moved, site.c2.audit_key), keys[:1])


def test_a_key_that_never_was_the_fleet_s_is_found_with_the_fleet_at_hand(site, rotated, tmp_path):
    """Written into the log, with the audit key, for the time before the rotation: the present key pins only what came since."""
    evil = keyfiles.generate()

    def forge(told):
        begun = next(line for line in told if line["action"] == "keys")["number"]
        elements = wire.decode(
            bytes.fromhex(next(line for line in told if line["action"] == "send ACTION")["frame"])
        ).elements
        named = {"role": "command", "public_key": signing.public_bytes(evil).hex()}
        first = next(line["frame"] for line in told if line["action"] == "send ACTION")
        frame = signing.sign_frame(evil, wire.ACTION, elements).hex()
        return [
            line
            | ({"details": named} if line["number"] == begun else {"frame": frame} if line["frame"] == first else {})
            for line in told
        ]

    fleet = site.fleet.directory
    log, wrong = tmp_path / "audit.jsonl", tmp_path / "forged.jsonl"
    log.write_text("\n".join(rotated) + "\n")
    wrong.write_text("\n".join(rewritten(rotated, forge, site.c2.audit_key)) + "\n")
    assert srup("audit", "verify", log, "--json", "--fleet", fleet).json["on_its_word"] == []
    assert "that never was the fleet's" in failed("audit", "verify", wrong, "--fleet", fleet, code=1)
    given = ("--key", fleet / "keys" / "audit.pub.pem", "--command-key", fleet / "keys" / "command.pub.pem")
    assert (
        len(srup("audit", "verify", wrong, "--json", *given).json["on_its_word"]) == 4
    )  # and so it says that it can't know
    retired = [argument for key in rotation.retired(site.fleet, "command") for argument in ("--command-key", key.hex())]
    shown = srup("audit", "verify", log, *given, *retired)
    assert "the log alone says" in shown.err and "command" not in shown.err.split("the log alone says")[1]


def test_a_log_of_frames_by_a_key_that_was_retired_says_so(site, tmp_path):
    """Stolen, and changed for that: with the audit key the thief can write a log anew, and a frame of next week before the change."""
    fake, stolen = site.device(), site.fleet.private_key("command")
    elements = {"target": fake.device.target, "token": fake.token(site.clock() + 7 * 86_400_000)}
    frame = signing.sign_frame(stolen, wire.ACTION, elements | {"action": 1, "parameters": b""})
    with site.c2.write() as session:
        audit.append(session, site.clock(), "send ACTION", fake.uuid, frame=frame)
    rotate(site, "command")
    log = tmp_path / "audit.jsonl"
    log.write_text(site.program(Role.VIEWER).get("/api/v1/audit/export").text)
    shown = srup("audit", "verify", log, "--fleet", site.fleet.directory)
    assert f"the log alone says when: command {key_id(signing.public_bytes(stolen)).hex()} (1)" in shown.err


def test_what_was_once_written_of_a_group_in_which_nobody_had_anything_staged_is_good(site, keys):
    frame = signing.sign_frame(site.fleet.private_key("command"), wire.ACTIVATE, {"token": bytes(16)})
    nobody = "00000000-0000-0000-0000-000000000000"
    with site.c2.write() as session:
        audit.append(session, site.clock(), f"send {wire.ACTIVATE}", nobody, {"members": []}, frame)
    lines = site.program(Role.VIEWER).get("/api/v1/audit/export").text.splitlines()
    command = {"command": [site.fleet.public_key("command")]}
    assert audit_verify.verify(lines, keys[0], command).frames == 1


def test_a_device_can_not_be_given_another_key_in_the_log(site, lines, keys):
    def swap(told):
        enrolled = next(line for line in told if line["action"] == "device enrolled")
        other = signing.public_bytes(keyfiles.generate()).hex()
        return [*told, enrolled | {"details": enrolled["details"] | {"public_key": other}}]

    assert "another key" in fails(rewritten(lines, swap, site.c2.audit_key), keys)


def done(site):
    """(who, what, about) of every line, the newest first."""
    told = site.program(Role.VIEWER).get("/api/v1/audit", params={"size": 500}).json()
    return [(line["actor"], line["action"], line["subject"]) for line in told]


def test_what_is_waited_for_no_more_is_on_record(site):
    kitchen = site.device()
    sent = site.c2.ledger.action(kitchen.device, 1)
    with audit.acting("person:ada"):
        site.c2.ledger.set_aside(kitchen.device)
        site.c2.ledger.set_aside(kitchen.device)  # nothing is left
    lines = site.program(Role.VIEWER).get("/api/v1/audit").json()
    [line] = [line for line in lines if line["action"] == "set aside"]
    assert (line["actor"], line["subject"]) == ("person:ada", kitchen.uuid)
    assert line["details"] == {"frame": "ACTION", "token": sent.token.hex()}


def test_what_is_refused_or_promised_at_the_command_line_is_on_record(site):
    fleet = ("--fleet", site.fleet.directory)
    newcomer = Asking()
    Joins(site.fleet, site.c2.ledger, site.clock).received(newcomer.request())
    srup("join", "refuse", newcomer.uuid, *fleet)
    secret = srup("voucher", "make", "--name", "shed", "--json", *fleet).json["voucher"]
    made, refused = done(site)[1:3]  # after the API token of who asks
    assert refused[0].startswith("shell:") and refused[1:] == ("join refused", newcomer.uuid)
    assert made[0].startswith("shell:") and made[1] == "voucher made" and made[2].startswith("voucher:")
    assert secret not in site.program(Role.VIEWER).get("/api/v1/audit").text


def test_what_a_voucher_lets_in_is_the_voucher_s_doing(site):
    joins, newcomer = Joins(site.fleet, site.c2.ledger, site.clock), Asking()
    secret = bytes.fromhex(joins.make_voucher("shed")[0])
    joins.received(newcomer.request())
    assert joins.received(newcomer.voucher(secret))[1].name == "JOIN_COMMAND"
    [voucher] = [about for _, what, about in done(site) if what == "voucher made"]
    by = {what: who for who, what, about in done(site) if about == newcomer.uuid}
    assert by == {"device enrolled": voucher, "send JOIN_COMMAND": voucher}


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
