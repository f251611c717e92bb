"""A server that is gone, and goes on from an older copy; a board that is two; a board that takes another's place."""

import pytest

from srup import inventory, tokens, wire
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.server import disaster
from srup_host.server.c2 import C2
from srup_host.server.roles import Role
from tests.web.crowd import Crowd
from tests.web.site import Site

HOUR = 3_600_000


def restored(site, folder, later):
    """The server from a backup of now, `later` ms after."""
    disaster.backup(site.fleet, folder / "backup.tar.gz")
    disaster.unpack((folder / "backup.tar.gz").read_bytes(), folder / "again")
    clock = site.clock.now + later
    return C2(Fleet.open(folder / "again"), lambda: clock)


def test_a_restored_server_sends_nothing_again_and_asks_instead(site, tmp_path):
    fake = site.device()
    command = site.c2.ledger.action(fake.device, 1)
    again = restored(site, tmp_path, HOUR)
    assert disaster.go_on(again) == 1
    [asked] = again.ledger.unanswered()
    assert asked.name == "ID_REQUEST" and asked.token > command.token
    again.ledger.received(fake.uuid, fake.inventory())
    assert again.ledger.unanswered() == []
    again.ledger.action(fake.device, 1)  # and it may be sent something new
    again.close()


def test_what_it_mints_is_newer_than_all_that_was_lost(site, tmp_path):
    """Also where its clock was put back a little: it rather refuses."""
    fake = site.device()
    site.c2.ledger.id_request(fake.device)
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    site.clock.now += HOUR
    lost = site.c2.ledger.id_request(fake.device)
    disaster.unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
    clock = [site.clock.now + 1]
    again = C2(Fleet.open(tmp_path / "again"), lambda: clock[0])
    disaster.go_on(again)
    clock[0] -= HOUR // 2
    with pytest.raises(Failure, match="behind the last token"):
        again.ledger.id_request(fake.device)
    clock[0] += HOUR
    assert again.ledger.id_request(fake.device).token > lost.token
    again.close()


def test_a_roll_out_goes_on_from_what_the_devices_say(site, tmp_path):
    crowd = Crowd(site)
    crowd.devices(good=4)
    body = {"bundle": crowd.release(), "policy": {"waves": ["100%"]}}
    site.program(Role.OPERATOR).post("/api/v1/rollouts", json=body)
    crowd.runner.round()
    site.c2.close()
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    crowd.deliver()  # what they answer, the copy has never heard
    disaster.unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
    again = Site(Fleet.open(tmp_path / "again"))
    again.clock.now = site.clock.now + HOUR // 2
    assert disaster.go_on(again.c2) == 4
    assert {sent.name for sent in again.published} == {"ID_REQUEST"}
    played, crowd.site = crowd.played, again
    crowd.runner = type(crowd.runner)(again.c2)
    assert all(one.latest for one in played.values())
    crowd.play()
    shown = again.program(Role.VIEWER).get("/api/v1/rollouts/1").json()
    assert (shown["state"], shown["states"]) == ("done", {"confirmed": 4})
    assert all(one.got.count("INITIATE") == 1 for one in played.values())
    again.close()


@pytest.mark.parametrize("wrong", [b"", b"no archive", b"\x1f\x8b damaged"])
def test_what_is_no_backup_is_not_unpacked(tmp_path, wrong):
    with pytest.raises(Failure):
        disaster.unpack(wrong, tmp_path / "again")


def test_a_backup_is_for_its_owner_alone_and_never_over_another_file(site, tmp_path):
    disaster.backup(site.fleet, tmp_path / "one")
    assert (tmp_path / "one").stat().st_mode & 0o77 == 0
    with pytest.raises(Failure, match="can't be made"):
        disaster.backup(site.fleet, tmp_path / "one")
    with pytest.raises(Failure, match="there already"):
        disaster.unpack((tmp_path / "one").read_bytes(), tmp_path)


# A clone


def start(fake, nonce):
    told = {"slot": "none", "trial": 0, "latest": {}, "nonce": inventory.text(bytes([nonce]) * 16)}
    return fake.data("inventory", inventory.packed(told))


def alarms(site):
    return [alarm.why for alarm in site.c2.ledger.alarms()]


def test_a_board_that_starts_again_and_again_is_no_clone(site):
    fake = site.device()
    for nonce in (1, 1, 2, 3, 3, 4):
        site.hear(fake, start(fake, nonce))
    assert alarms(site) == []


def test_two_boards_with_one_key_are_found_by_a_start_that_comes_back(site):
    """Each goes on from its own tokens, which say nothing as long as both clocks go on."""
    fake = site.device()
    for nonce in (1, 2, 1):
        site.hear(fake, start(fake, nonce))
    assert len(alarms(site)) == 1 and "two boards have its key" in alarms(site)[0]


def test_two_boards_with_one_key_are_found_by_tokens_that_part(site):
    fake = site.device()
    older = fake.data("app.log", b"1", tokens.first_at(site.clock.now))
    site.hear(fake, fake.data("app.log", b"2", tokens.first_at(site.clock.now + 10)))
    site.hear(fake, older)
    assert len(alarms(site)) == 1 and "not above its last" in alarms(site)[0]


# Another board in its place


def test_a_board_takes_the_name_groups_and_tags_of_the_one_that_is_gone(site):
    from srup_host.server import disaster_commands

    old, new = site.device("kitchen"), site.device("spare")
    operator = site.program(Role.OPERATOR)
    operator.patch("/api/v1/devices/kitchen", json={"groups": ["roof"], "tags": ["old"]})
    disaster_commands.replace("kitchen", "spare", site.fleet.directory)
    [shown] = operator.get("/api/v1/devices").json()["devices"]
    assert (shown["uuid"], shown["name"]) == (new.uuid, "kitchen")
    assert (shown["groups"], shown["tags"]) == (["roof"], ["old"])
    assert site.hear(old, old.inventory()).kind == "refused"
    assert site.hear(new, new.inventory()).kind == "inventory"
    with pytest.raises(Failure):
        disaster_commands.replace("kitchen", "kitchen", site.fleet.directory)
    assert wire
