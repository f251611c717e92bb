"""Two keys, two persons: what can't be undone is ordered by one and signed by another, who has the authority key."""

import pytest

from srup import second, status, wire
from srup_host import keyfiles, signing
from srup_host.server.roles import Role

NONCE = bytes(range(16))


@pytest.fixture
def kitchen(site):
    """A device that has told the nonce of its start."""
    from srup import inventory

    fake = site.device()
    told = {"slot": "none", "trial": 0, "latest": {}, "nonce": inventory.text(NONCE)}
    site.hear(fake, fake.data("inventory", inventory.packed(told)))
    return fake


def order(client, action="SELF_DESTRUCT", name="kitchen"):
    return client.post("/api/v1/devices/kitchen/actions", json={"action": action, "name": name})


def signed(prepared, key):
    elements = {name: bytes.fromhex(prepared[name]) for name in ("target", "token", "parameters")}
    command = elements | {"action": prepared["action"]}
    return signing.second_signature(key, prepared["kind"], command, bytes.fromhex(prepared["nonce"])).hex()


def test_self_destruct_is_ordered_by_one_person_and_signed_by_another(site, kitchen):
    made = order(site.program(Role.OPERATOR))
    assert made.status_code == 202 and made.json()["state"] == "waiting"
    assert site.published == []
    approver = site.program(Role.APPROVER)
    prepared = approver.post("/api/v1/orders/1/prepare").json()
    proof = signed(prepared, site.fleet.private_key("authority"))
    assert approver.post("/api/v1/orders/1/approve", json={"proof": proof}).json()["state"] == "sent"
    [sent] = site.published
    own, given = second.split(wire.decode(sent.frame).elements["parameters"])
    assert given == bytes.fromhex(proof) and given[:16] == NONCE
    assert own.hex() == site.program(Role.VIEWER).get("/api/v1/devices/kitchen").json()["fingerprint"]
    site.hear(kitchen, kitchen.response(sent.token, status.ACTION_SUCCESS))
    assert site.c2.ledger.unanswered() == [] and site.c2.ledger.alarms() == []
    [shown] = site.program(Role.VIEWER).get("/api/v1/orders").json()
    assert (shown["state"], shown["made_by"], shown["ended_by"]) == ("sent", "token:a-operator", "token:a-approver")


@pytest.mark.parametrize("step", ["prepare", "approve"])
def test_nobody_is_two_persons(site, kitchen, step):
    """Whatever role they have."""
    admin = site.program(Role.ADMIN)
    order(admin)
    answer = admin.post(f"/api/v1/orders/1/{step}", json={"proof": "00" * 80} if step == "approve" else None)
    assert answer.status_code == 400 and "whoever made an order" in answer.json()["error"]
    assert site.published == []


def test_a_signature_by_another_key_sends_nothing(site, kitchen):
    order(site.program(Role.OPERATOR))
    approver = site.program(Role.APPROVER)
    prepared = approver.post("/api/v1/orders/1/prepare").json()
    for key in (keyfiles.generate(), site.fleet.private_key("command")):
        answer = approver.post("/api/v1/orders/1/approve", json={"proof": signed(prepared, key)})
        assert answer.status_code == 400 and "no signature of the authority key" in answer.json()["error"]
    assert site.published == []


def test_what_was_sent_in_between_makes_the_token_too_old(site, kitchen):
    """A device would refuse it as stale, so it is prepared anew."""
    order(site.program(Role.OPERATOR))
    approver = site.program(Role.APPROVER)
    prepared = approver.post("/api/v1/orders/1/prepare").json()
    approver.post("/api/v1/devices/kitchen/ask")
    body = {"proof": signed(prepared, site.fleet.private_key("authority"))}
    answer = approver.post("/api/v1/orders/1/approve", json=body)
    assert answer.status_code == 400 and "sent to kitchen since" in answer.json()["error"]
    prepared = approver.post("/api/v1/orders/1/prepare").json()
    body = {"proof": signed(prepared, site.fleet.private_key("authority"))}
    assert approver.post("/api/v1/orders/1/approve", json=body).status_code == 200


def test_an_order_is_sent_once_and_not_after_it_was_withdrawn(site, kitchen):
    operator, approver = site.program(Role.OPERATOR), site.program(Role.APPROVER)
    order(operator)
    prepared = approver.post("/api/v1/orders/1/prepare").json()
    assert operator.post("/api/v1/orders/1/withdraw").json()["state"] == "withdrawn"
    body = {"proof": signed(prepared, site.fleet.private_key("authority"))}
    assert approver.post("/api/v1/orders/1/approve", json=body).status_code == 400
    assert site.published == []


@pytest.mark.parametrize("action", ["SELF_DESTRUCT", "TURN_OFF", "REVERT", "REBOOT"])
def test_a_dangerous_act_asks_for_the_name_of_the_device(site, kitchen, action):
    answer = order(site.program(Role.OPERATOR), action, "ok")
    assert answer.status_code == 400 and "not the name of this device" in answer.json()["error"]
    assert site.published == [] and site.program(Role.VIEWER).get("/api/v1/orders").json() == []


def test_an_action_that_one_key_does_goes_at_once(site, kitchen):
    assert order(site.program(Role.OPERATOR), "SELF_TEST", "").json()["state"] == "sent"
    assert [sent.name for sent in site.published] == ["ACTION"]


def test_the_pages_of_it(site, kitchen):
    person = site.person(Role.OPERATOR)
    headers = {"X-CSRF-Token": person.csrf}
    form = {"action": "TURN_OFF", "name": "kitchen"}
    assert person.post("/devices/kitchen/action", data=form, headers=headers).headers["location"] == "/orders"
    assert "srup order approve" in person.get("/orders").text and "waiting" in person.get("/orders").text
    assert person.post("/orders/1/withdraw", headers=headers).status_code == 303
    assert "withdrawn" in person.get("/orders").text
