"""The campaign on itself: its flash, its cuts, its boots; a sample of its cuts, and a bug that it is to find.

`make powercut` is the whole.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.power_cut import campaign, controls, releases
from tests.unit.on_micropython import ROOT, run

HERE = Path(__file__).parent
RULES = re.findall(r"^def (test_\w+)", (HERE / "flash_rules.py").read_text(), re.MULTILINE)

# What is not the same after a board's life as before, and why that is right
LASTS = {
    "srup_boot.start.chosen",  # what choose() leaves: the next boot begins with it
}


@pytest.fixture(scope="module")
def built() -> str:
    releases.build(campaign.RELEASES)
    return str(campaign.RELEASES)


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory):
    """A folder of its own: `make powercut` may be running."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("powercut")
        patch.setattr(campaign, "BUILD", folder)
        patch.setattr(campaign, "RELEASES", folder / "releases.json")
        yield


@pytest.mark.parametrize("rule", RULES)
def test_the_flash_is_nor_flash(rule: str) -> None:
    assert f"ok {rule}" in run(ROOT / "tests/unit/run_on_micropython.py", "tests.power_cut.flash_rules", rule)


@pytest.mark.parametrize("backing", ["files", "regions", "firmwares"])
@pytest.mark.parametrize("scenario, step", [("update", 7), ("resets", 23), ("compaction", 11)])
def test_a_cut_is_what_a_device_leaves_that_dies_there(built: str, backing: str, scenario: str, step: int) -> None:
    said = run(HERE / "dying.py", built, backing, scenario, str(step), heap=campaign.HEAP)
    assert int(said.split()[-1]) > 10


def test_no_module_keeps_anything_from_one_boot_to_the_next(built: str) -> None:
    *changed, end = run(HERE / "fresh.py", built, heap=campaign.HEAP).splitlines()
    assert end.startswith("end") and int(end.split()[1]) > 500
    assert {line.removeprefix("changed ") for line in changed} <= LASTS


def test_a_sample_of_the_cuts_leaves_every_board_well(built: str) -> None:
    result = campaign.work("sample", {"scenarios": [], "share": [0, 1]} | campaign.SAMPLE)
    assert result.failures == []
    assert len(result.scenarios) >= 50 and result.cuts > 400 and result.doubles > 30 and result.real > 5


@pytest.mark.parametrize("control", controls.CONTROLS, ids=lambda control: control.slug)
def test_every_planted_bug_still_fits_the_code(control: controls.Control, tmp_path: Path) -> None:
    shutil.rmtree(controls.plant(control, tmp_path))


def test_a_planted_bug_is_caught_and_its_cut_can_be_made_again(built: str, monkeypatch: pytest.MonkeyPatch) -> None:
    control = next(each for each in controls.CONTROLS if "two records" in each.name)
    tree = controls.plant(control, campaign.BUILD / "controls")
    found = campaign.work("control", campaign.control_job(control), tree).failures
    kind, cut, _ = found[0]
    assert kind == "lost"
    again = campaign.work("again", {"scenarios": [], "share": [0, 1], "only": cut} | campaign.FULL, tree)
    assert again.cuts == 1 and again.failures == found
    healthy = campaign.work("healthy", {"scenarios": [], "share": [0, 1], "only": cut} | campaign.FULL)
    assert healthy.cuts == 1 and healthy.failures == []
