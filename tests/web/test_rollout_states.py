"""The tables of roll-outs, held against themselves and against everything that a device can say."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srup import status, update
from srup_host import rules
from srup_host.server import rollout_states as states
from srup_host.tables import Transaction
from tests.host.fake_device import NOW
from tests.host.test_rules import answers_of_a_device

EVENTS = {event for _, event in states.DEVICE}
SAID = sorted(answers_of_a_device(update.FETCHING))


def transaction(said, agreed=None):
    return Transaction(device="", token=b"", kind=1, key_id=b"", opened=NOW, seen=bytes(said), agreed=agreed)


def reachable():
    found, edge = {states.PENDING}, [states.PENDING]
    while edge:
        state = edge.pop()
        for (before, _), (after, _) in states.DEVICE.items():
            if before == state and after not in found:
                found.add(after)
                edge.append(after)
    return found


def test_every_state_is_reached_and_what_is_over_stays_so():
    assert reachable() == set(states.STATES)
    assert {state for state, _ in states.DEVICE} == set(states.STATES) - set(states.OVER)
    assert set(states.STATES) == {states.PENDING, *states.UNDER_WAY, *states.OVER}


def test_from_every_state_a_device_comes_to_an_end():
    ends = set(states.OVER)
    while True:
        more = {before for (before, _), (after, _) in states.DEVICE.items() if after in ends} - ends
        if not more:
            break
        ends |= more
    assert ends == set(states.STATES)


def test_a_device_that_falls_silent_holds_nothing_up():
    """But for one that waits for us: staged, and not yet let go."""
    for state in states.UNDER_WAY:
        assert ((state, states.SILENT) in states.DEVICE) == (state != states.STAGED)


def test_an_aborted_rollout_confirms_nothing_that_is_not_confirmed_yet():
    for state in (states.PENDING, states.STAGING, states.STAGED, states.ACTIVATING):
        after, effects = states.device(state, states.STOP)
        assert after in (states.WITHDRAWN, states.LEFT_OUT) and states.CONFIRM not in effects
    assert states.device(states.WITHDRAWN, states.TRIED) is None
    confirming = {before for (before, _), (_, effects) in states.DEVICE.items() if states.CONFIRM in effects}
    assert states.WITHDRAWN not in confirming and states.PENDING not in confirming


def test_nothing_is_confirmed_but_by_the_inventory():
    assert [key for key, (after, _) in states.DEVICE.items() if after == states.CONFIRMED] == [
        (states.REPORTED, states.AGREED)
    ]


def test_failures_are_counted_once():
    for (before, event), (after, effects) in states.DEVICE.items():
        assert (after == states.FAILED) == (states.COUNT in effects), (before, event)


def test_the_rollouts_own_table():
    table = states.ROLLOUT
    assert {state for state, _ in table} == {states.WAITING, states.RUNNING, states.PAUSED}
    for state in (states.WAITING, states.RUNNING, states.PAUSED):
        assert states.rollout(state, states.ABORT) == states.ABORTED
    for state, event in itertools.product((states.DONE, states.ABORTED), (states.RESUME, states.APPROVE, states.ABORT)):
        assert states.rollout(state, event) is None
    assert states.rollout(states.WAITING, states.RESUME) is None  # not past the approver


@given(said=st.sampled_from(SAID), looks=st.data())
@settings(max_examples=300)
def test_whatever_a_device_says_and_whenever_we_look_it_ends_where_it_should(said, looks):
    """The looks are rare or often: some answers are seen only when later ones have come."""
    state, effects, known = states.STAGING, [], 0
    while True:
        event = states.event_of(state, transaction(said[:known]), may_retry=False)
        if event:
            state, made = states.device(state, event)
            effects += made
        if state == states.STAGED and looks.draw(st.booleans()):
            state, _ = states.device(state, states.GO)
        if known == len(said) and event is None:
            break
        known = min(len(said), known + looks.draw(st.integers(1, 3)))
    last = said[-1] if said else None
    if last == status.ACTIVATE_SUCCESS:
        assert state == states.REPORTED
        assert states.event_of(state, transaction(said), True) is None
        assert states.event_of(state, transaction(said, agreed=NOW), True) == states.AGREED
    elif last in (status.ACTIVATE_REVERTED, status.ACTIVATE_FAIL):
        assert state == states.FAILED and effects.count(states.COUNT) == 1
    elif last == status.SUPERSEDED:
        assert state == states.LEFT_OUT
    elif last in rules.UPDATE_FAILED:
        assert state == states.FAILED
    else:
        assert state in states.UNDER_WAY


@pytest.mark.parametrize("value", sorted(rules.UPDATE_FAILED | rules.REFUSED))
def test_what_may_be_tried_again_is_and_not_for_ever(value):
    again = states.event_of(states.STAGING, transaction([value]), may_retry=True)
    last = states.event_of(states.STAGING, transaction([value]), may_retry=False)
    if value == status.SUPERSEDED:
        assert again == last == states.REPLACED
    else:
        assert last == states.FAILURE
        assert again == (states.FAULT if value in states.FAULTS else states.FAILURE)
    hopeless = (
        status.UPDATE_FAIL_BOARD,
        status.UPDATE_FAIL_BUNDLE,
        status.UPDATE_FAIL_DOWNGRADE,
        status.UPDATE_FAIL_SPACE,
    )
    assert value not in hopeless or again == states.FAILURE


def test_no_answer_is_no_event():
    for state in states.UNDER_WAY:
        assert states.event_of(state, transaction([]), True) is None
