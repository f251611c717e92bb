"""The table of answers, against the device's own table of what it does, and against itself."""

import itertools

import pytest

from srup import status, update, wire
from srup_host import rules
from srup_host.rules import Verdict

STATUSES = sorted(value for name, value in vars(status).items() if name.isupper() and isinstance(value, int))


def answers_of_a_device(state):
    """Of what has brought it into this state. Every sequence of statuses, up to ten, under one token that the device's TRANSITIONS can bring forth."""
    sequences = set()

    def follow(state, said, steps):
        sequences.add(said)
        if steps == 10:
            return
        for (before, event), (after, effects) in update.TRANSITIONS.items():
            if before != state or before == update.IDLE:  # an INITIATE there is another token's
                continue
            told = [effect[1] for effect in effects if effect[0] == update.ANSWER]
            told = [status.UPDATE_FAIL_DIGEST if value == -1 else value for value in told]
            if update.SUPERSEDE in effects:
                sequences.add((*said, status.SUPERSEDED))  # what comes then is another token's
            else:
                follow(after, (*said, *told), steps + 1)

    follow(state, (), 0)
    return sequences


def test_whatever_a_device_can_answer_in_its_order_moves_forward_or_was_said_before():
    sequences = answers_of_a_device(update.FETCHING)
    assert (0x00, 0x11, 0x10) in sequences and (0x00, 0x11, 0x1D, 0x11, 0x10) in sequences
    for said in sequences:
        seen = b""
        for value in said:
            verdict = rules.judge(wire.INITIATE, seen, value)
            assert verdict is not Verdict.CONFLICT, [hex(one) for one in said]
            seen += bytes((value,)) * (verdict is Verdict.FORWARD)


@pytest.mark.parametrize("kind", [wire.ACTION, wire.DATA])
def test_a_revert_and_new_settings_move_forward_like_a_trial(kind):
    sequences = answers_of_a_device(update.TRIAL)
    assert (0x11, 0x10) in sequences and (0x1D, 0x11, 0x1E) in sequences
    for said in sequences:
        seen = b""
        for value in said:
            verdict = rules.judge(kind, seen, value)
            assert verdict is not Verdict.CONFLICT, [hex(one) for one in said]
            seen += bytes((value,)) * (verdict is Verdict.FORWARD)


@pytest.mark.parametrize("kind", rules.FORWARD)
def test_terminal_is_terminal(kind):
    """After a terminal status only the same one, or one that came before it, is not a conflict."""
    for value in set().union(*rules.FORWARD[kind].values()):
        if rules.is_terminal(kind, value):
            for later in STATUSES:
                verdict = rules.judge(kind, bytes((value,)), later)
                assert verdict is (Verdict.DUPLICATE if later == value else Verdict.CONFLICT)


def test_what_the_protocol_calls_terminal_is():
    for value in STATUSES:
        if status.terminal(value):
            assert rules.is_terminal(wire.INITIATE, value), status.name(value)


def test_nothing_that_is_not_of_an_update_ever_answers_one():
    of_updates = rules.ENDS[wire.INITIATE] | rules.ANSWERS[wire.ACTIVATE]
    for before, value in itertools.product([b"", b"\x00", b"\x00\x11", b"\x00\x1d"], set(STATUSES) - of_updates):
        assert rules.judge(wire.INITIATE, before, value) is Verdict.CONFLICT


def test_where_answers_were_lost_an_update_goes_on_from_what_a_device_says_last():
    """Of any sequence of answers the last alone is known, or all from some one on: neither is a conflict."""
    for said in answers_of_a_device(update.FETCHING):
        for last in said:
            assert rules.judge(wire.INITIATE, b"", last, lost=True) is Verdict.FORWARD, hex(last)


def test_where_answers_were_lost_terminal_is_terminal_all_the_same():
    for kind, steps in rules.LOST.items():
        assert steps.keys().isdisjoint(value for value in STATUSES if rules.is_terminal(kind, value))
        for value in set().union(*rules.FORWARD[kind].values()) - rules.FORWARD[kind].keys():
            for later in set(STATUSES) - {value}:
                assert rules.judge(kind, bytes((value,)), later, lost=True) is Verdict.CONFLICT


@pytest.mark.parametrize(
    ("seen", "value", "verdict"),
    [
        (b"", 0x10, Verdict.FORWARD),
        (b"", 0x11, Verdict.FORWARD),
        (b"", 0x1D, Verdict.FORWARD),
        (b"", 0x1E, Verdict.FORWARD),
        (b"", 0x20, Verdict.CONFLICT),  # of an action
        (b"\x00", 0xFD, Verdict.CONFLICT),
        (b"\xfe", 0x10, Verdict.CONFLICT),
        (b"\x00\x11\x1e", 0x10, Verdict.CONFLICT),
    ],
)
def test_updates_of_which_answers_were_lost(seen, value, verdict):
    assert rules.judge(wire.INITIATE, seen, value, lost=True) is verdict


@pytest.mark.parametrize(
    ("seen", "value", "verdict"),
    [
        (b"", 0x00, Verdict.FORWARD),
        (b"", 0xFD, Verdict.FORWARD),
        (b"", 0x10, Verdict.CONFLICT),  # nobody has sent ACTIVATE
        (b"", 0x11, Verdict.CONFLICT),
        (b"\x00", 0x00, Verdict.DUPLICATE),
        (b"\x00", 0xFD, Verdict.CONFLICT),  # it had been downloaded
        (b"\x00", 0xF3, Verdict.FORWARD),  # superseded
        (b"\x00", 0xF5, Verdict.FORWARD),  # ACTIVATE came too late
        (b"\x00\x11", 0x00, Verdict.DUPLICATE),  # late, and harmless
        (b"\x00\x11\x10", 0x11, Verdict.DUPLICATE),
        (b"\x00\x11\x10", 0x1E, Verdict.CONFLICT),
        (b"\x00\x11\x1e", 0x10, Verdict.CONFLICT),
        (b"\x00\x11\x1d", 0x11, Verdict.FORWARD),  # the second trial
        (b"\xfe", 0xFE, Verdict.DUPLICATE),
        (b"\xfe", 0xFF, Verdict.CONFLICT),
    ],
)
def test_updates(seen, value, verdict):
    assert rules.judge(wire.INITIATE, seen, value) is verdict
