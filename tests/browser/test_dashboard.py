"""The dashboard in a real browser, as people use it. What they saw is in build/screenshots, to be looked at."""

import os
import subprocess
import sys

import pytest

# One fleet for all of them, where xdist minds it: 3.8 does not with pytest 9.2.
pytestmark = pytest.mark.xdist_group("browser")

PAGES = ("/", "/rollouts", "/rollouts/new", "/bundles", "/joins", "/audit", "/accounts")


def test_a_bad_release_to_fifty_simulated_and_three_real_boards_stops_itself_before_our_eyes(scene, ada):
    scene.boards()
    ada.wait(lambda ada: "53" in ada.text(".tiles"), 120)
    ada.go("/rollouts")
    ada.keep("rollouts-none-yet")
    ada.go("/bundles")
    ada.see("[name='file']").send_keys(str(scene.release("3.0")))
    ada.press("Add")
    ada.wait_for("thermometer 3.0")
    ada.keep("bundles")
    ada.go("/rollouts")
    ada.press("New roll-out")
    ada.fill(waves="8 50% 100%")
    ada.keep("rollout-new")
    ada.press("Begin")
    ada.wait_for("Roll-out 1")
    ada.keep("rollout-begun")
    ada.wait_for("have failed", 200)  # the page goes on by itself: nobody loads it again
    ada.wait(lambda ada: scene.client.get("/rollouts/1")["states"].keys() <= {"failed", "left out"}, 200)
    ada.wait(lambda ada: "8 failed" in ada.text() or "failed: " in ada.text())
    ada.keep("rollout-aborted")
    shown = scene.client.get("/rollouts/1")
    assert shown["state"] == "aborted" and shown["states"]["failed"] <= 8
    assert shown["by_wave"][1:] == [{"left out": 19}, {"left out": 26}]
    failed = scene.client.get("/rollouts/1/devices", state="failed")["devices"]
    ada.go(f"/devices/{failed[0]['device']}")
    ada.wait_for("ACTIVATE_REVERTED")
    ada.keep("device")
    assert scene.client.get("/fleet")["versions"][0]["version"] == "1.0"


def test_every_page_is_without_complaint_at_a_desk_and_on_a_phone(scene, ada):
    for path in PAGES:
        ada.go(path)
        ada.wait(lambda ada: ada.all("h1"))
        name = path.strip("/").replace("/", "-") or "fleet"
        ada.keep(f"page-{name}", narrow=lambda: not ada.sideways())
    assert ada.complaints() == []


def test_the_keyboard_comes_to_the_content_first(ada):
    from selenium.webdriver.common.keys import Keys

    ada.go("/")
    ada.see("body").send_keys(Keys.TAB)
    focused = ada.driver.switch_to.active_element
    assert focused.get_attribute("href").endswith("#main")


def invited(ada, person, name, role):
    """The person, with an account that Ada's link has made."""
    ada.go("/accounts")
    ada.driver.execute_script("document.querySelector('[name=role]').value = arguments[0]", role)
    ada.press("Make an invitation")
    person.go(ada.wait(lambda ada: ada.text("[role=status] code")))
    person.enter(name, "battery staple horse", "Make the account")
    return person


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_each_role_sees_what_it_may_do_and_no_more(scene, ada, person, role):
    invited(ada, person, role, role)
    device = scene.client.get("/devices", size=1)["devices"][0]["uuid"]
    person.go(f"/devices/{device}")
    assert ("Put it in quarantine" in person.text()) == (role != "viewer")
    person.keep(f"device-{role}")
    person.go("/rollouts")
    assert ("New roll-out" in person.text()) == (role != "viewer")
    assert "Accounts" not in person.text("header")
    person.go("/accounts")
    person.wait_for("this takes the role admin")


def test_quarantine_asks_for_the_name_of_the_device(scene, ada):
    device = scene.client.get("/devices", size=1)["devices"][0]
    ada.go(f"/devices/{device['uuid']}")
    ada.fill("quarantine", why="it smells", name="another")
    ada.press("Put it in quarantine")
    ada.wait_for("that is not the name of this device")
    ada.go(f"/devices/{device['uuid']}")
    ada.fill("quarantine", why="it smells", name=device["name"])
    ada.press("Put it in quarantine")
    ada.wait_for("In quarantine since")
    ada.keep("device-in-quarantine")
    ada.press("Let it back in")
    ada.wait(lambda ada: "In quarantine" not in ada.text())


def test_logged_out_is_out(ada, person):
    person.go("/")
    person.wait_for("Log in")
    person.keep("log-in")
    person.fill(name="ada", password="not her password")
    person.press("Log in")
    person.wait_for("That is not the name and the password of an account.")
    person.enter("ada", "correct horse battery", "Log in")
    person.press("Log out")
    person.wait_for("Log in")
    person.go("/audit")
    assert "Log in" in person.text("h1")


@pytest.fixture(scope="session")
def cellar(scene, ada, newcomer):
    """The newcomer, let in by its six words; in each worker of the tests, as each has a fleet of its own."""
    board, words = newcomer
    ada.go("/joins")
    ada.wait(lambda ada: ada.all("main .card") or ada.go("/joins"))
    ada.keep("joins-one-asks", narrow=lambda: not ada.sideways())
    assert len(words.split()) == 6 and words in ada.text()
    ada.fill("accept", name="cellar")
    ada.press("The words are the same: let it in")
    ada.wait_for("JOIN_SUCCESS")
    ada.press("Ask what it runs")
    ada.wait_for("confirmed thermometer 1.0")
    ada.keep("device-that-joined")
    return board


def test_a_board_that_shows_the_same_six_words_is_let_in(scene, ada, cellar):
    assert scene.client.get("/devices/cellar")["name"] == "cellar"
    ada.go("/joins")
    assert "None." in ada.text()


def test_self_destruct_takes_two_persons_and_leaves_nothing(scene, ada, person, cellar):
    """Ada orders it; Bob, who has the authority key on his machine, signs it there."""
    board, cellar = cellar, scene.client.get("/devices/cellar")
    ada.go(f"/devices/{cellar['uuid']}")
    ada.fill("action", action="SELF_DESTRUCT", name="the cellar")
    ada.press("Do it")
    ada.wait_for("that is not the name of this device")
    ada.keep("not-its-name")
    ada.go(f"/devices/{cellar['uuid']}")
    ada.fill("action", action="SELF_DESTRUCT", name="cellar")
    ada.press("Do it")
    ada.wait_for("waiting")
    assert approve(scene, "srup_of-nobody").returncode != 0
    bob = invited(ada, person, "bob", "approver")
    bob.go("/orders")
    bob.wait_for("by person:ada")
    bob.keep("orders-one-waits", narrow=lambda: not bob.sideways())
    token = scene.client.post("/tokens", {"name": "bobs-machine", "role": "approver"})["secret"]
    image = board.directory / "flash.img"
    before = image.read_bytes()
    assert approve(scene, token).returncode == 0
    bob.wait(lambda bob: bob.go("/orders") or "sent" in bob.text("tbody"))
    bob.keep("orders-one-sent")
    ada.go(f"/devices/{cellar['uuid']}")
    ada.wait_for("ACTION_SUCCESS")
    assert "believed thermometer 1.0: it was sent SELF_DESTRUCT since" in ada.text()
    ada.keep("device-destroyed")
    board.wait_stopped(60)
    left = image.read_bytes()[2 * 4096 :]  # but for an empty file system, made anew
    assert left == b"\xff" * len(left) != before[2 * 4096 :]


def approve(scene, token):
    command = [sys.executable, "-m", "srup_host.cli", "order", "approve", "1", "--fleet", str(scene.fleet.directory)]
    return subprocess.run(command, env=os.environ | {"SRUP_TOKEN": token}, capture_output=True, check=False)
