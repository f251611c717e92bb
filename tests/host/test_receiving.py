"""The receiver's half of protocol.md, section 3: which frames of devices count, and what an answer changes."""

import json
import uuid

import aiomqtt
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from srup import inventory, status, tokens, wire
from srup_host import signing
from srup_host.console import Failure
from srup_host.courier import Courier
from srup_host.fleet import Fleet
from srup_host.ledger import Ledger
from srup_host.receiving import LATE_MS, Kind
from srup_host.server import registry
from srup_host.server.errors import Unavailable
from srup_host.tables import Evidence, Transaction
from tests.host.fake_device import NOW, FakeDevice
from tests.host.ledgers import MANIFEST, OLD, answer, initiate, on_trial, staged


def test_lost_answers_are_found_in_the_inventory(ledger, kitchen):
    sent = initiate(ledger, kitchen)
    ledger.id_request(kitchen.device)
    ledger.received(kitchen.uuid, kitchen.inventory(OLD, {sent.token: status.UPDATE_SUCCESS}))
    assert ledger.unanswered() == []
    ledger.activate(kitchen.device)
    event = ledger.received(kitchen.uuid, kitchen.inventory(MANIFEST, {sent.token: status.ACTIVATE_TRIAL}, trial=True))
    assert event.confirm == sent.token


def restored(ledger, device, sent):
    """As srup restore does with what was open in the copy."""
    ledger.set_aside(device.device)
    with ledger.together() as session:
        session.get_one(Transaction, (device.uuid, sent.token)).lost = True


def test_a_server_that_knows_no_activate_of_its_own_believes_the_inventory(ledger, kitchen):
    """It was restored from a copy that is older than the ACTIVATE."""
    sent = initiate(ledger, kitchen)
    restored(ledger, kitchen, sent)
    event = ledger.received(kitchen.uuid, kitchen.inventory(MANIFEST, {sent.token: status.ACTIVATE_SUCCESS}))
    assert event.kind is Kind.INVENTORY and ledger.alarms() == []
    assert ledger.latest_update(kitchen.device).confirmed


def test_an_answer_to_an_activate_that_nobody_has_sent_is_an_alarm_unless_the_server_was_restored(ledger, kitchen):
    """Nobody but us can have sent ACTIVATE: who has, has our key. Nor is it our own doing where we have given the update up."""
    sent = initiate(ledger, kitchen)
    event = answer(ledger, kitchen, sent, status.ACTIVATE_TRIAL)
    assert (event.kind, event.why) == (Kind.ALARM, "ACTIVATE_TRIAL after nothing yet")
    ledger.set_aside(kitchen.device)
    assert answer(ledger, kitchen, sent, status.ACTIVATE_TRIAL).confirm is None
    told = ledger.received(kitchen.uuid, kitchen.inventory(OLD, {sent.token: status.ACTIVATE_TRIAL}))
    assert (told.kind, told.confirm) == (Kind.ALARM, None)
    restored(ledger, kitchen, sent)
    event = answer(ledger, kitchen, sent, status.ACTIVATE_TRIAL)
    assert (event.kind, event.confirm) == (Kind.ANSWER, sent.token)


def test_a_frame_that_comes_again_because_the_database_had_gone_is_no_second_board(ledger, kitchen):
    """What is newer has come by another way meanwhile, and is on record."""
    first, second = kitchen.data("app.a", b"1"), kitchen.data("app.b", b"2")
    with pytest.raises(Unavailable), ledger.together():
        ledger.received(kitchen.uuid, first)
        raise OperationalError("commit", {}, Exception("gone"))
    ledger.received(kitchen.uuid, second, by="https")
    assert ledger.received(kitchen.uuid, first).kind is Kind.DATA and ledger.alarms() == []


def test_an_id_request_is_answered_by_the_inventory(ledger, kitchen):
    asked = ledger.id_request(kitchen.device)
    assert not ledger.transaction(kitchen.device, asked.token).agreed
    ledger.received(kitchen.uuid, kitchen.inventory(OLD))
    assert ledger.transaction(kitchen.device, asked.token).agreed
    assert ledger.unanswered() == []


def test_the_same_answer_again_changes_nothing(ledger, kitchen):
    sent = staged(ledger, kitchen)
    assert answer(ledger, kitchen, sent, status.UPDATE_SUCCESS).kind is Kind.DUPLICATE
    assert ledger.latest_update(kitchen.device).seen == b"\x00"
    assert ledger.alarms() == []


def test_the_first_terminal_status_counts_and_a_different_later_one_is_an_alarm(ledger, kitchen):
    sent = initiate(ledger, kitchen)
    answer(ledger, kitchen, sent, status.UPDATE_FAIL_FILE)
    event = answer(ledger, kitchen, sent, status.UPDATE_SUCCESS)
    assert event.kind is Kind.ALARM and event.why == "UPDATE_SUCCESS after UPDATE_FAIL_FILE"
    assert ledger.latest_update(kitchen.device).status == status.UPDATE_FAIL_FILE
    assert [(alarm.device, alarm.why) for alarm in ledger.alarms()] == [(kitchen.uuid, event.why)]
    assert ledger.alarms()[0].frame == kitchen_frame(kitchen, sent, status.UPDATE_SUCCESS)


def kitchen_frame(board, sent, value):
    return board.response(sent.token, value)  # RFC 6979: the same bytes every time


def test_an_answer_under_a_token_that_was_never_sent_is_an_alarm(ledger, kitchen):
    event = ledger.received(kitchen.uuid, kitchen.response(kitchen.token(), status.UPDATE_SUCCESS))
    assert event.kind is Kind.ALARM and "never sent" in event.why


def test_an_answer_to_another_devices_command_is_an_alarm(ledger, fleet, kitchen):
    cellar = FakeDevice(fleet, "cellar")
    sent = initiate(ledger, kitchen)
    assert ledger.received(cellar.uuid, cellar.response(sent.token, status.UPDATE_SUCCESS)).kind is Kind.ALARM
    assert ledger.latest_update(kitchen.device).status is None


def test_data_in_order_and_never_twice(ledger, kitchen):
    early, late = kitchen.token(), kitchen.token()
    frame = kitchen.data("self-test", b"good", late)
    event = ledger.received(kitchen.uuid, frame)
    assert (event.kind, event.name, event.value) == (Kind.DATA, "self-test", b"good")
    assert ledger.received(kitchen.uuid, frame).kind is Kind.DUPLICATE  # QoS 1 may deliver it again
    for another in (kitchen.data("self-test", b"bad", early), kitchen.data("self-test", b"bad", late)):
        event = ledger.received(kitchen.uuid, another)
        assert event.kind is Kind.ALARM and event.why == "DATA with a token not above its last"


def test_an_alarm_is_recorded_once_however_often_its_frame_comes(ledger, kitchen):
    sent = initiate(ledger, kitchen)
    for value in (status.UPDATE_FAIL_FILE, *[status.UPDATE_FAIL_HTTP] * 3):
        event = answer(ledger, kitchen, sent, value)
    assert event.kind is Kind.ALARM and len(ledger.alarms()) == 1


def test_two_that_listen_to_the_same_device_take_each_frame_once(ledger, fleet, kitchen, clock):
    """`srup send` beside `srup serve`: whoever is second hears a duplicate, and may act on it all the same."""
    other = Ledger(fleet, clock)
    sent = on_trial(ledger, kitchen)
    event = answer(other, kitchen, sent, status.ACTIVATE_TRIAL)
    assert (event.kind, event.confirm) == (Kind.DUPLICATE, sent.token)
    inventory = kitchen.inventory(OLD)
    assert [one.received(kitchen.uuid, inventory).kind for one in (ledger, other)] == [Kind.INVENTORY, Kind.DUPLICATE]
    assert other.alarms() == []
    other.close()


# One device's frames, and several who listen


@pytest.fixture
def other(fleet, clock):
    """Another process that listens to the same devices."""
    other = Ledger(fleet, clock)
    yield other
    other.close()


def test_what_is_overtaken_on_its_way_to_another_listener_is_taken_late_and_once(ledger, other, kitchen):
    early, late = kitchen.data("self-test", b"good"), kitchen.inventory(OLD)
    other.received(kitchen.uuid, late)
    event = ledger.received(kitchen.uuid, early)
    assert (event.kind, event.name, event.value) == (Kind.DATA, "self-test", b"good")
    assert ledger.values(kitchen.device, 0) == {"self-test": "good"}
    assert [one.received(kitchen.uuid, early).kind for one in (ledger, other)] == [Kind.DUPLICATE, Kind.DUPLICATE]
    assert ledger.alarms() == [] and ledger.inventory(kitchen.device)["version"] == "1.0"


def test_of_two_values_the_newest_is_the_devices_newest_whichever_came_last(ledger, other, kitchen):
    frames = [kitchen.data("app.door", value) for value in (b"open", b"shut")]
    other.received(kitchen.uuid, frames[1])
    ledger.received(kitchen.uuid, frames[0])
    assert ledger.values(kitchen.device, 0) == {"app.door": "shut"}


def test_a_name_that_is_no_ascii_hides_no_other_value(ledger, kitchen):
    bent = {"target": kitchen.device.target, "token": kitchen.token(), "name": b"\xff\0", "value": b"\xff"}
    ledger.received(kitchen.uuid, signing.sign_frame(kitchen.key, wire.DATA, bent))
    ledger.received(kitchen.uuid, kitchen.data("app.door", b"shut"))
    assert ledger.values(kitchen.device, 0) == {"\ufffd\0": "\ufffd", "app.door": "shut"}


def test_workers_that_share_a_subscription_hear_in_no_order(fleet, ledger, kitchen):
    """One has died: what it had in its hands is handed to the other, which has heard what is newer itself."""
    early, late = kitchen.data("self-test", b"good"), kitchen.inventory(OLD)
    worker = Courier(fleet, ledger, lasting=True, worker="one")
    events = worker._take([message(f"srup/{kitchen.uuid}/up", frame) for frame in (late, early)])
    assert [event.kind for event in events] == [Kind.INVENTORY, Kind.DATA]
    assert ledger.values(kitchen.device, 0) == {"self-test": "good"} and ledger.alarms() == []


def message(topic, payload):
    return aiomqtt.Message(topic, payload, qos=1, retain=False, mid=1, properties=None)


def test_what_came_by_https_does_not_shut_out_what_the_broker_still_had(ledger, kitchen):
    early, late = kitchen.data("app.log", b"1"), kitchen.data("app.log", b"2")
    assert ledger.received(kitchen.uuid, late, "https").kind is Kind.DATA
    assert ledger.received(kitchen.uuid, early, "mqtt").kind is Kind.DATA
    older = kitchen.data("app.log", b"0", tokens.first_at(NOW - 1))
    assert ledger.received(kitchen.uuid, older, "mqtt").kind is Kind.ALARM


def test_a_late_inventory_is_evidence_of_how_it_was_and_changes_nothing(ledger, other, kitchen):
    sent = on_trial(ledger, kitchen)
    early = kitchen.inventory(OLD, {sent.token: status.ACTIVATE_REVERTED})
    other.received(kitchen.uuid, kitchen.inventory(MANIFEST, {sent.token: status.ACTIVATE_TRIAL}, trial=True))
    event = ledger.received(kitchen.uuid, early)
    assert (event.kind, event.confirm) == (Kind.INVENTORY, None)
    assert ledger.inventory(kitchen.device)["version"] == "2.0"
    assert ledger.latest_update(kitchen.device).status == status.ACTIVATE_TRIAL
    with ledger.together() as session:
        assert registry.one(session, kitchen.uuid).version == "2.0"
    assert ledger.alarms() == []


def resign(board, token):
    return signing.sign_frame(board.key, wire.RESIGN_REQUEST, {"target": board.device.target, "token": token})


def test_a_device_that_resigns_has_left_also_where_that_is_heard_late(ledger, other, fleet, kitchen):
    early = kitchen.token()
    other.received(kitchen.uuid, kitchen.inventory(OLD))
    assert ledger.received(kitchen.uuid, resign(kitchen, early)).kind is Kind.REQUEST
    assert not fleet.has(kitchen.uuid) and ledger.alarms() == []


def test_a_resign_that_was_held_back_does_not_undo_that_the_device_was_let_in_again(ledger, fleet, kitchen):
    """Whoever owns the broker sends it on when a person has let the device in."""
    held_back = resign(kitchen, kitchen.token())
    ledger.note_token(kitchen.device, kitchen.token())
    ledger.join_command(kitchen.device)
    assert ledger.received(kitchen.uuid, held_back, "").kind is Kind.ALARM
    assert fleet.has(kitchen.uuid)


@pytest.mark.parametrize("clock_only", [True, False])
def test_what_is_a_day_older_than_its_last_or_than_now_is_a_replay(ledger, kitchen, clock, clock_only):
    early = kitchen.data("app.log", b"1", tokens.first_at(NOW))
    ledger.received(
        kitchen.uuid, kitchen.data("app.log", b"2", tokens.first_at(NOW + (1 if clock_only else LATE_MS))), ""
    )
    clock.now += LATE_MS if clock_only else 0
    assert ledger.received(kitchen.uuid, early, "").why == "DATA with a token not above its last"


def test_a_token_that_was_used_is_not_taken_late_for_something_else(ledger, kitchen):
    used = kitchen.token()
    for frame in (kitchen.data("app.door", b"shut", used), kitchen.inventory(OLD)):
        ledger.received(kitchen.uuid, frame, "")
    assert ledger.received(kitchen.uuid, kitchen.data("app.door", b"open", used), "").kind is Kind.ALARM
    assert ledger.values(kitchen.device, 0) == {"app.door": "shut"}


def test_a_late_poll_is_never_one(ledger, kitchen):
    """A recorded one can't be told from it."""
    recorded = kitchen.data("poll", b"nonce")
    for frame in (recorded, kitchen.inventory(OLD)):
        ledger.received(kitchen.uuid, frame, "")
    assert ledger.received(kitchen.uuid, recorded, "").kind is Kind.ALARM


def test_an_old_inventory_does_not_replace_the_newest(ledger, kitchen):
    old = kitchen.inventory(OLD)
    ledger.received(kitchen.uuid, kitchen.inventory(MANIFEST))
    assert ledger.received(kitchen.uuid, old).kind is Kind.ALARM
    assert ledger.inventory(kitchen.device)["version"] == "2.0"


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b"{}", b'{"latest": {"zz": 1}}', b'{"latest": [1]}', b"\xff"])
def test_an_inventory_that_makes_no_sense_is_an_alarm(ledger, kitchen, value):
    assert ledger.received(kitchen.uuid, kitchen.data("inventory", value)).kind is Kind.ALARM
    assert ledger.inventory(kitchen.device) is None


def told(**words):
    """An inventory in a device's words, as JSON that any device can write."""
    return json.dumps({"slot": "a", "a": ["lamp", "1.0", 1, ""], "trial": 0, "latest": {}} | words).encode()


BENT = [
    {"a": ["\ud800", "1.0", 1, ""]},  # not to be written as UTF-8
    {"a": ["lamp", "\udfff", 1, ""]},
    {"a": ["lamp", "a\0b", 1, ""]},  # not to be written to PostgreSQL
    {"data": ["lamp", "\x1b[2J", ""]},
    {"note": "\ud800"},
    {"else": [{"\ud800": 1}]},
    {"else": float("inf")},  # of which the API makes no JSON
    {"name": "in the place of what the slot says"},
]


@pytest.mark.parametrize("words", BENT)
def test_an_inventory_that_no_database_takes_is_an_alarm_and_what_comes_with_it_is_on_record(
    ledger, fleet, kitchen, words
):
    """It ended the server, and again after each start: it was never acknowledged."""
    cellar = FakeDevice(fleet, "cellar")
    frames = [(kitchen.uuid, kitchen.data("inventory", told(**words))), (cellar.uuid, cellar.inventory(OLD))]
    assert [event.kind for event in ledger.received_all(frames)] == [Kind.ALARM, Kind.INVENTORY]
    assert [alarm.why for alarm in ledger.alarms()] == ["an inventory that can't be read"]
    assert ledger.inventory(cellar.device)["version"] == "1.0" and ledger.inventory(kitchen.device) is None


def test_a_status_that_is_no_byte_is_an_alarm_and_what_comes_with_it_is_on_record(ledger, fleet, kitchen):
    sent, cellar = staged(ledger, kitchen), FakeDevice(fleet, "cellar")
    bent = kitchen.data("inventory", told(latest={inventory.text(sent.token): 300}))
    events = ledger.received_all([(kitchen.uuid, bent), (cellar.uuid, cellar.inventory(OLD))])
    assert [event.kind for event in events] == [Kind.ALARM, Kind.INVENTORY]


def test_a_genuine_frame_on_a_topic_that_names_its_device_otherwise_is_nobodys(ledger, kitchen):
    """Whoever owns the broker publishes it there; in no form but one is a UUID the device's."""
    ledger.received(kitchen.uuid, kitchen.inventory(OLD))
    bent = kitchen.uuid.upper(), kitchen.device.name, "", kitchen.uuid.replace("-", ""), f"{kitchen.uuid}\n", "../x"
    frame = kitchen.data("app.door", b"shut")
    events = ledger.received_all([*((topic, frame) for topic in bent), (kitchen.uuid, frame)])
    assert [event.kind for event in events] == [Kind.REFUSED] * len(bent) + [Kind.DATA]
    assert [(alarm.count, alarm.why) for alarm in ledger.alarms()] == [(len(bent), "of no device of this fleet")]


def test_a_frame_that_finds_a_fault_of_ours_is_refused_with_a_note_and_the_others_are_on_record(
    ledger, fleet, kitchen, monkeypatch, capsys
):
    cellar, heard = FakeDevice(fleet, "cellar"), registry.heard

    def faulty(session, device, *what):
        heard(session, device, *what)
        if device == kitchen.uuid:
            raise ZeroDivisionError("of ours")

    monkeypatch.setattr(registry, "heard", faulty)
    boards = (cellar, kitchen, cellar)
    events = ledger.received_all([(board.uuid, board.data("app.door", b"shut")) for board in boards])
    assert [event.kind for event in events] == [Kind.DATA, Kind.REFUSED, Kind.DATA]
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert [(alarm.device, alarm.why) for alarm in ledger.alarms()] == [("", "ZeroDivisionError while it was judged")]
    with ledger.together() as session:
        assert [one.device for one in session.scalars(select(Evidence))] == [cellar.uuid] * 2


@pytest.mark.parametrize(
    "fault", [OperationalError("", {}, Exception("gone")), OSError("no room"), Unavailable("gone")]
)
def test_what_can_not_be_recorded_is_not_refused_but_comes_again(ledger, fleet, kitchen, monkeypatch, fault):
    """A frame that is refused is acknowledged."""
    cellar = FakeDevice(fleet, "cellar")

    def faulty(session, device, *what):
        if device == kitchen.uuid:
            raise fault

    monkeypatch.setattr(registry, "heard", faulty)
    frames = [(board.uuid, board.inventory(OLD)) for board in (cellar, kitchen)]
    with pytest.raises(Unavailable):
        ledger.received_all(frames)
    monkeypatch.undo()
    assert [event.kind for event in ledger.received_all(frames)] == [Kind.INVENTORY] * 2 and ledger.alarms() == []


def test_nothing_is_taken_that_the_device_has_not_signed(ledger, fleet, kitchen):
    cellar = FakeDevice(fleet, "cellar")
    sent = initiate(ledger, kitchen)
    good = kitchen.response(sent.token, status.UPDATE_SUCCESS)
    forged = [
        kitchen.response(sent.token, status.UPDATE_SUCCESS, cellar.key),
        kitchen.response(sent.token, status.UPDATE_SUCCESS, fleet.private_key("command")),
        *(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :] for at in range(len(good))),
        *(good[:at] for at in range(len(good))),
        good + b"\0",
        sent.frame,
        kitchen.data("app.x", b"", target=cellar.device.target),
    ]
    for frame in forged:
        event = ledger.received(kitchen.uuid, frame)
        assert event.kind is Kind.REFUSED and event.why
    assert ledger.received("00000000-0000-4000-8000-000000000000", good).kind is Kind.REFUSED
    assert ledger.latest_update(kitchen.device).status is None
    answer(ledger, kitchen, sent, status.UPDATE_SUCCESS)
    assert ledger.latest_update(kitchen.device).status == status.UPDATE_SUCCESS


def test_noise_is_counted_and_does_not_fill_the_disk(ledger, kitchen):
    for _ in range(50):
        ledger.received(kitchen.uuid, b"\x01\x02noise")
    alarms = ledger.alarms()
    assert len(alarms) == 1 and alarms[0].count == 50


def test_noise_of_every_size_is_one_entry(ledger, kitchen):
    for size in range(50):
        ledger.received(kitchen.uuid, kitchen.data("app.x", b"") + bytes(size + 1))
        ledger.received(kitchen.uuid, bytes((1, 0x20 + size)))
    assert [alarm.why for alarm in ledger.alarms()] == ["… trailing bytes", "unknown type …"]


def test_no_device_is_looked_for_among_all_of_them_for_what_is_no_name_of_one(ledger, fleet, kitchen, monkeypatch):
    """To read a hundred thousand files takes seconds, with the writer's lock held."""
    monkeypatch.setattr(Fleet, "devices", lambda fleet: pytest.fail("all devices are read"))
    strangers = [str(uuid.uuid4()) for _ in range(50)] + [f"guess-{number}" for number in range(50)]
    events = ledger.received_all([(stranger, kitchen.inventory(OLD)) for stranger in strangers])
    assert {event.kind for event in events} == {Kind.REFUSED}
    assert [alarm.count for alarm in ledger.alarms()] == [100]
    for text in (strangers[0], strangers[0].upper(), "", "no name", "x" * 33):
        with pytest.raises(Failure, match="no device"):
            fleet.device(text)
    assert fleet.device(kitchen.uuid.upper()) == kitchen.device


def test_a_state_of_what_names_no_device_is_not_looked_at(fleet, ledger, kitchen):
    states = []
    courier = Courier(fleet, ledger, state=lambda *state: states.append(state))
    topics = (kitchen.uuid, kitchen.uuid.upper(), "kitchen")
    assert courier._take([message(f"srup/{topic}/state", b"online") for topic in topics]) == []
    assert states == [(kitchen.uuid, True)]


def test_the_high_s_twin_of_an_answer_is_refused(ledger, kitchen):
    sent = initiate(ledger, kitchen)
    frame = bytearray(kitchen.response(sent.token, status.UPDATE_SUCCESS))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    frame[36:68] = (order - int.from_bytes(frame[36:68], "big")).to_bytes(32, "big")
    event = ledger.received(kitchen.uuid, bytes(frame))
    assert (event.kind, event.why) == (Kind.REFUSED, "high-S")


def test_what_a_device_said_is_kept_as_received(ledger, kitchen):
    sent = staged(ledger, kitchen)
    inventory = kitchen.inventory(OLD)
    ledger.received(kitchen.uuid, inventory)
    with ledger.together() as session:
        kept = [(one.verdict, one.frame) for one in session.scalars(select(Evidence).order_by(Evidence.id))]
    assert kept == [("answer", kitchen_frame(kitchen, sent, 0)), ("inventory", inventory)]
    assert json.loads(json.dumps(ledger.inventory(kitchen.device))) == ledger.inventory(kitchen.device)
