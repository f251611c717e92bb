"""The headline of the README is that of docs/evidence.md, which a command writes."""

from tests.evidence import HEADLINE, PAGE, README, headline


def test_the_readme_says_what_the_evidence_says() -> None:
    told = HEADLINE.search(PAGE.read_text("utf-8"))
    assert told and told[0] in README.read_text("utf-8")


def test_a_headline_is_found_again() -> None:
    assert HEADLINE.fullmatch(
        headline(1_000_000, 0, "9 updates over 24 simulated hours of a bad link, none of them lost")
    )
