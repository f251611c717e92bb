"""The update under way: what ends its fetching, what is in the slot that it activates, and a trial that could not be counted."""

import os

from srup import agent, port, slots, status, transaction, update, wire
from srup.errors import InvalidKey
from srup_boot import record
from tests.unit.board import COMMAND, Board, Reset, identify
from tests.unit.boot_record import save
from tests.unit.bundles import build
from tests.unit.check import raises
from tests.unit.faults import failing
from tests.unit.scratch import exists
from tests.unit.server import token
from tests.unit.staging import NEW, ON_NONE, boot, stage

ACTIVATE = COMMAND.frame(wire.ACTIVATE, token=token())

# Fetching


def test_whatever_ends_a_fetch_before_its_last_statement_is_no_success():
    for error in (port.StuckRandom("stuck"), InvalidKey("out of range"), ImportError("sealed"), KeyError("tree")):
        with Board() as board:

            def breaks(error=error):
                raise error

            board.hands.slots.sweep = breaks
            assert board.receive(COMMAND.initiate(token())) == [(token(), status.UPDATE_FAIL_STORAGE)], error
            assert board.road.state() == transaction.IDLE and not board.hands.updater.at_work()
            assert board.receive(ACTIVATE) == [(token(), status.UPDATE_FAIL_STORAGE)]


def test_a_fetch_that_was_broken_off_is_no_success():
    with Board() as board:
        board.hands.updater._fetching = lambda: (0 for _ in range(3))
        assert board.receive(COMMAND.initiate(token())) == [(token(), status.UPDATE_FAIL_STORAGE)]


# Activation


def with_slot_a(board):
    stage(slots.FileSlots(board.root, ON_NONE), build())
    save(board.root, active=0)
    board.restart()


def staged(board, data):
    """An INITIATE that ends with this bundle in slot b."""

    def fetching():
        yield 0
        stage(board.hands.slots, data)
        return 0, board.hands.updater._lies_there(0)

    board.hands.updater._fetching = fetching
    assert board.receive(COMMAND.initiate(token())) == [(token(), status.UPDATE_SUCCESS)]


def refused(board):
    assert board.receive(ACTIVATE) == [(token(), status.ACTIVATE_FAIL)]
    assert board.road.state() == transaction.IDLE and not record.load(board.root).on_trial()


def test_another_version_than_was_staged_is_not_activated():
    with Board() as board:
        with_slot_a(board)
        staged(board, build(NEW))
        stage(board.hands.slots, build(NEW[:1]))
        refused(board)


def test_what_the_security_counter_forbids_is_not_activated_however_it_came_to_be_staged():
    with Board() as board:
        with_slot_a(board)
        staged(board, build(NEW))  # its counter is 5
        save(board.root, counter=6)
        refused(board)


def test_what_was_staged_is_activated_also_after_a_restart():
    with Board() as board:
        with_slot_a(board)
        staged(board, build(NEW))
        board.restart()
        raises(Reset, board.receive, ACTIVATE)
        assert record.load(board.root).trial == 1


def test_what_an_older_agent_has_staged_is_activated():
    with Board() as board:
        with_slot_a(board)
        staged(board, build(NEW))
        board.road.store.put({b"U": board.road.store.get(b"U")[:25]})
        board.restart()
        raises(Reset, board.receive, ACTIVATE)
        assert record.load(board.root).trial == 1


# A trial that could not be counted


class Booted(Board):
    """Its slot is chosen by the boot part."""

    def restart(self):
        _, choice = boot(self.root)
        self.sent, self.agent = [], None
        self.agent = agent.Agent(choice, lambda *arguments: self.wired(self.air_of(*arguments)), self.root)
        self.agent.start()

    def air_of(self, *arguments):
        from tests.unit.board import Air

        return Air(*arguments)

    def activate(self):
        with_slot_a(self)
        staged(self, build(NEW))
        raises(Reset, self.receive, ACTIVATE)

    def start_without_boot_record(self):
        """A start in which it can't be written; the path of what is in its way."""
        path = f"{self.root}/boot{(record.load(self.root).sequence + 1) & 1}"
        if exists(path):
            os.remove(path)
        os.mkdir(path)
        self.restart()
        assert not self.agent._choice.trial and "not saved" in self.agent._choice.note
        return path


def test_a_trial_that_could_not_be_counted_begins_with_the_next_start_and_nobody_has_to_order_that():
    with Booted() as board:
        board.activate()
        os.rmdir(board.start_without_boot_record())
        raises(Reset, board.receive)
        board.restart()
        assert board.agent._choice.trial
        assert board.receive() == [(token(), status.ACTIVATE_TRIAL)]


def test_a_trial_that_could_not_be_counted_twice_is_taken_back_and_told():
    with Booted() as board:
        board.activate()
        os.rmdir(board.start_without_boot_record())
        raises(Reset, board.receive)
        os.rmdir(board.start_without_boot_record())
        assert board.receive() == [(token(), status.ACTIVATE_FAIL)]
        assert board.road.state() == transaction.IDLE and not record.load(board.root).on_trial()
        board.restart()
        assert not board.agent._choice.trial and board.receive() == []


def test_a_boot_record_that_can_not_be_written_at_all_restarts_the_board_once_and_leaves_it_in_reach():
    with Booted() as board:
        board.activate()
        path = board.start_without_boot_record()
        raises(Reset, board.receive)
        os.rmdir(path)
        path = board.start_without_boot_record()
        assert board.receive() == [] and board.hands.updater.state == update.TRIAL
        assert identify(board, 1)["slot"] == "a"
        os.rmdir(path)
        board.restart()
        assert board.agent._choice.trial and board.receive() == [(token(), status.ACTIVATE_TRIAL)]


def with_one_staged(board):
    with_slot_a(board)
    staged(board, build(NEW))
    return board.hands.slots


def test_an_activation_for_which_there_is_no_memory_has_failed_and_is_no_trial():
    """The board was on trial by its own word, with nothing to end that, until somebody ordered a restart."""
    with Board() as board:
        slots = with_one_staged(board)
        slots.manifest = failing(slots.manifest, 1, MemoryError())
        assert board.receive(ACTIVATE) == [(token(), status.ACTIVATE_FAIL)]
        assert board.road.state() == transaction.IDLE and not record.load(board.root).on_trial()


def test_a_trial_that_can_not_be_taken_back_for_want_of_memory_keeps_the_version_before():
    with Board() as board:
        with_one_staged(board)
        kept, restarted = [], []
        updater = board.hands.updater
        updater.state, updater._restart = transaction.TRIAL, lambda: restarted.append(True)
        updater._slots.revert = failing(lambda reason: None, 1, MemoryError())
        updater._slots.discard_other = lambda: kept.append(False)
        updater.event("UNHEALTHY")
        assert restarted and not kept and updater.state == transaction.TRIAL
