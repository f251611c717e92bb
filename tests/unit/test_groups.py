"""Groups: a frame to one is obeyed by its members and by nobody else, and what was is over when a device has left."""

from srup import keys, limits, replay, status
from srup.store import Store
from tests.unit.grouped import DOORS, LAMPS, board, install, joined, listed, obeyed, order
from tests.unit.server import NOON, STRANGER, Key, token


def test_a_member_obeys_its_group_and_a_device_that_is_in_none_does_not():
    with board() as lamp:
        assert not obeyed(lamp, order(1))
        joined(lamp, 2, LAMPS)
        assert obeyed(lamp, order(3)) and not obeyed(lamp, order(4, DOORS))
        assert lamp.road.session.refused == {"target": 2}
        lamp.restart()
        assert obeyed(lamp, order(5))


def test_what_was_said_to_a_group_before_it_was_joined_is_not_obeyed():
    with board() as lamp:
        early = order(1)
        joined(lamp, 2, LAMPS)
        assert not obeyed(lamp, early) and obeyed(lamp, order(3))


def test_a_device_that_has_left_obeys_no_more_and_a_return_brings_nothing_back():
    with board() as lamp:
        joined(lamp, 1, LAMPS, DOORS)
        captured = order(200)
        assert obeyed(lamp, captured)
        joined(lamp, 3, DOORS)
        missed = order(4)
        assert not obeyed(lamp, missed) and obeyed(lamp, order(201, DOORS))
        lamp.restart()
        assert not obeyed(lamp, missed)
        joined(lamp, 202, LAMPS)
        for nth in range(203, 215):  # until its record is forgotten
            obeyed(lamp, order(nth))
        assert not obeyed(lamp, captured) and not obeyed(lamp, missed)
        assert obeyed(lamp, order(220))


def test_another_key_s_highest_token_for_a_group_outlives_leaving_too():
    with board() as lamp:
        other = Key("other")
        install(Store(lamp.root + "/state.log"), keys.COMMAND, other.public, token(NOON, 0))
        lamp.restart()
        joined(lamp, 1, LAMPS)
        captured = order(100, key=other)
        assert obeyed(lamp, captured)
        joined(lamp, 2)
        joined(lamp, 3, LAMPS)
        for nth in range(4, 16):
            obeyed(lamp, order(nth))
        assert not obeyed(lamp, captured) and obeyed(lamp, order(101, key=other))


def test_of_two_lists_the_later_one_holds_whichever_key_signed_it():
    with board() as lamp:
        other = Key("other")
        install(Store(lamp.root + "/state.log"), keys.COMMAND, other.public, token(NOON, 0))
        lamp.restart()
        joined(lamp, 10, LAMPS)
        assert lamp.receive(listed(9, DOORS, key=other))[-1][1] == status.DATA_UNKNOWN
        assert replay.groups(lamp.road.store) == [LAMPS]


def test_what_is_no_list_of_groups_changes_nothing():
    with board() as lamp:
        joined(lamp, 1, LAMPS)
        wrong = ((LAMPS, LAMPS), (STRANGER,), (LAMPS[:15],), (LAMPS, b"x"))
        for nth, members in enumerate(wrong):
            assert lamp.receive(listed(10 + nth, *members))[-1][1] == status.DATA_UNKNOWN
        many = [bytes((number,)) + LAMPS[1:] for number in range(limits.GROUPS + 1)]
        assert lamp.receive(listed(20, *many))[-1][1] == status.DATA_UNKNOWN
        lamp.receive(listed(21, DOORS, target=LAMPS))  # the members of a group are not changed by a word to the group
        assert lamp.receive(listed(22, DOORS, key=Key("stranger"))) == []
        assert replay.groups(lamp.road.store) == [LAMPS]
