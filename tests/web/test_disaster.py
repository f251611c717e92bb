"""A server that is gone, and goes on from an older copy; a board that is two; a board that takes another's place."""

import errno
import itertools
import re
import tarfile
import threading

import pytest

from srup import inventory, tokens, wire
from srup_host import files, hosting
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.joins import Joins
from srup_host.server import disaster, registry
from srup_host.server.c2 import C2
from srup_host.server.roles import Role
from tests.host.shell import failed, run, srup
from tests.host.test_joins import Asking
from tests.web.crowd import Crowd
from tests.web.site import Site

HOUR = 3_600_000


def unpack(packed, directory):
    with disaster.unpacked(packed, directory):
        pass


def restored(site, folder, later):
    """The server from a backup of now, `later` ms after."""
    disaster.backup(site.fleet, folder / "backup.tar.gz")
    unpack((folder / "backup.tar.gz").read_bytes(), folder / "again")
    clock = site.clock.now + later
    return C2(Fleet.open(folder / "again"), lambda: clock)


def look_and_resume(again):
    """A person resumes the roll-out, which a restored server has paused; the states of its devices before that."""
    operator = again.program(Role.OPERATOR)
    shown = operator.get("/api/v1/rollouts/1").json()
    assert (shown["state"], shown["why"]) == ("paused", "restored from a copy: look at it, then resume")
    assert operator.post("/api/v1/rollouts/1/resume", json={"why": "as it should be"}).status_code == 200
    return shown["states"]


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


@pytest.mark.parametrize("fault", [Failure("nobody to ask for a passphrase"), KeyboardInterrupt()])
def test_a_restore_that_fails_leaves_nothing_that_could_be_served(site, tmp_path, monkeypatch, fault):
    """What it makes would send old commands again: the rules had not been applied."""
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    before = sorted(tmp_path.iterdir())

    def failing(*_):
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(disaster, "go_on", failing)
        assert run("restore", tmp_path / "backup.tar.gz", tmp_path / "again").code in (2, 130)
    assert sorted(tmp_path.iterdir()) == before
    srup("restore", tmp_path / "backup.tar.gz", tmp_path / "again")
    private = [path for path in (tmp_path / "again").rglob("*") if path.is_dir()] + [tmp_path / "again"]
    assert all(
        path.stat().st_mode == (site.fleet.directory / path.relative_to(tmp_path / "again")).stat().st_mode
        for path in private
    )


def test_what_it_mints_is_newer_than_all_that_was_lost(site, tmp_path):
    """Also where its clock was put back a little: it rather refuses."""
    fake = site.device()
    site.c2.ledger.id_request(fake.device)
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    site.clock.now += HOUR
    lost = site.c2.ledger.id_request(fake.device)
    unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
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
    unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
    again = Site(Fleet.open(tmp_path / "again"))
    again.clock.now = site.clock.now + HOUR // 2
    assert disaster.go_on(again.c2) == 4
    assert {sent.name for sent in again.published} == {"ID_REQUEST"}
    played, crowd.site = crowd.played, again
    crowd.runner = type(crowd.runner)(again.c2)
    assert all(one.latest for one in played.values())
    crowd.play()
    assert look_and_resume(again) == {"staged": 4}, "asked, and nothing begun"
    crowd.play()
    shown = again.program(Role.VIEWER).get("/api/v1/rollouts/1").json()
    assert (shown["state"], shown["states"]) == ("done", {"confirmed": 4})
    assert all(one.got.count("INITIATE") == 1 for one in played.values())
    again.close()


def test_a_roll_out_of_which_the_copy_knows_no_activate_goes_on_from_what_the_devices_say(site, tmp_path):
    """It was made while they fetched; since then they have been told to try the release, and have confirmed it."""
    crowd = Crowd(site)
    crowd.devices(good=4)
    body = {"bundle": crowd.release(), "policy": {"waves": ["100%"]}}
    site.program(Role.OPERATOR).post("/api/v1/rollouts", json=body)
    crowd.runner.round()
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    crowd.play()
    assert site.program(Role.VIEWER).get("/api/v1/rollouts/1").json()["states"] == {"confirmed": 4}
    unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
    again = Site(Fleet.open(tmp_path / "again"))
    again.clock.now = site.clock.now + HOUR // 2
    assert disaster.go_on(again.c2) == 4
    crowd.site, crowd.runner = again, type(crowd.runner)(again.c2)
    crowd.play()
    assert look_and_resume(again) == {"confirmed": 4}
    crowd.play()
    shown = again.program(Role.VIEWER).get("/api/v1/rollouts/1").json()
    assert (shown["state"], shown["states"]) == ("done", {"confirmed": 4})
    assert alarms(again) == []
    assert all(one.got.count("INITIATE") == 1 for one in crowd.played.values())
    again.close()


def test_a_database_elsewhere_is_neither_backed_up_nor_touched_by_a_restore(site, tmp_path, monkeypatch):
    """It may be the one that is served."""
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    person = site.person(Role.VIEWER)
    monkeypatch.setenv("SRUP_DATABASE", f"sqlite:///{site.fleet.directory / 'c2.sqlite'}")
    assert "PostgreSQL" in failed("backup", tmp_path / "other.tar.gz", "--fleet", site.fleet.directory)
    assert "SRUP_DATABASE is set" in failed("restore", tmp_path / "backup.tar.gz", tmp_path / "again")
    assert "names another database" in failed("restored", "c2", "--fleet", site.fleet.directory)
    assert not (tmp_path / "again").exists()
    assert person.get("/api/v1/me").status_code == 200
    monkeypatch.setenv("SRUP_DATABASE", "")
    assert "names no database" in failed("restored", "c2", "--fleet", site.fleet.directory)
    srup("restore", tmp_path / "backup.tar.gz", tmp_path / "again")


@pytest.mark.parametrize("wrong", [b"", b"no archive", b"\x1f\x8b damaged"])
def test_what_is_no_backup_is_not_unpacked(tmp_path, wrong):
    with pytest.raises(Failure):
        unpack(wrong, tmp_path / "again")


def with_directory(packed, name, target):
    """The backup with one more member in it, a directory that all may write in."""
    with tarfile.open(packed) as archive, tarfile.open(target, "w:gz") as longer:
        for member in archive.getmembers():
            longer.addfile(member, archive.extractfile(member) if member.isfile() else None)
        more = tarfile.TarInfo(name)
        more.type, more.mode = tarfile.DIRTYPE, 0o777
        longer.addfile(more)


@pytest.mark.parametrize("where", ["{}/mine", "../mine", "keys/../../mine"])
def test_a_backup_that_somebody_has_changed_reaches_nothing_outside_of_it(site, tmp_path, where):
    (tmp_path / "mine").mkdir(0o700)
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    with_directory(tmp_path / "backup.tar.gz", where.format(tmp_path), tmp_path / "changed.tar.gz")
    before = sorted(tmp_path.iterdir())
    assert "can't be unpacked" in failed("restore", tmp_path / "changed.tar.gz", tmp_path / "again")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


def test_a_backup_is_for_its_owner_alone_and_never_over_another_file(site, tmp_path):
    disaster.backup(site.fleet, tmp_path / "one")
    assert (tmp_path / "one").stat().st_mode & 0o77 == 0
    with pytest.raises(Failure, match="can't be made"):
        disaster.backup(site.fleet, tmp_path / "one")
    with pytest.raises(Failure, match="there already"):
        unpack((tmp_path / "one").read_bytes(), tmp_path)


def test_ten_backups_beside_a_server_that_writes_all_the_time_are_whole(site, tmp_path):
    """Temporary files of `files.replace` come and go, and so do sealed copies."""
    public, ends = hosting.public(site.fleet), threading.Event()
    public.mkdir()

    def write():
        for number in itertools.cycle(range(20)):
            files.replace(public / f"{number}.sealed.srup", bytes(1000 * number))
            (public / f"{(number + 7) % 20}.sealed.srup").unlink(missing_ok=True)
            if ends.is_set():
                return

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for number in range(10):
            disaster.backup(site.fleet, tmp_path / f"{number}.tar.gz")
    finally:
        ends.set()
        for writer in writers:
            writer.join()
    for number in range(10):
        unpack((tmp_path / f"{number}.tar.gz").read_bytes(), tmp_path / f"again-{number}")
        names = [path.name for path in (tmp_path / f"again-{number}").rglob("*")]
        assert {"srup.toml", "c2.sqlite", "command.pem"} < set(names)
        assert not [name for name in names if name.startswith(".")], "nothing half written"


def test_a_file_that_is_replaced_or_goes_while_it_is_copied_spoils_nothing(site, tmp_path, monkeypatch):
    public = hosting.public(site.fleet)
    public.mkdir()
    for name in ("goes", "grows", "shrinks", "stays"):
        (public / name).write_bytes(b"before")
    tree, describe = disaster._tree, tarfile.TarFile.gettarinfo

    def listed(folder):
        for path in tree(folder):
            if path.name == "goes":
                path.unlink(missing_ok=True)
            if path.name == "grows":
                files.replace(path, b"after" * 1000)
            yield path

    def described(packed, name=None, arcname=None, fileobj=None):
        found = describe(packed, name, arcname, fileobj)
        if arcname == "public/shrinks":
            (public / "shrinks").write_bytes(b"")
        return found

    monkeypatch.setattr(disaster, "_tree", listed)
    monkeypatch.setattr(tarfile.TarFile, "gettarinfo", described)
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
    found = {path.name: path.read_bytes() for path in (tmp_path / "again" / "public").iterdir()}
    assert found == {"grows": b"after" * 1000, "shrinks": b"", "stays": b"before"}


@pytest.mark.parametrize("before", [True, False])
def test_a_device_that_joins_while_the_copy_is_made_is_there_after_it_whole(site, tmp_path, monkeypatch, before):
    """Just before the database is copied, or just after."""
    snapshot = disaster._snapshot

    def joined(*what):
        if before:
            site.device("newcomer")
        copied = snapshot(*what)
        if not before:
            site.device("newcomer")
        return copied

    monkeypatch.setattr(disaster, "_snapshot", joined)
    again = restored(site, tmp_path, HOUR)
    assert again.fleet.device("newcomer").key
    with again.read() as session:
        assert registry.one(session, "newcomer").left is None
    again.close()


def test_one_that_comes_back_while_the_copy_is_made_keeps_its_key(site, tmp_path, monkeypatch):
    """Its file goes from left/ to devices/, which has been copied then."""
    fake, add = site.device(), disaster._add
    site.fleet.retire(fake.uuid)

    def come_back(packed, path, name):
        if name == "keys":
            site.fleet.take_in(fake.uuid, "kitchen", "UNIX", fake.device.key)
        add(packed, path, name)

    monkeypatch.setattr(disaster, "_add", come_back)
    again = restored(site, tmp_path, HOUR)
    assert again.fleet.known_key(fake.uuid) == fake.device.key
    again.close()


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_backup_that_fails_in_the_middle_leaves_nothing(site, tmp_path, monkeypatch, fault):
    folder, seen = tmp_path / "backups", []
    folder.mkdir()
    add = disaster._add

    def full(packed, path, name):
        seen.append(name)
        if name == "keys":
            raise fault
        add(packed, path, name)

    monkeypatch.setattr(disaster, "_add", full)
    with pytest.raises((Failure, KeyboardInterrupt)):
        disaster.backup(site.fleet, folder / "backup.tar.gz")
    assert len(seen) > 2 and list(folder.iterdir()) == []
    monkeypatch.undo()
    disaster.backup(site.fleet, folder / "backup.tar.gz")
    assert [path.name for path in folder.iterdir()] == ["backup.tar.gz"]


def test_after_a_restore_nobody_is_let_in_by_what_was_taken_away_since(site, tmp_path):
    person, program = site.person(Role.OPERATOR, "ada"), site.program(Role.ADMIN)
    link = program.post("/api/v1/invitations", json={"role": "admin"}).json()["link"]
    secret = bytes.fromhex(Joins(site.fleet, site.c2.ledger, site.clock).make_voucher()[0])
    disaster.backup(site.fleet, tmp_path / "backup.tar.gz")
    unpack((tmp_path / "backup.tar.gz").read_bytes(), tmp_path / "again")
    again = Site(Fleet.open(tmp_path / "again"))
    again.clock.now = site.clock.now + HOUR
    disaster.go_on(again.c2)
    cookies = again.client()
    cookies.cookies = person.cookies
    assert cookies.get("/api/v1/me").status_code == 401
    assert again.client().get("/" + link.split("/", 3)[3]).status_code == 404
    newcomer = Asking()
    joins = Joins(again.fleet, again.c2.ledger, again.clock)
    joins.received(newcomer.request())
    assert joins.received(newcomer.voucher(secret))[0].kind == "refused"
    assert again.c2.first_link(), "there is no administrator"
    told = again.program(Role.VIEWER).get("/api/v1/audit").json()
    [line] = [line["details"] for line in told if line["action"] == "restored from a backup"]
    assert (line["sessions"], line["invitations"]) == (1, 1)
    again.close()


def test_srup_restore_says_what_a_person_has_to_look_at(site, tmp_path):
    crowd = Crowd(site)
    crowd.devices(good=2)
    operator = site.program(Role.OPERATOR)
    operator.post("/api/v1/rollouts", json={"bundle": crowd.release(), "policy": {"waves": ["100%"]}})
    srup("backup", tmp_path / "backup.tar.gz", "--fleet", site.fleet.directory)
    done = srup("restore", tmp_path / "backup.tar.gz", tmp_path / "again")
    assert "Roll-outs that went on are paused" in done.text
    assert "accounts closed since" in done.err and "API tokens revoked since" in done.err
    fleet = ("--fleet", tmp_path / "again")
    listed = srup("account", "tokens", "--json", *fleet).json
    assert {one["name"] for one in listed} == {"a-operator"}
    srup("account", "revoke", listed[0]["id"], *fleet)
    left = {one["id"] for one in srup("account", "tokens", "--json", *fleet).json}
    assert left == {one["id"] for one in listed[1:]}
    again = Site(Fleet.open(tmp_path / "again"))
    assert again.client(**dict(operator.headers)).get("/api/v1/me").status_code == 401
    [shown] = again.program(Role.VIEWER).get("/api/v1/rollouts").json()
    assert shown["state"] == "paused"
    assert re.fullmatch(r"restored from a copy of \d{4}-\d\d-\d\d \d\d:\d\d UTC: look at it, then resume", shown["why"])
    again.close()


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
