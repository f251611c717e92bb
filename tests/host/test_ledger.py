"""The sender's rules of protocol.md, section 3: what may be sent, when, and what an update comes to."""

import pytest
from sqlalchemy.exc import IntegrityError

from srup import limits, status, tokens, wire
from srup_host import keyfiles, signing
from srup_host.console import Failure
from srup_host.ledger import TOLERANCE, Ledger
from srup_host.receiving import Kind
from srup_host.tables import Sent
from tests.host.fake_device import NOW, FakeDevice
from tests.host.ledgers import DIGEST, MANIFEST, URL, Clock, answer, initiate, on_trial, staged

# Frames out


def test_a_frame_is_signed_by_the_command_key_for_this_device_and_of_now(ledger, kitchen, fleet):
    sent = initiate(ledger, kitchen)
    frame = wire.decode(sent.frame)
    signing.verify_frame(fleet.public_key("command"), frame)
    assert frame.elements == {
        "target": kitchen.device.target,
        "token": sent.token,
        "url": URL.encode(),
        "digest": DIGEST,
    }
    assert tokens.is_token(sent.token) and tokens.milliseconds(sent.token) == NOW
    assert sent.topic == f"srup/{kitchen.uuid}/c2"


def test_tokens_rise_even_while_the_clock_stands_or_steps_back_a_little(ledger, kitchen, clock):
    found = []
    for back in (0, 0, 0, TOLERANCE, 1):
        clock.now = NOW - back
        found.append(ledger.id_request(kitchen.device).token)
    assert found == sorted(set(found))


def test_tokens_rise_across_restarts(fleet, kitchen, clock):
    tokens_of = []
    for _ in range(2):
        ledger = Ledger(fleet, clock)
        tokens_of.append(ledger.id_request(kitchen.device).token)
        ledger.close()
    assert tokens_of[0] < tokens_of[1]


def test_nothing_is_signed_with_a_clock_behind_the_last_token_of_any_device(ledger, fleet, kitchen, clock):
    ledger.id_request(kitchen.device)
    clock.now -= TOLERANCE + 1000
    with pytest.raises(Failure, match="6 s behind"):
        ledger.id_request(FakeDevice(fleet, "cellar").device)
    assert len(ledger.unanswered()) == 1


def test_one_unanswered_command_per_device_at_a_time(ledger, kitchen, clock):
    first = initiate(ledger, kitchen)
    clock.now += 7000
    for attempt in (lambda: ledger.action(kitchen.device, 1), lambda: initiate(ledger, kitchen)):
        with pytest.raises(Failure, match="kitchen has not answered the INITIATE of 7 s ago; wait for the answer"):
            attempt()
    assert [sent.token for sent in ledger.unanswered(kitchen.device)] == [first.token]
    answer(ledger, kitchen, first, status.UPDATE_FAIL_SERVER)
    initiate(ledger, kitchen)


def test_other_devices_and_questions_do_not_wait(ledger, fleet, kitchen):
    initiate(ledger, kitchen)
    initiate(ledger, FakeDevice(fleet, "cellar"))
    ledger.id_request(kitchen.device)
    ledger.id_request(kitchen.device)


def test_two_processes_can_not_both_send(fleet, ledger, kitchen):
    """The database itself refuses a second unanswered command."""
    initiate(ledger, kitchen)
    with pytest.raises(IntegrityError), ledger.together() as session:
        session.add(Sent(device=kitchen.uuid, token=bytes(16), type=wire.ACTION, frame=b"", at=NOW, unanswered=True))
    other = Ledger(fleet, Clock())
    with pytest.raises(Failure, match="not answered"):
        other.action(kitchen.device, 1)
    other.close()


def test_what_was_not_sent_leaves_no_trace(ledger, kitchen):
    with pytest.raises(Failure, match="malformed"):
        ledger.data(kitchen.device, "app.x", bytes(limits.VALUE + 1))
    assert ledger.unanswered() == [] and ledger.last_command(kitchen.device) is None


def test_set_aside_an_answer_still_counts_when_it_comes(ledger, kitchen):
    first = initiate(ledger, kitchen)
    ledger.set_aside(kitchen.device)
    initiate(ledger, kitchen)
    assert answer(ledger, kitchen, first, status.SUPERSEDED).kind is Kind.ANSWER


def test_what_is_too_old_for_the_device_does_not_block(ledger, kitchen, clock):
    initiate(ledger, kitchen)
    clock.now += limits.FRESH + 1
    initiate(ledger, kitchen)


# Updates


def test_activate_has_the_token_of_what_is_staged(ledger, kitchen):
    sent = staged(ledger, kitchen)
    activate = ledger.activate(kitchen.device)
    assert wire.decode(activate.frame).elements == {"token": sent.token}


def test_activate_needs_something_staged(ledger, kitchen):
    with pytest.raises(Failure, match="nothing staged"):
        ledger.activate(kitchen.device)
    sent = initiate(ledger, kitchen)
    with pytest.raises(Failure, match="nothing staged"):
        ledger.activate(kitchen.device)
    answer(ledger, kitchen, sent, status.UPDATE_FAIL_DIGEST)
    with pytest.raises(Failure, match="nothing staged"):
        ledger.activate(kitchen.device)


def test_activate_with_another_command_key_than_the_initiate_is_not_sent(ledger, fleet, kitchen):
    staged(ledger, kitchen)
    other, stem = keyfiles.generate(), fleet.directory / "keys" / "command"
    stem.with_suffix(".pem").write_bytes(keyfiles.private_pem(other))
    with pytest.raises(Failure, match="is not the fleet's command key"):
        ledger.activate(kitchen.device)
    stem.with_suffix(".pub.pem").write_bytes(keyfiles.public_pem(other))
    with pytest.raises(Failure, match="another command key"):
        ledger.activate(kitchen.device)


def test_a_trial_asks_to_be_confirmed_and_the_confirm_names_it(ledger, kitchen):
    sent = staged(ledger, kitchen)
    ledger.activate(kitchen.device)
    event = answer(ledger, kitchen, sent, status.ACTIVATE_TRIAL)
    assert (event.kind, event.confirm) == (Kind.ANSWER, sent.token)
    confirm = ledger.confirm(kitchen.device, sent.token)
    elements = wire.decode(confirm.frame).elements
    assert (elements["name"], elements["value"]) == (b"confirm", sent.token)
    assert elements["token"] > sent.token


def test_a_confirm_is_not_signed_twice_while_it_is_unanswered(ledger, kitchen):
    sent = on_trial(ledger, kitchen)
    confirm = ledger.confirm(kitchen.device, sent.token)
    assert ledger.confirm(kitchen.device, sent.token).frame == confirm.frame
    answer(ledger, kitchen, confirm, status.DATA_UNKNOWN)
    again = answer(ledger, kitchen, sent, status.ACTIVATE_TRIAL)
    assert (again.kind, again.confirm) == (Kind.DUPLICATE, sent.token)
    assert ledger.confirm(kitchen.device, sent.token).frame != confirm.frame


def test_a_late_staged_does_not_answer_the_activate(ledger, kitchen):
    sent = staged(ledger, kitchen)
    activate = ledger.activate(kitchen.device)
    answer(ledger, kitchen, sent, status.UPDATE_SUCCESS)
    assert ledger.is_unanswered(activate)
    answer(ledger, kitchen, sent, status.ACTIVATE_TRIAL)
    assert not ledger.is_unanswered(activate)


def test_reported_is_not_confirmed_until_the_inventory_agrees(ledger, kitchen):
    sent = on_trial(ledger, kitchen)
    answer(ledger, kitchen, sent, status.ACTIVATE_SUCCESS)
    reported = ledger.latest_update(kitchen.device)
    assert reported.reported and not reported.confirmed
    event = ledger.received(kitchen.uuid, kitchen.inventory(MANIFEST, {sent.token: status.ACTIVATE_SUCCESS}))
    assert event.kind is Kind.INVENTORY
    assert ledger.latest_update(kitchen.device).confirmed
    assert ledger.inventory(kitchen.device)["version"] == "2.0"


@pytest.mark.parametrize("change", [{"version": "1.0"}, {"tree": "00" * 32}, {"name": "other"}])
def test_an_inventory_that_does_not_agree_is_an_alarm(ledger, kitchen, change):
    sent = on_trial(ledger, kitchen)
    answer(ledger, kitchen, sent, status.ACTIVATE_SUCCESS)
    event = ledger.received(kitchen.uuid, kitchen.inventory(MANIFEST | change))
    assert event.kind is Kind.ALARM and "said to be confirmed" in event.why
    assert not ledger.latest_update(kitchen.device).confirmed


def test_an_inventory_of_the_trial_is_not_agreement(ledger, kitchen):
    sent = on_trial(ledger, kitchen)
    ledger.received(kitchen.uuid, kitchen.inventory(MANIFEST, trial=True))
    answer(ledger, kitchen, sent, status.ACTIVATE_SUCCESS)
    assert not ledger.latest_update(kitchen.device).confirmed
