"""The campaign on itself: its flash, its cuts, its boots; a sample of its cuts, and a bug that it is to find.

`make powercut` is the whole.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.power_cut import boards, campaign, controls, releases
from tests.unit.on_micropython import ROOT, run

HERE = Path(__file__).parent
RULES = re.findall(r"^def (test_\w+)", (HERE / "flash_rules.py").read_text(), re.MULTILINE)

PLACES = {
    "files": "folders",
    "regions": "raw regions",
    "firmwares": "an ESP32's firmwares",
    "pairs": "an ESP32's firmwares, each with a folder",
}  # as docs/footprint.md calls them
MINUTES = 5_260_000  # of ten years
FREE_BLOCKS = 180  # of a Pico W
ENDURANCE = 100_000  # erases of a block

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
        patch.setattr(campaign, "WEAR", folder / "wear.json")
        yield


@pytest.mark.parametrize("rule", RULES)
def test_the_flash_is_nor_flash(rule: str) -> None:
    assert f"ok {rule}" in run(ROOT / "tests/unit/run_on_micropython.py", "tests.power_cut.flash_rules", rule)


@pytest.mark.parametrize("backing", ["files", "regions", "firmwares", "pairs"])
@pytest.mark.parametrize("scenario, step", [("update", 7), ("resets", 17), ("compaction", 5)])
def test_a_cut_is_what_a_device_leaves_that_dies_there(built: str, backing: str, scenario: str, step: int) -> None:
    said = run(HERE / "dying.py", built, backing, scenario, str(step), heap=campaign.HEAP)
    assert int(said.split()[-1]) > 10


def test_no_module_keeps_anything_from_one_boot_to_the_next(built: str) -> None:
    *changed, end = run(HERE / "fresh.py", built, heap=campaign.HEAP).splitlines()
    assert end.startswith("end") and int(end.split()[1]) > 500
    assert {line.removeprefix("changed ") for line in changed} <= LASTS


def test_what_wears_the_flash_is_what_the_documentation_says(built: str) -> None:
    """Give or take five percent: what a command writes has other lengths now and then."""
    page = (ROOT / "docs/footprint.md").read_text().split("<!-- wear")[1]
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|$", page, re.MULTILINE)
    recorded = {where: tuple(map(float, figures)) for where, *figures in rows}
    measured = {PLACES[backing]: campaign.worn(stories) for backing, stories in campaign.measure_wear().items()}
    assert measured.keys() == recorded.keys()
    for where, figures in measured.items():
        assert figures == pytest.approx(recorded[where], rel=0.05), where
        assert figures[3] * MINUTES < ENDURANCE * FREE_BLOCKS / 1.9


def test_a_sample_of_the_cuts_leaves_every_board_well(built: str) -> None:
    result = campaign.work("sample", {"scenarios": [], "share": [0, 1]} | campaign.SAMPLE)
    assert result.failures == []
    assert len(result.scenarios) >= 90 and result.cuts > 1500 and result.doubles > 150 and result.real > 25


def test_a_board_that_is_not_run_to_its_end_would_have_ended_as_foretold(built: str) -> None:
    """Wrong of known.py ends the worker."""
    for scenario in ("update", "commands", "data"):
        job = {"scenarios": [scenario], "share": [0, 1], "distrust": True, "every": 12, "seeds": 4, "first": 90}
        result = campaign.work("distrust", campaign.CI | job)
        assert result.failures == [] and result.met > 0.3 * result.cuts, scenario


def test_a_board_that_reads_something_else_is_run(built: str) -> None:
    said = run(HERE / "known_device.py", heap="1m")
    assert said.split() == ["ok"] * 3


@pytest.mark.timeout(900)
def test_so_do_a_few_on_the_emulated_chip(built: str, tmp_path: Path) -> None:
    if not boards.available():
        pytest.skip("neither emulator nor firmware: make chip")
    made = boards.Boards(tmp_path, campaign.RELEASES, campaign.HEAP)
    planned = made.plan(3)
    assert {cut.kind for cut in planned} == set(boards.KINDS)
    for cut in planned:
        made.cut(cut)  # raises BoardFailed


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
