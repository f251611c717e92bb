"""The table of what happens next: complete where a story passes through, silent elsewhere, and deaf to what is no Command."""

from srup import status, update
from srup.replay import Command
from srup.update import (
    ACTIVATE,
    CANCEL,
    CONFIRM,
    DOUBT,
    FAILED,
    FETCHED,
    FETCHING,
    HEALTHY,
    IDLE,
    INITIATE,
    OFFLINE,
    ONLINE,
    STAGED,
    TRANSITIONS,
    TRIAL,
    TRIAL_UNPROVEN,
    UNHEALTHY,
    WAITING,
    step,
)
from tests.unit.check import raises

COMMAND = Command(b"", 1, {"token": bytes(16)}, bytes(8), bytes(16), b"")


def _told(effects):
    return [effect[1] for effect in effects if effect[0] == update.ANSWER]


def _play(state, *events):
    """The states and answers that a row of events leads through."""
    states, answers = [], []
    for event, cause in events:
        state, effects = step(state, event, cause)
        states.append(state)
        answers += _told(effects)
    return states, answers


def test_the_whole_loop():
    states, answers = _play(
        IDLE, (INITIATE, COMMAND), (FETCHED, None), (ACTIVATE, COMMAND), (HEALTHY, None), (CONFIRM, COMMAND)
    )
    assert states == [FETCHING, STAGED, TRIAL, TRIAL, IDLE]
    assert answers == [status.UPDATE_SUCCESS, status.ACTIVATE_TRIAL, status.ACTIVATE_SUCCESS]


def test_a_network_at_fault_is_told_from_a_release_at_fault():
    assert _play(TRIAL, (TRIAL_UNPROVEN, None), (ONLINE, None)) == ([DOUBT, IDLE], [status.ACTIVATE_REVERTED])
    states, answers = _play(TRIAL, (TRIAL_UNPROVEN, None), (OFFLINE, None), (ONLINE, None))
    assert states == [DOUBT, WAITING, TRIAL] and answers == [status.TRIAL_RETRY]


def test_only_a_command_can_start_activate_confirm_or_cancel():
    for state, event in (
        (IDLE, INITIATE),
        (STAGED, ACTIVATE),
        (TRIAL, CONFIRM),
        (STAGED, CANCEL),
        (IDLE, update.REVERT),
        (IDLE, update.SETTINGS),
    ):
        for impostor in (None, b"", object(), {"token": bytes(16)}):
            raises(TypeError, step, state, event, impostor)


def test_the_previous_version_and_new_settings_are_tried_like_an_update():
    for event in (update.REVERT, update.SETTINGS):
        states, answers = _play(IDLE, (event, COMMAND), (HEALTHY, None), (CONFIRM, COMMAND))
        assert states == [TRIAL, TRIAL, IDLE]
        assert answers == [status.ACTIVATE_TRIAL, status.ACTIVATE_SUCCESS]
        assert update.SWITCH in step(IDLE, event, COMMAND)[1]


def test_nothing_else_is_tried_while_an_update_is_under_way():
    for state in (FETCHING, STAGED, TRIAL, DOUBT, WAITING):
        for event in (update.REVERT, update.SETTINGS):
            assert step(state, event, COMMAND) is None


def test_activate_means_something_in_state_staged_alone():
    for state in (IDLE, FETCHING, TRIAL, DOUBT, WAITING):
        assert step(state, ACTIVATE, COMMAND) is None


def test_confirm_means_something_on_trial_alone():
    for state in (IDLE, FETCHING, STAGED, DOUBT, WAITING):
        assert step(state, CONFIRM, COMMAND) is None


def test_a_failed_download_tells_its_own_status_and_touches_no_slot():
    after, effects = step(FETCHING, FAILED, status.UPDATE_FAIL_DIGEST)
    assert after == IDLE and _told(effects) == [status.UPDATE_FAIL_DIGEST]
    assert update.DISCARD not in effects and update.SWITCH not in effects


def test_a_newer_initiate_spends_a_staged_one():
    after, effects = step(STAGED, INITIATE, COMMAND)
    assert after == FETCHING and update.SUPERSEDE in effects and update.DISCARD in effects


def test_nothing_is_fetched_into_the_way_back_during_a_trial():
    after, effects = step(TRIAL, INITIATE, COMMAND)
    assert after == TRIAL and effects == (update.DEFER,)


def test_an_unhealthy_trial_goes_back_before_it_restarts():
    assert step(TRIAL, UNHEALTHY)[1] == (update.GO_BACK, update.RESTART)


def test_every_end_of_a_transaction_tells_a_terminal_status():
    for (state, event), (after, effects) in TRANSITIONS.items():
        if state != IDLE and after == IDLE:
            (told,) = _told(effects)
            assert told == -1 or status.terminal(told), (state, event)
