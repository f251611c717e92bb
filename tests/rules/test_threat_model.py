"""The threat model names tests that there are, and every defence that can be taken out is in it."""

import re
from pathlib import Path

import pytest

from tests.mutation.defences import ALIVE, DEFENCES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


def exists(name: str) -> bool:
    file, _, test = name.partition("::")
    path = ROOT / file
    return path.is_file() and (not test or re.search(rf"^(async )?def {test}\(", path.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_threat_model_names_is_there(name: str) -> None:
    assert exists(name)


def test_every_line_of_the_tables_of_attacks_names_a_test() -> None:
    tables = PAGE.partition("## Attacks\n")[2].partition("## Beside the lists")[0]
    lines = [line for line in tables.splitlines() if line.startswith("| ") and not line.startswith("| attack |")]
    assert len(lines) > 50
    assert [line for line in lines if "`tests/" not in line] == []


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_a_defence_that_can_be_taken_out_is_in_the_threat_model_with_its_stories(defence) -> None:
    assert defence.name in PAGE
    for story in defence.stories:
        assert f"`{story}`" in PAGE


def test_the_loop_that_must_still_work_is_there() -> None:
    assert exists(ALIVE.partition("[")[0])
