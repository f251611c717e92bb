"""A defence whose loss no test notices is none. `make attack` prints the table."""

import pytest

from tests.mutation.campaign import missed
from tests.mutation.defences import DEFENCES, Defence


@pytest.mark.timeout(600)
@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_without_this_defence_its_stories_fail_and_the_loop_still_works(defence: Defence) -> None:
    assert missed(defence) == ""
