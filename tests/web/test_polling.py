"""Devices that sleep: nothing is handed out to who only recorded a poll, and what comes this way counts as what comes by MQTT."""

import base64
import json
import uuid

import pytest

from srup import limits, status, wire, wire_json
from srup_host import keyfiles, signing
from srup_host.fleet import Fleet
from srup_host.receiving import Kind
from srup_host.server import nonces, polling
from srup_host.server.models import AuditLine
from srup_host.server.roles import Role
from srup_host.tables import Evidence
from tests.host.fake_device import NOW


def post(site, fake, frame, what="poll", uuid=None):
    return site.client().post(f"/srup/v1/devices/{uuid or fake.uuid}/{what}", content=wire_json.encode(frame))


def nonce(site, fake):
    answer = post(site, fake, fake.data("poll", b""))
    assert (answer.status_code, answer.json()["messages"]) == (401, [])
    return unpadded(answer.json()["nonce"])


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def waiting(answer):
    """The frames of an answer, by their JSON."""
    assert answer.status_code == 200
    return [wire_json.decode(json.dumps(message).encode()) for message in answer.json()["messages"]]


def test_what_waits_is_handed_out_until_it_is_answered_and_the_same_bytes_as_to_the_broker(site):
    fake = site.device()
    sent = site.c2.send(site.c2.ledger.action, fake.device, 1)
    first = post(site, fake, fake.data("poll", nonce(site, fake)))
    assert waiting(first) == [sent.frame] == [frame.frame for frame in site.published]
    second = post(site, fake, fake.data("poll", unpadded(first.json()["nonce"])))
    assert waiting(second) == [sent.frame], "not answered yet"
    assert post(site, fake, fake.response(sent.token, status.ACTION_SUCCESS), "messages").status_code == 204
    assert waiting(post(site, fake, fake.data("poll", unpadded(second.json()["nonce"])))) == []
    assert site.c2.ledger.transaction(fake.device, sent.token).status == status.ACTION_SUCCESS


def test_at_most_eight_the_oldest_first(site):
    fake = site.device()
    sent = [site.c2.send(site.c2.ledger.id_request, fake.device) for _ in range(10)]
    assert waiting(post(site, fake, fake.data("poll", nonce(site, fake)))) == [one.frame for one in sent[:8]]


def test_an_answer_is_no_longer_than_a_device_reads():
    key = keyfiles.generate()
    elements = {"target": bytes(16), "token": bytes(16), "name": b"app.x", "value": bytes(limits.VALUE)}
    frames = [signing.sign_frame(key, wire.DATA, elements)] * 8
    body = polling.polled(bytes(22), frames).body
    assert 5 <= len(json.loads(bytes(body))["messages"]) < 8 and len(body) <= limits.POLL_BODY


def test_what_a_device_would_refuse_as_too_old_is_not_handed_out(site):
    fake = site.device()
    site.c2.send(site.c2.ledger.action, fake.device, 1)
    site.clock.now += limits.FRESH + 1
    assert waiting(post(site, fake, fake.data("poll", nonce(site, fake)))) == []


def test_a_recorded_poll_gets_nothing(site):
    fake = site.device()
    recorded = fake.data("poll", nonce(site, fake))
    assert post(site, fake, recorded).status_code == 200
    site.c2.send(site.c2.ledger.action, fake.device, 1)
    again = post(site, fake, recorded)
    assert (again.status_code, again.json()["messages"]) == (401, [])


def test_a_nonce_is_for_one_device_and_two_days(site):
    fake, other = site.device(), site.device("porch")
    site.c2.send(site.c2.ledger.action, fake.device, 1)
    foreign = nonce(site, other)
    assert post(site, fake, fake.data("poll", foreign)).status_code == 401
    own = nonce(site, fake)
    for changed in (own[:-1], own + b"\0", bytes((own[0] ^ 1,)) + own[1:], own[:-1] + bytes((own[-1] ^ 1,))):
        assert post(site, fake, fake.data("poll", changed)).status_code == 401
    site.clock.now += nonces.FRESH_MS + 1
    assert post(site, fake, fake.data("poll", own)).status_code == 401


def test_nobody_polls_for_another_device(site):
    fake, other = site.device(), site.device("porch")
    site.c2.send(site.c2.ledger.action, fake.device, 1)
    fresh = nonce(site, fake)
    assert post(site, fake, other.data("poll", fresh)).status_code == 401
    assert post(site, fake, other.data("poll", fresh, target=fake.device.target)).status_code == 401
    assert post(site, fake, fake.data("inventory", fresh)).status_code == 401
    assert post(site, fake, fake.response(bytes(16), 0)).status_code == 401
    unknown = "00000000-0000-4000-8000-000000000000"
    assert post(site, fake, fake.data("poll", fresh), uuid=unknown).status_code == 401


def test_a_poll_without_a_fresh_nonce_costs_no_signature_and_leaves_no_trace(site):
    fake = site.device()
    judged = []
    site.c2.ledger.received = lambda *what: judged.append(what)
    for value in (b"", b"stale", bytes(22)):
        assert post(site, fake, fake.data("poll", value)).status_code == 401
    assert not judged


@pytest.mark.parametrize("what", ["poll", "messages"])
def test_who_guesses_devices_waits_for_no_lock_and_leaves_no_trace(site, what, monkeypatch):
    """Anybody may ask here, and with a nonce for whatever he likes; a fleet may have a hundred thousand files."""
    fake = site.device()
    guesses = [str(uuid.uuid4()) for _ in range(50)] + [f"guess-{number}" for number in range(49)] + ["kitchen"]
    frames = [fake.data("poll", site.c2.nonces.make(guess)) for guess in guesses]
    monkeypatch.setattr(Fleet, "devices", lambda fleet: pytest.fail("all devices are read"))
    monkeypatch.setattr(site.c2.ledger, "received", lambda *what: pytest.fail("the writer's lock is taken"))
    answers = [post(site, fake, frame, what, guess).status_code for guess, frame in zip(guesses, frames, strict=True)]
    assert answers == [401 if what == "poll" else 204] * 50 + [404] * 50
    assert site.c2.ledger.alarms() == []


def test_a_uuid_in_another_form_than_a_devices_own_is_none(site):
    fake = site.device()
    fresh = nonce(site, fake)
    for what in ("poll", "messages"):
        for bent in (fake.uuid.upper(), fake.uuid.replace("-", ""), fake.device.name):
            answer = post(site, fake, fake.data("poll", fresh), what, bent)
            assert answer.status_code == 404 and answer.json()["error"] == "this is no device's UUID"


def test_polls_fill_neither_evidence_nor_audit_log(site):
    fake = site.device()
    fresh = nonce(site, fake)
    with site.c2.read() as session:
        before = session.query(AuditLine).count(), session.query(Evidence).count()
    for _ in range(5):
        assert post(site, fake, fake.data("poll", fresh)).status_code == 200
    with site.c2.read() as session:
        assert (session.query(AuditLine).count(), session.query(Evidence).count()) == before


def test_what_is_handed_in_is_judged_as_what_comes_by_mqtt(site):
    fake = site.device()
    heard = []
    site.c2.hear = heard.append
    frames = fake.inventory(), fake.response(bytes(16), 0), fake.response(bytes(16), 0, key=site.device("porch").key)
    for frame in frames:
        assert post(site, fake, frame, "messages").status_code == 204
    assert [event.kind for event in heard] == [Kind.INVENTORY, Kind.ALARM, Kind.REFUSED]


def test_what_the_broker_still_had_when_the_device_began_to_poll_is_taken_late(site):
    """It comes by another way than what is newer, which a poll is, and any frame that is handed in."""
    fake = site.device()
    held, polled = fake.data("self-test", b"good"), fake.data("poll", nonce(site, fake))
    assert post(site, fake, polled).status_code == 200
    assert site.hear(fake, held).kind is Kind.DATA
    held, handed_in = fake.data("self-test", b"bad"), fake.inventory()
    assert post(site, fake, handed_in, "messages").status_code == 204
    assert site.hear(fake, held).kind is Kind.DATA
    assert site.c2.ledger.values(fake.device, 0) == {"self-test": "bad"} and site.c2.ledger.alarms() == []


def test_what_is_no_frame_is_malformed(site):
    fake = site.device()
    good = wire_json.encode(fake.data("poll", b""))
    for what in ("poll", "messages"):
        for text in ("", "{}", good[:-1], good.replace('"type"', '"kind"'), f"[{good}]"):
            answer = site.client().post(f"/srup/v1/devices/{fake.uuid}/{what}", content=text)
            assert answer.status_code == 400 and "frame" in answer.json()["error"]
        long = good + " " * limits.POLL_BODY
        assert site.client().post(f"/srup/v1/devices/{fake.uuid}/{what}", content=long).status_code == 413


def test_a_device_that_polls_has_been_seen(site):
    fake = site.device()
    fresh = nonce(site, fake)
    site.clock.now = NOW + 5000
    post(site, fake, fake.data("poll", fresh))
    assert site.program(Role.VIEWER).get("/api/v1/devices/kitchen").json()["seen"] == NOW + 5000
