"""Roll-outs, told as stories: waves, bad releases, devices that lie or fall silent, people who stop and approve."""

import pytest

from srup import status
from srup_host import hosting, keyfiles, signing
from srup_host.console import Failure
from srup_host.server import choosing, rollout_dispatch, rollouts
from srup_host.server.roles import Role
from srup_host.server.rollout_dispatch import Dispatch
from srup_host.server.rollout_watch import Watch
from srup_host.server.runner import SYNC_MS, Runner

MINUTE = 60_000


def create(operator, crowd, code=201, **body):
    policy = {"waves": ["2", "50%", "100%"]} | body.pop("policy", {})
    answer = operator.post("/api/v1/rollouts", json={"bundle": crowd.release(), "policy": policy} | body)
    assert answer.status_code == code, answer.text
    return answer.json()


def show(operator, number=1):
    return operator.get(f"/api/v1/rollouts/{number}").json()


def events(operator, device="", number=1):
    told = operator.get(f"/api/v1/rollouts/{number}/events", params={"size": 500, "device": device}).json()
    return [event["event"] for event in reversed(told)]


def test_a_good_release_reaches_everybody_wave_by_wave(crowd, operator):
    crowd.devices(good=10)
    made = create(operator, crowd)
    assert (made["state"], made["devices"], made["waves"]) == ("running", 10, 3)
    crowd.play()
    shown = show(operator)
    assert (shown["state"], shown["states"]) == ("done", {"confirmed": 10})
    assert [sum(wave.values()) for wave in shown["by_wave"]] == [2, 3, 5]
    assert events(operator).count("wave") == 2
    uuid = next(iter(crowd.played))
    assert events(operator, uuid) == ["begin", "fetched", "go", "tried", "succeeded", "agreed"]
    fleet = operator.get("/api/v1/fleet").json()
    assert fleet["versions"] == [{"app": "thermometer", "version": "2.0", "devices": 10}]


def test_a_wave_begins_only_when_the_one_before_is_over(crowd, operator):
    crowd.devices(good=10)
    create(operator, crowd)
    crowd.runner.round()
    asked = {sent.device for sent in crowd.site.published if sent.name == "INITIATE"}
    assert len(asked) == 2
    crowd.play()
    first = [
        event["device"]
        for event in reversed(operator.get("/api/v1/rollouts/1/events?size=500").json())
        if event["device"]
    ]
    last_of_canaries = max(position for position, device in enumerate(first) if device in asked)
    assert set(first[: last_of_canaries + 1]) == asked


def test_a_bad_release_stops_itself_with_no_more_than_the_canaries_touched(crowd, operator):
    crowd.devices(good=0, bad=20)
    create(operator, crowd, policy={"waves": ["3", "100%"]})
    crowd.play()
    shown = show(operator)
    assert shown["state"] == "aborted" and "have failed" in shown["why"]
    assert shown["states"] == {"failed": 3, "left out": 17}
    assert sum("INITIATE" in played.got for played in crowd.played.values()) == 3
    assert {played.runs["version"] for played in crowd.played.values()} == {"1.0"}


def test_a_few_failures_are_borne(crowd, operator):
    crowd.devices(good=29, bad=1)
    create(operator, crowd, policy={"waves": ["100%"]})
    crowd.play()
    shown = show(operator)
    assert (shown["state"], shown["states"]) == ("done", {"confirmed": 29, "failed": 1})
    failed = operator.get("/api/v1/rollouts/1/devices?state=failed").json()["devices"]
    assert [(one["status"], one["why"]) for one in failed] == [(status.ACTIVATE_REVERTED, "ACTIVATE_REVERTED")]


def test_a_gate_that_is_not_passed_pauses_and_a_person_may_open_it(crowd, operator):
    crowd.devices(good=20)
    crowd.release()
    for played in list(crowd.played.values()):
        played.ways = ["good"]
    made = create(operator, crowd, policy={"waves": ["4", "100%"], "abort": 0.5, "success": 0.9})
    canary = operator.get("/api/v1/rollouts/1/devices").json()["devices"][0]["device"]
    crowd.played[canary].ways = ["bad"]
    crowd.play()
    assert made["waves"] == 2
    shown = show(operator)
    assert shown["state"] == "paused" and "3 of 4 confirmed" in shown["why"]
    assert operator.post("/api/v1/rollouts/1/resume", json={"why": "a loose cable"}).json()["wave"] == 1
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 19, "failed": 1}


def test_a_success_that_was_lost_on_the_way_is_found_by_asking(crowd, operator):
    """The broker died between the two answers to a confirm, and kept nothing."""
    unheard = crowd.device("unheard", "unheard")
    create(operator, crowd, policy={"waves": ["100%"]})
    crowd.play()
    assert show(operator)["states"] == {"on trial": 1} and unheard.runs["version"] == "2.0"
    crowd.site.clock.now += rollout_dispatch.AGAIN_MS
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 1}


def test_a_download_that_fails_is_tried_again_later_and_not_for_ever(crowd, operator):
    flaky = crowd.device("flaky", status.UPDATE_FAIL_SERVER, status.UPDATE_FAIL_HTTP, "good")
    hopeless = crowd.device("hopeless", status.UPDATE_FAIL_SERVER)
    create(operator, crowd, policy={"waves": ["100%"], "abort": 1, "attempts": 3, "backoff_s": 60})
    crowd.play()
    assert flaky.got.count("INITIATE") == 1
    crowd.site.clock.now += 60_000
    crowd.play()
    assert flaky.got.count("INITIATE") == 2
    crowd.site.clock.now += 60_000
    crowd.play()
    assert flaky.got.count("INITIATE") == 2  # the second wait is twice as long
    crowd.site.clock.now += 60_000
    crowd.play()
    assert (flaky.got.count("INITIATE"), hopeless.got.count("INITIATE")) == (3, 3)
    assert show(operator)["states"] == {"confirmed": 1, "failed": 1}


@pytest.mark.parametrize("value", [status.UPDATE_FAIL_BOARD, status.UPDATE_FAIL_DOWNGRADE, status.UPDATE_FAIL_BUNDLE])
def test_what_can_never_work_is_not_tried_again(crowd, operator, value):
    device = crowd.device("kitchen", value)
    create(operator, crowd, policy={"abort": 1})
    crowd.play()
    assert device.got.count("INITIATE") == 1 and show(operator)["states"] == {"failed": 1}


def test_a_device_that_says_it_is_confirmed_and_runs_something_else_is_no_success(crowd, operator):
    crowd.device("liar", "liar")
    create(operator, crowd, policy={"timeout_s": 60, "abort": 1})
    crowd.play()
    assert show(operator)["states"] == {"reported": 1}
    crowd.site.clock.now += 2 * MINUTE
    crowd.play()
    assert show(operator)["states"] == {"failed": 1}
    assert "said to be confirmed" in operator.get("/api/v1/devices/liar").json()["alarms"][0]["why"]


def test_a_device_that_falls_silent_holds_nobody_up(crowd, operator):
    crowd.device("gone", "silent")
    crowd.devices(good=5)
    create(operator, crowd, policy={"waves": ["100%"], "timeout_s": 600, "abort": 0.5})
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 5, "staging": 1}
    crowd.site.clock.now += 601_000
    crowd.play()
    shown = show(operator)
    assert (shown["state"], shown["states"]) == ("done", {"confirmed": 5, "failed": 1})


def test_a_device_that_fails_again_and_again_is_put_in_quarantine_and_left_out(crowd, operator):
    crowd.device("kitchen", "bad")
    for number in (1, 2):
        create(operator, crowd, policy={"quarantine_after": 2, "abort": 1})
        crowd.play()
        assert show(operator, number)["states"] == {"failed": 1}
    shown = operator.get("/api/v1/devices/kitchen").json()
    assert shown["quarantined"] and "2 updates failed" in shown["quarantined_why"]
    create(operator, crowd)
    crowd.play()
    assert (show(operator, 3)["state"], show(operator, 3)["states"]) == ("done", {"left out": 1})
    operator.delete("/api/v1/devices/kitchen/quarantine")
    next(iter(crowd.played.values())).ways = ["good"]
    create(operator, crowd)
    crowd.play()
    assert show(operator, 4)["states"] == {"confirmed": 1}


def test_pause_begins_nothing_and_finishes_what_is_on_trial(crowd, operator):
    crowd.devices(good=6)
    create(operator, crowd)
    crowd.runner.round()
    crowd.deliver()  # staged
    crowd.runner.round()
    crowd.deliver()  # on trial
    operator.post("/api/v1/rollouts/1/pause", json={"why": "lunch"})
    crowd.play()
    shown = show(operator)
    assert (shown["state"], shown["states"]) == ("paused", {"confirmed": 2, "pending": 4})
    operator.post("/api/v1/rollouts/1/resume", json={})
    crowd.play()
    assert show(operator)["state"] == "done"


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_abort_by_a_person_cancels_what_is_staged_and_confirms_no_trial(crowd, operator, rounds):
    crowd.devices(good=6)
    create(operator, crowd, policy={"waves": ["4", "100%"]})
    for _ in range(rounds):
        crowd.runner.round()
        crowd.deliver()
    operator.post("/api/v1/rollouts/1/abort", json={"why": "wrong bundle"})
    crowd.play()
    shown = show(operator)
    assert shown["state"] == "aborted" and shown["why"] == "wrong bundle"
    assert not [played for played in crowd.played.values() if "DATA confirm" in played.got]
    touched = [played for played in crowd.played.values() if "INITIATE" in played.got]
    assert len(touched) == (4 if rounds else 0)
    if rounds == 1:
        assert all("ACTION" in played.got for played in touched)  # CANCEL
    assert operator.post("/api/v1/rollouts/1/resume", json={}).status_code == 400


def test_who_was_told_to_activate_before_the_abort_is_waited_for(site, crowd, operator):
    """That it had staged it, it had said before: no other roll-out begins with it while it may be on trial, and who goes back is asked."""
    told = crowd.device("told")
    create(operator, crowd, policy={"waves": ["100%"]})
    crowd.runner.round()
    crowd.deliver()
    crowd.runner.round()
    [activate] = [sent for sent in site.published if sent.name == "ACTIVATE"]
    operator.post("/api/v1/rollouts/1/abort", json={})
    site.published.clear()
    for _ in range(3):
        crowd.runner.round()
    create(operator, crowd, policy={"waves": ["100%"]}, name="the next")
    crowd.runner.round()
    assert show(operator)["states"] == {"withdrawn": 1} and show(operator, 2)["states"] == {"pending": 1}
    for frame in told.answer(activate.frame, crowd.manifest):
        site.hear(told.fake, frame)
    crowd.runner.round()
    assert "DATA confirm" not in [sent.name for sent in site.published]
    site.hear(told.fake, told.fake.response(activate.token, status.ACTIVATE_REVERTED))
    crowd.runner.round()
    assert show(operator)["states"] == {"left out": 1}
    assert [sent.name for sent in site.published][-2:] == ["ID_REQUEST", "INITIATE"]


def test_nobody_approves_of_their_own_rollout(site, crowd):
    crowd.devices(good=2)
    ada, bob = site.person(Role.APPROVER, "ada"), site.person(Role.APPROVER, "bob")
    body = {"bundle": crowd.release(), "policy": {"approval": True}}
    made = ada.post("/api/v1/rollouts", json=body, headers={"X-CSRF-Token": ada.csrf}).json()
    assert made["state"] == "waiting"
    crowd.play()
    assert not any("INITIATE" in played.got for played in crowd.played.values())

    def approve(person):
        return person.post("/api/v1/rollouts/1/approve", headers={"X-CSRF-Token": person.csrf})

    assert approve(ada).status_code == 400
    assert approve(bob).json()["approved_by"] == "person:bob"
    assert approve(bob).status_code == 400
    crowd.play()
    assert show(site.program(Role.VIEWER))["state"] == "done"


def test_activation_waits_for_an_approver(site, crowd, operator):
    crowd.devices(good=2)
    create(operator, crowd, policy={"activation": "approval"})
    crowd.play()
    assert show(operator)["states"] == {"staged": 2}
    assert operator.post("/api/v1/rollouts/1/activate").status_code == 403
    assert site.program(Role.APPROVER).post("/api/v1/rollouts/1/activate").status_code == 200
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 2}


def test_activation_at_a_set_time(crowd, operator):
    crowd.devices(good=2)
    at = crowd.site.clock.now + 10 * MINUTE
    create(operator, crowd, policy={"activation": "time", "activate_at": at})
    crowd.play()
    assert show(operator)["states"] == {"staged": 2}
    crowd.site.clock.now = at
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 2}


def test_a_window_and_a_rate_hold_back(crowd, operator):
    crowd.devices(good=9)
    create(operator, crowd, policy={"waves": ["100%"], "rate": 4, "window": "09:00-10:00"})
    crowd.play()  # 08:00 UTC
    assert show(operator)["states"] == {"pending": 9}
    crowd.site.clock.now += 60 * MINUTE
    for expected in (4, 8, 9):
        crowd.play()
        assert show(operator)["states"].get("confirmed") == expected
        crowd.site.clock.now += MINUTE


def test_no_more_trials_begin_than_can_be_confirmed_in_time(crowd, operator, monkeypatch):
    """Trials do not last long: a server that is behind must not begin more of them."""
    monkeypatch.setattr(rollout_dispatch, "TRIALS", 3)
    crowd.devices(good=8)
    create(operator, crowd, policy={"waves": ["100%"]})
    crowd.runner.round()
    crowd.deliver()
    most = 0
    for _ in range(12):
        crowd.runner.round()
        states = show(operator)["states"]
        most = max(most, states.get("activating", 0) + states.get("on trial", 0))
        crowd.deliver()
    assert (most, show(operator)["state"]) == (3, "done")


def test_newcomers_are_taken_in_where_that_is_asked_for(crowd, operator):
    crowd.devices(good=2)
    operator.patch("/api/v1/devices", json={"devices": ["d000", "d001"], "groups": ["roof"]})
    create(operator, crowd, selector={"group": "roof"}, policy={"dynamic": True})
    crowd.play()
    assert (show(operator)["state"], show(operator)["states"]) == ("running", {"confirmed": 2})
    crowd.device("late")
    operator.patch("/api/v1/devices/late", json={"groups": ["roof"]})
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 3}


def test_two_rollouts_do_not_get_in_each_others_way(crowd, operator):
    crowd.devices(good=4)
    create(operator, crowd)
    crowd.runner.round()
    create(operator, crowd)
    crowd.play()
    assert [show(operator, number)["states"] for number in (1, 2)] == [{"confirmed": 4}] * 2
    assert all(not alarm for alarm in crowd.site.c2.ledger.alarms())


def test_two_workers_begin_with_each_device_once(crowd, operator):
    crowd.devices(good=10)
    create(operator, crowd, policy={"waves": ["100%"]})
    other = Runner(crowd.site.c2)
    for _ in range(12):
        other.round()
        crowd.runner.round()
        crowd.deliver()
        crowd.site.clock.now += 10
    assert show(operator)["state"] == "done"
    assert {played.got.count("INITIATE") for played in crowd.played.values()} == {1}
    assert {played.got.count("ACTIVATE") for played in crowd.played.values()} == {1}


def test_a_worker_killed_at_any_frame_loses_nothing_and_sends_no_update_twice(crowd, operator):
    """Killed between recording a frame and publishing it, again and again: the next worker publishes what is unanswered."""
    crowd.devices(good=3)
    create(operator, crowd, policy={"waves": ["100%"]})
    for _ in range(30):
        Runner(crowd.site.c2).round()
        crowd.site.published.clear()  # the crash
        crowd.site.clock.now += 31_000
        crowd.site.published += crowd.site.c2.ledger.unanswered()  # as serve.listen does
        crowd.deliver()
    assert show(operator)["states"] == {"confirmed": 3}
    tokens = {sent.token for sent in crowd.site.c2.ledger.unanswered()}
    assert not tokens
    assert {played.got.count("INITIATE") for played in crowd.played.values()} == {1}


def test_a_rollout_to_nobody_or_of_nothing_is_refused(crowd, operator):
    assert "no devices" in create(operator, crowd, 400)["error"]
    crowd.device("kitchen")
    create(operator, crowd, 404, bundle="0" * 64)
    create(operator, crowd, 404, devices=["nobody"])
    create(operator, crowd, 400, selector={"version": "9.9"})
    create(operator, crowd, 422, policy={"waves": ["x"]})
    assert operator.get("/api/v1/rollouts").json() == []


def test_every_step_has_its_actor_in_the_audit_log(site, crowd, operator):
    crowd.devices(good=0, bad=3)
    create(operator, crowd)
    crowd.play()
    told = site.program(Role.VIEWER).get("/api/v1/audit", params={"size": 500}).json()
    by = {line["action"]: line["actor"] for line in told}
    assert by["roll-out made"] == "token:a-operator" and by["roll-out breach"] == "rollout:1"
    assert by["send INITIATE"] == "rollout:1" and by["send ID_REQUEST"] == "server"


def test_devices_that_are_named_are_joined_by_nobody(crowd, operator):
    """A dynamic roll-out with nothing to match would be to the whole fleet, without a canary."""
    crowd.devices(good=6)
    refused = create(operator, crowd, 400, devices=["d000"], policy={"dynamic": True})
    assert "nobody can join devices that are named" in refused["error"]
    crowd.runner.round()
    assert not [sent for sent in crowd.site.published if sent.name == "INITIATE"]


def test_a_trial_seen_in_the_round_that_aborts_is_not_confirmed(crowd, operator):
    crowd.devices(good=3, bad=1)
    create(operator, crowd, policy={"waves": ["100%"], "abort": 0.1})
    crowd.play()
    assert (show(operator)["state"], show(operator)["states"]["failed"]) == ("aborted", 1)
    assert not [played for played in crowd.played.values() if "DATA confirm" in played.got]
    assert {played.runs["version"] for played in crowd.played.values()} == {"1.0"}


def test_more_such_trials_than_a_batch_has_do_not_hold_the_runner_up(crowd, operator, monkeypatch):
    """What is neither confirmed nor put off would be due again at once, for ever."""
    crowd.devices(good=5, bad=1)
    create(operator, crowd, policy={"waves": ["100%"], "abort": 0.1})
    for _ in range(2):  # staged, activated: all of them at once
        crowd.runner.round()
        crowd.deliver()
    batches = []
    remind = Dispatch._remind

    def counted(self):
        batches.append(remind(self))
        assert len(batches) < 100
        return batches[-1]

    monkeypatch.setattr(rollout_dispatch, "BATCH", 2)
    monkeypatch.setattr(Dispatch, "_remind", counted)
    crowd.play()
    shown = show(operator)
    assert shown["state"] == "aborted" and shown["states"]["failed"] == 1
    assert not [played for played in crowd.played.values() if "DATA confirm" in played.got]


def test_a_person_s_abort_comes_before_the_first_confirm_or_after_it(crowd, operator):
    before, after = crowd.device("before"), crowd.device("after", "unheard")
    create(operator, crowd, devices=["after"], policy={"waves": ["100%"]})
    crowd.play()  # confirmed by us, and what it said of that was lost
    create(operator, crowd, devices=["before"], policy={"waves": ["100%"]})
    for _ in range(2):
        crowd.runner.round()
        crowd.deliver()
    assert Watch(crowd.site.c2, 2).look() == "running" and show(operator, 2)["states"] == {"on trial": 1}
    for number in (1, 2):
        operator.post(f"/api/v1/rollouts/{number}/abort", json={})
    crowd.site.clock.now += rollout_dispatch.AGAIN_MS
    crowd.play()
    assert "DATA confirm" not in before.got and show(operator, 2)["states"] == {"withdrawn": 1}
    assert after.runs["version"] == "2.0" and show(operator, 1)["states"] == {"confirmed": 1}


def test_who_is_put_in_quarantine_while_staged_is_not_activated(crowd, operator):
    smoking = crowd.device("smoking")
    create(operator, crowd, policy={"waves": ["100%"], "activation": "approval"})
    crowd.play()
    assert show(operator)["states"] == {"staged": 1}
    operator.put("/api/v1/devices/smoking/quarantine", json={"why": "smoke"})
    assert crowd.site.program(Role.APPROVER).post("/api/v1/rollouts/1/activate").status_code == 200
    crowd.play()
    assert "ACTIVATE" not in smoking.got and smoking.got[-1] == "ACTION"  # CANCEL
    assert show(operator)["states"] == {"left out": 1}


def test_who_has_left_while_staged_is_sent_nothing(crowd, operator):
    gone = crowd.device("gone")
    create(operator, crowd, policy={"waves": ["100%"], "activation": "approval"})
    crowd.play()
    crowd.site.fleet.retire(gone.fake.uuid)
    crowd.site.clock.now += SYNC_MS
    crowd.site.program(Role.APPROVER).post("/api/v1/rollouts/1/activate")
    got = list(gone.got)
    crowd.play()
    assert (show(operator)["states"], gone.got) == ({"left out": 1}, got)


def test_who_has_left_while_staged_is_sent_no_cancel_by_an_abort_either(crowd, operator):
    gone, there = crowd.device("gone"), crowd.device("there")
    create(operator, crowd, policy={"waves": ["100%"], "activation": "approval"})
    crowd.play()
    crowd.site.fleet.retire(gone.fake.uuid)
    crowd.site.clock.now += SYNC_MS
    crowd.play()
    operator.post("/api/v1/rollouts/1/abort", json={})
    crowd.play()
    assert "ACTION" not in gone.got and "ACTION" in there.got
    assert show(operator)["states"] == {"left out": 2}


def test_the_copy_for_a_device_that_is_left_out_is_public_no_longer(site, crowd, operator):
    crowd.device("sealed", sealing_key=signing.public_bytes(keyfiles.generate()))
    create(operator, crowd, policy={"waves": ["100%"], "seal": True, "activation": "approval"})
    crowd.play()

    def copies():
        return list(hosting.public(site.fleet).glob("*.sealed.srup"))

    assert len(copies()) == 1
    operator.put("/api/v1/devices/sealed/quarantine", json={"why": "smoke"})
    site.program(Role.APPROVER).post("/api/v1/rollouts/1/activate")
    crowd.play()
    assert show(operator)["states"] == {"left out": 1} and copies() == []


def test_a_roll_out_with_which_nobody_was_left_says_so(crowd, operator):
    crowd.device("smoking")
    operator.put("/api/v1/devices/smoking/quarantine", json={"why": "smoke"})
    create(operator, crowd, policy={"waves": ["100%"]})
    crowd.play()
    shown = show(operator)
    assert (shown["state"], shown["states"]) == ("done", {"left out": 1}) and "nobody has tried" in shown["why"]


def test_who_resumes_a_roll_out_lets_soak_what_has_to(site, crowd, operator):
    crowd.devices(good=4)
    create(operator, crowd, policy={"waves": ["1", "100%"], "soak_s": 3600})
    crowd.play()
    operator.post("/api/v1/rollouts/1/pause", json={})
    assert operator.post("/api/v1/rollouts/1/resume", json={}).json()["wave"] == 0
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 1, "pending": 3}
    site.clock.now += 3_600_000
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 4}


def test_canaries_in_quarantine_prove_nothing(crowd, operator):
    crowd.devices(good=6)
    create(operator, crowd, policy={"waves": ["1", "100%"]})
    canary = operator.get("/api/v1/rollouts/1/devices").json()["devices"][0]["device"]
    operator.put(f"/api/v1/devices/{canary}/quarantine", json={"why": "loose cable"})
    crowd.play()
    shown = show(operator)
    assert (shown["state"], shown["states"]) == ("paused", {"left out": 1, "pending": 5})
    assert "nobody has tried this release" in shown["why"]
    operator.post("/api/v1/rollouts/1/resume", json={"why": "it is good"})
    crowd.play()
    assert show(operator)["states"] == {"left out": 1, "confirmed": 5}


def test_what_a_step_has_sent_or_set_aside_is_on_record_with_it(crowd, operator, monkeypatch):
    """A worker may be killed at any moment: half of it would leave a device that can be sent nothing for a week."""
    silent = crowd.device("silent", "silent")
    create(operator, crowd, policy={"waves": ["100%"], "timeout_s": 60})
    crowd.runner.round()
    crowd.deliver()
    crowd.site.clock.now += MINUTE + 1
    ledger = crowd.site.c2.ledger

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ledger, "set_aside", killed)
        Watch(crowd.site.c2, 1).look()
    assert show(operator)["states"] == {"staging": 1}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Watch, "_judge", killed)
        Watch(crowd.site.c2, 1).look()
    assert show(operator)["states"] == {"failed": 1} and ledger.unanswered(silent.fake.device) == []


def test_one_roll_out_that_can_not_go_on_holds_no_other_one_up(crowd, operator, capsys, monkeypatch):
    crowd.device("sealed", sealing_key=signing.public_bytes(keyfiles.generate()))
    crowd.device("other")
    create(operator, crowd, devices=["sealed"], policy={"waves": ["100%"], "seal": True})
    for path in (crowd.site.fleet.directory / "public").iterdir():
        path.unlink()
    create(operator, crowd, devices=["other"], policy={"waves": ["100%"], "activation": "approval"})
    crowd.play()
    assert [show(operator, number)["states"] for number in (1, 2)] == [{"pending": 1}, {"staged": 1}]
    [waiting] = operator.get("/api/v1/rollouts/1/devices").json()["devices"]
    assert "can't read" in waiting["why"]

    def unreadable(self):
        raise Failure("its record can't be read")

    monkeypatch.setattr(Watch, "look", unreadable)
    crowd.runner.round()
    crowd.runner.round()
    told = capsys.readouterr().err
    assert all(told.count(f"roll-out {number} can't go on: its record can't be read") == 1 for number in (1, 2))


def test_those_that_wait_for_a_person_are_left_in_the_database(crowd, operator):
    """A hundred thousand of them, loaded in every round, would be all that a server does."""
    crowd.devices(good=5)
    create(operator, crowd, policy={"waves": ["100%"], "activation": "approval", "timeout_s": 3600})
    crowd.play()
    crowd.site.clock.now += 12 * MINUTE
    watch = Watch(crowd.site.c2, 1)
    with crowd.site.c2.read() as session:
        assert watch._under_way(session, rollouts.one(session, 1)) == []
    crowd.site.program(Role.APPROVER).post("/api/v1/rollouts/1/activate")
    crowd.play()
    assert show(operator)["states"] == {"confirmed": 5}


def test_two_workers_keep_one_rate(crowd, operator, monkeypatch):
    """The second one begins between what the first has read and what it does."""
    crowd.devices(good=30)
    create(operator, crowd, policy={"waves": ["100%"], "rate": 10})
    first, second = Dispatch(crowd.site.c2, 1), Dispatch(crowd.site.c2, 1)
    equals, others = choosing.equals, [second]

    def meanwhile(*what):
        if others:
            others.pop()._begin()
        return equals(*what)

    monkeypatch.setattr(choosing, "equals", meanwhile)
    first._begin()
    assert show(operator)["states"] == {"staging": 10, "pending": 20}
