"""The headline of the README is that of docs/evidence.md, which a command writes."""

import pytest

from tests.evidence import HEADLINE, PAGE, README, headline, power_cuts, says_less


def test_the_readme_says_what_the_evidence_says() -> None:
    told = HEADLINE.search(PAGE.read_text("utf-8"))
    assert told and told[0] in README.read_text("utf-8")


def test_a_headline_is_found_again() -> None:
    assert HEADLINE.fullmatch(
        headline(1_000_000, 0, "9 updates over 24 simulated hours of a bad link, none of them lost")
    )


def test_power_cuts_of_both_kinds_count() -> None:
    assert power_cuts({"line": "cuts=1000 double=234 boards=2 bricks=0 mixed=0"}) == "1,234 power cuts, 0 bricks"


@pytest.mark.parametrize(
    ("after", "less"),
    [({"executions": 5}, True), ({"executions": 200}, False), ({"crashes": 1}, False), ({"code": "new"}, False)],
)
def test_a_shorter_run_of_a_fuzzer_takes_the_place_of_none_on_the_same_code(after, less) -> None:
    before = {"executions": 100, "crashes": 0, "code": "old"}
    assert says_less(before | {"executions": 10} | after, before) == less
