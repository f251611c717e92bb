"""The registry: what the fleet's directory and the devices' signed frames say, and how well it is known."""

import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from srup import limits, status
from srup_host import actions
from srup_host.server import heartbeat, truth
from srup_host.server.roles import Role
from srup_host.server.truth import HEARTBEAT_MS, MISSED, Said
from srup_host.tables import Transaction
from tests.host.fake_device import NOW, FakeDevice
from tests.web.crowd import Crowd

MANIFEST = {"name": "thermometer", "version": "2.0", "tree": "ab" * 32, "counter": 1}
OLD = MANIFEST | {"version": "1.0", "tree": "cd" * 32}


def show(site, name="kitchen"):
    return site.program(Role.VIEWER).get(f"/api/v1/devices/{name}").json()


def update(site, fake, *answers):
    """An INITIATE of MANIFEST, and what the device answers to it and to the ACTIVATE."""
    sent = site.c2.ledger.initiate(fake.device, "https://localhost:8443/x.srup", bytes(32), MANIFEST)
    for value in answers:
        if value == status.ACTIVATE_TRIAL:
            site.c2.ledger.activate(fake.device)
        site.hear(fake, fake.response(sent.token, value))
    return sent


def test_a_device_is_there_once_it_is_enrolled_with_its_key_and_its_fingerprint(site):
    fake = site.device()
    shown = show(site)
    assert (shown["uuid"], shown["name"], shown["board"]) == (fake.uuid, "kitchen", "UNIX")
    assert shown["public_key"] == fake.device.public_key and len(shown["fingerprint"]) == 64
    assert (shown["runs"]["word"], shown["seen"], shown["inventory"]) == ("unknown", None, None)
    assert show(site, fake.uuid)["name"] == "kitchen"


def test_what_it_runs_is_confirmed_by_its_signed_inventory_and_by_which_frame(site):
    fake = site.device()
    site.clock.now += 5000
    site.hear(fake, fake.inventory(OLD))
    runs = show(site)["runs"]
    assert (runs["word"], runs["app"], runs["version"], runs["at"]) == ("confirmed", "thermometer", "1.0", NOW + 5000)
    frames = site.program(Role.VIEWER).get("/api/v1/devices/kitchen/frames").json()
    assert [frame["id"] for frame in frames if frame["what"] == "DATA inventory"] == [runs["evidence"]]


def test_what_it_says_of_an_update_is_believed_until_the_inventory_agrees(site):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    update(site, fake, status.UPDATE_SUCCESS, status.ACTIVATE_TRIAL)
    runs = show(site)["runs"]
    assert (runs["word"], runs["version"], runs["why"]) == ("believed", "1.0", "thermometer 2.0 is on trial there")
    sent = site.c2.ledger.latest_update(fake.device)
    site.hear(fake, fake.response(sent.token, status.ACTIVATE_SUCCESS))
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("believed", "2.0")
    site.hear(fake, fake.inventory(MANIFEST, {sent.token: status.ACTIVATE_SUCCESS}))
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("confirmed", "2.0")


def test_a_word_that_is_too_old_is_overdue_and_says_so(site):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    site.clock.now += MISSED * HEARTBEAT_MS + 1
    runs = show(site)["runs"]
    assert (runs["word"], runs["version"]) == ("overdue", "1.0")


@pytest.mark.parametrize(
    ("seen", "agreed", "word"),
    [
        (b"", None, "confirmed"),
        (b"\x00", None, "confirmed"),  # staged: what runs has not changed
        (b"\x00\x11", None, "believed"),
        (b"\x00\x11\x1d", None, "believed"),
        (b"\x00\x11\x10", None, "believed"),
        (b"\x00\x11\x10", NOW, "confirmed"),
        (b"\x00\x11\x1e", None, "confirmed"),  # heard since
        (b"\xff", None, "confirmed"),
    ],
)
def test_the_words(seen, agreed, word):
    transaction = Transaction(
        device="", token=b"", kind=1, key_id=b"", opened=NOW, seen=seen, name="a", version="2", agreed=agreed
    )
    assert truth.of(Said("a", "1", NOW, 1), transaction, NOW).word == word
    assert truth.of(None, transaction, NOW).word == "unknown"
    assert truth.of(Said("a", "1", 0, 1), transaction, NOW).word == "overdue"


def test_what_a_stranger_signs_changes_nothing(site):
    kitchen, cellar = site.device(), site.device("cellar")
    site.hear(kitchen, cellar.inventory(MANIFEST))
    assert show(site)["runs"]["word"] == "unknown" and show(site)["seen"] is None


def test_lists_are_paged_searched_and_filtered(site):
    for number in range(7):
        fake = site.device(f"board-{number}")
        site.hear(fake, fake.inventory(MANIFEST if number < 2 else OLD))
    site.device("kitchen")
    operator = site.program(Role.OPERATOR)
    operator.patch("/api/v1/devices/board-3", json={"groups": ["roof"], "tags": ["old", "wet"]})

    def names(**asked):
        found = operator.get("/api/v1/devices", params=asked).json()
        return [device["name"] for device in found["devices"]], found["total"]

    assert names(size=3, page=2) == (["board-3", "board-4", "board-5"], 8)
    assert names(version="2.0") == (["board-0", "board-1"], 2)
    assert names(group="roof") == names(tag="wet") == (["board-3"], 1)
    assert names(search="kit")[0] == ["kitchen"] and names(search="%")[0] == []
    assert names(board="RP2040")[1] == 0
    assert operator.get("/api/v1/devices", params={"size": 501}).status_code == 422


def test_labels_of_many_are_set_for_all_or_for_none(site):
    site.device("a"), site.device("b")
    operator = site.program(Role.OPERATOR)
    body = {"devices": ["a", "nobody"], "groups": ["roof"]}
    assert operator.patch("/api/v1/devices", json=body).status_code == 404
    assert show(site, "a")["groups"] == []
    assert operator.patch("/api/v1/devices", json=body | {"devices": ["a", "b"]}).json() == {"devices": 2}
    assert show(site, "b")["groups"] == ["roof"]
    for bad in ("", "<b>", "x" * 33):
        assert operator.patch("/api/v1/devices/a", json={"tags": [bad]}).status_code == 400


def test_quarantine_has_a_reason_a_time_and_an_end(site):
    site.device()
    operator = site.program(Role.OPERATOR)
    shown = operator.put("/api/v1/devices/kitchen/quarantine", json={"why": "smells of smoke"}).json()
    assert (shown["quarantined"], shown["quarantined_why"]) == (NOW, "smells of smoke")
    assert operator.get("/api/v1/devices", params={"quarantined": True}).json()["total"] == 1
    assert operator.delete("/api/v1/devices/kitchen/quarantine").json()["quarantined"] is None


def test_asking_a_device_sends_it_a_signed_id_request(site):
    fake = site.device()
    answer = site.program(Role.OPERATOR).post("/api/v1/devices/kitchen/ask")
    assert answer.status_code == 202
    assert [(sent.device, sent.name) for sent in site.published] == [(fake.uuid, "ID_REQUEST")]
    assert site.published[0].token.hex() == answer.json()["token"]


def test_a_device_that_leaves_the_directory_is_no_longer_listed_and_may_come_back(site):
    fake = site.device()
    path = site.fleet.directory / "devices" / f"{fake.uuid}.json"
    content = path.read_bytes()
    for gone in (True, False):
        path.unlink() if gone else path.write_bytes(content)
        with site.c2.write() as session:
            site.c2_sync(session)
        assert site.program(Role.VIEWER).get("/api/v1/devices").json()["total"] == (0 if gone else 1)


def test_the_fleet_in_figures(site):
    for number in range(3):
        fake = site.device(f"b{number}")
        site.hear(fake, fake.inventory(MANIFEST if number else OLD))
    site.c2.note_state(fake.uuid, True)
    figures = site.program(Role.VIEWER).get("/api/v1/fleet").json()
    assert (figures["devices"], figures["online"]) == (3, 1)
    assert figures["versions"][0] == {"app": "thermometer", "version": "2.0", "devices": 2}


def metrics(site):
    """As Prometheus reads them: {name, or (name, label, …): value}."""
    text = site.program(Role.VIEWER).get("/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {(one.name, *one.labels.values()) if one.labels else one.name: one.value for one in samples}


def test_prometheus_sees_a_roll_out_go_on(site):
    crowd = Crowd(site)
    crowd.devices(good=8, bad=1)
    crowd.device("mute", "silent")
    site.c2.note_state(next(iter(crowd.played)), True)
    body = {"bundle": crowd.release(), "policy": {"waves": ["100%"], "abort": 1}}
    site.program(Role.OPERATOR).post("/api/v1/rollouts", json=body)
    before = metrics(site)
    assert (before["srup_devices"], before["srup_devices_online"], before["srup_broker_connected"]) == (10, 1, 0)
    assert before["srup_rollout_devices", "1", "pending"] == 10 and before["srup_rollouts", "running"] == 1
    crowd.play()
    during = metrics(site)
    told = {state: during["srup_rollout_devices", "1", state] for state in ("confirmed", "failed", "staging")}
    assert told == {"confirmed": 8, "failed": 1, "staging": 1}
    assert during["srup_devices_running", "thermometer", "2.0"] == 8 and during["srup_devices_failing"] == 1
    assert during["srup_frames_unanswered"] == len(site.c2.ledger.unanswered()) > 0
    assert during["srup_audit_lines_total"] > before["srup_audit_lines_total"] and during["srup_alarms_total"] == 0
    site.hear(next(iter(crowd.played.values())).fake, b"nonsense")
    site.program(Role.OPERATOR).post("/api/v1/rollouts/1/abort", json={})
    after = metrics(site)
    assert after["srup_alarms_total"] == 1 and after["srup_rollouts", "running"] == 0
    assert not any(name[0] == "srup_rollout_devices" for name in after if isinstance(name, tuple))


@pytest.mark.parametrize(
    ("sent", "word"), [("REVERT", "believed"), ("SELF_DESTRUCT", "believed"), ("REBOOT", "confirmed")]
)
def test_after_an_action_that_changes_what_runs_it_is_not_confirmed_any_more(site, sent, word):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    site.clock.now += 1
    site.c2.ledger.action(fake.device, getattr(actions, sent))
    assert show(site)["runs"]["word"] == word
    frames = site.program(Role.VIEWER).get("/api/v1/devices/kitchen/frames").json()
    assert frames[0]["what"] == f"ACTION {sent}"


def test_a_revert_holds_what_runs_in_doubt_until_it_has_ended_and_the_device_has_spoken(site):
    """What answers an older question may come after it was sent, and is from before."""
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    sent = site.c2.ledger.action(fake.device, actions.REVERT)
    for said in (
        fake.inventory(OLD),
        fake.response(sent.token, status.ACTIVATE_TRIAL),
        fake.inventory(OLD, trial=True),
    ):
        site.clock.now += 1
        site.hear(fake, said)
        assert (show(site)["runs"]["word"], show(site)["runs"]["why"]) == ("believed", "it was sent REVERT since")
    site.clock.now += 1
    site.hear(fake, fake.response(sent.token, status.ACTIVATE_SUCCESS))
    assert show(site)["runs"]["word"] == "believed"
    site.clock.now += 1
    site.hear(fake, fake.inventory(MANIFEST))
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("confirmed", "2.0")


def test_a_revert_that_was_refused_or_is_too_old_to_be_obeyed_leaves_no_doubt(site):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    sent = site.c2.ledger.action(fake.device, actions.REVERT)
    site.hear(fake, fake.response(sent.token, status.ACTION_REFUSED))
    assert show(site)["runs"]["word"] == "confirmed"
    site.c2.ledger.action(fake.device, actions.REVERT)
    site.clock.now += limits.FRESH + 1
    site.hear(fake, fake.inventory(OLD))
    assert show(site)["runs"]["word"] == "confirmed"


def test_an_activate_without_an_answer_leaves_what_runs_in_doubt(site):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    update(site, fake, status.UPDATE_SUCCESS)
    assert show(site)["runs"]["word"] == "confirmed"
    site.c2.ledger.activate(fake.device)
    assert (show(site)["runs"]["word"], show(site)["runs"]["why"]) == ("believed", "it was sent ACTIVATE since")


def test_what_a_device_says_on_trial_is_not_confirmed_by_its_going_back(site):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    update(site, fake, status.UPDATE_SUCCESS, status.ACTIVATE_TRIAL)
    sent = site.c2.ledger.latest_update(fake.device)
    site.hear(fake, fake.inventory(MANIFEST, {sent.token: status.ACTIVATE_TRIAL}, trial=True))
    site.clock.now += 1
    site.hear(fake, fake.response(sent.token, status.ACTIVATE_REVERTED))
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("believed", "2.0")
    site.clock.now += 1
    site.hear(fake, fake.inventory(OLD))
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("confirmed", "1.0")


def test_what_one_frame_says_it_says_at_one_time(site, monkeypatch):
    """However long it takes to be judged: that it is back is no news since the inventory which tells of that, and is its evidence."""
    fake = site.device()
    update(site, fake, status.UPDATE_SUCCESS, status.ACTIVATE_TRIAL)
    sent = site.c2.ledger.latest_update(fake.device)

    def ticks(clock):
        clock.now += 1
        return clock.now

    monkeypatch.setattr(type(site.clock), "__call__", ticks)
    site.hear(fake, fake.inventory(OLD, {sent.token: status.ACTIVATE_REVERTED}))
    runs = show(site)["runs"]
    assert (runs["word"], runs["version"]) == ("confirmed", "1.0") and runs["evidence"]


def test_an_update_on_trial_is_not_forgotten_for_the_next_one_that_was_sent(site):
    """The device takes that up when the trial is over."""
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    first = update(site, fake, status.UPDATE_SUCCESS, status.ACTIVATE_TRIAL)
    site.clock.now += 1
    second = update(site, fake)
    assert (show(site)["runs"]["word"], show(site)["runs"]["why"]) == ("believed", "thermometer 2.0 is on trial there")
    site.clock.now += 1
    site.hear(fake, fake.response(first.token, status.ACTIVATE_REVERTED))
    assert show(site)["runs"]["word"] == "believed"
    site.clock.now += 1
    site.hear(fake, fake.inventory(OLD, {second.token: status.UPDATE_SUCCESS}))
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("confirmed", "1.0")


def test_who_comes_back_from_a_trial_is_asked_what_it_runs(site, crowd):
    crowd.device("kitchen", "bad")
    body = {"bundle": crowd.release(), "policy": {"waves": ["100%"]}}
    site.program(Role.OPERATOR).post("/api/v1/rollouts", json=body)
    crowd.play()
    assert next(iter(crowd.played.values())).got[-1] == "ID_REQUEST"
    assert (show(site)["runs"]["word"], show(site)["runs"]["version"]) == ("confirmed", "1.0")


def test_a_newcomer_that_is_online_before_anybody_has_looked_for_it_is_online(site):
    fake = FakeDevice(site.fleet, "new")
    site.c2.note_state(fake.uuid, True)
    site.c2.note_state("00000000-0000-4000-8000-000000000000", True)  # nobody
    figures = site.program(Role.VIEWER).get("/api/v1/fleet").json()
    assert (figures["devices"], figures["online"]) == (1, 1)


def test_who_was_connected_before_it_was_let_in_is_online_from_then_on(site):
    stranger = uuid.uuid4()
    site.c2.note_state(str(stranger), True)
    site.c2.met(str(stranger))  # it asks to join
    FakeDevice(site.fleet, "new", identity=stranger)
    site.c2.met(str(stranger))
    figures = site.program(Role.VIEWER).get("/api/v1/fleet").json()
    assert (figures["devices"], figures["online"]) == (1, 1)


def test_each_device_is_asked_once_a_heartbeat_what_it_runs(site):
    kitchen, cellar = site.device(), site.device("cellar")
    assert heartbeat.ask(site.c2) == 2 and heartbeat.ask(site.c2) == 0
    assert {sent.device for sent in site.published} == {kitchen.uuid, cellar.uuid}
    site.hear(kitchen, kitchen.inventory(OLD))
    site.clock.now += HEARTBEAT_MS // 2
    site.hear(cellar, cellar.inventory(OLD))
    site.clock.now += HEARTBEAT_MS // 2 + 1
    site.published.clear()
    assert heartbeat.ask(site.c2) == 1 and site.published[0].device == kitchen.uuid
