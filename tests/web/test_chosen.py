"""What each device of a roll-out is sent, and when: a delta or all of it, a copy that it alone can read, in its own night."""

import os
import random
from datetime import UTC, datetime

import pytest

from srup import sealed, status, wire
from srup_host import bundle, hosting, keyfiles, signing
from srup_host.server import runner
from srup_host.server.roles import Role
from tests.web.crowd import OLD
from tests.web.site import csrf_of

MUCH = b"# " + random.Random(1).randbytes(2000).hex().encode()  # nothing makes it small
FIRST, SECOND = {"app.py": MUCH, "main.py": b"pass\n"}, {"app.py": MUCH, "main.py": b"print(2)\n"}


class Releases:
    """1.0, and 2.0 in two forms: whole, and as a delta to 1.0; each as it is uploaded."""

    def __init__(self, site, folder, operator):
        self._site, self._folder = site, folder
        one = self._read("1.0", FIRST)
        self.runs = one.manifest
        self.whole, self.delta = (
            operator.post("/api/v1/bundles", content=self._pack("2.0", SECOND, **how)).json()
            for how in ({}, {"base": one})
        )

    def _pack(self, version, contents, **how):
        key = self._site.fleet.private_key("release")
        return bundle.pack(contents, key, name="thermometer", version=version, counter=1, **how)

    def _read(self, version, contents):
        path = self._folder / f"{version}.srup"
        path.write_bytes(self._pack(version, contents))
        return bundle.read(path)


@pytest.fixture
def releases(site, crowd, tmp_path, operator):
    found = Releases(site, tmp_path, operator)
    crowd.manifest = found.whole["manifest"]
    return found


def begin(operator, bundle, devices=(), **policy):
    body = {"bundle": bundle["digest"], "devices": list(devices), "policy": {"waves": ["100%"], **policy}}
    answer = operator.post("/api/v1/rollouts", json=body)
    assert answer.status_code == 201, answer.text


def targets(operator):
    return {one["name"]: one for one in operator.get("/api/v1/rollouts/1/devices").json()["devices"]}


def urls(site, played):
    """Where it was sent to, each time."""
    with site.c2.read() as session:
        from sqlalchemy import select

        from srup_host.tables import Sent

        query = select(Sent).where(Sent.device == played.fake.uuid, Sent.type == wire.INITIATE).order_by(Sent.id)
        return [wire.decode(sent.frame).elements["url"].decode() for sent in session.scalars(query)]


def runs(crowd, name, what, *ways):
    """A device that has said what it runs."""
    played = crowd.device(name, *ways)
    played.runs = what
    crowd.site.hear(played.fake, played.fake.inventory(what))
    return played


# A delta or all of it


def test_each_gets_the_delta_to_what_it_runs_or_all_of_it(site, crowd, operator, releases):
    up_to_date, older = runs(crowd, "up-to-date", releases.runs), runs(crowd, "older", OLD)
    silent = crowd.device("silent-so-far")
    assert releases.delta["size"] < releases.whole["size"]
    begin(operator, releases.whole)
    crowd.play()
    shown = targets(operator)
    assert {one["state"] for one in shown.values()} == {"confirmed"}
    assert (
        urls(site, up_to_date) == [releases.delta["url"]] and shown["up-to-date"]["bundle"] == releases.delta["digest"]
    )
    assert urls(site, older) == urls(site, silent) == [releases.whole["url"]]
    page = site.person(Role.VIEWER).get("/rollouts/1").text
    assert f"delta to {releases.delta['manifest']['base'][:8]}" in page and "whole, " in page


def test_also_where_the_delta_is_what_was_chosen(site, crowd, operator, releases):
    older = runs(crowd, "older", OLD)
    begin(operator, releases.delta)
    crowd.play()
    assert urls(site, older) == [releases.whole["url"]] and targets(operator)["older"]["state"] == "confirmed"


@pytest.mark.parametrize("refused", [status.UPDATE_FAIL_BOARD, status.UPDATE_FAIL_STORAGE])
def test_who_can_not_use_its_delta_gets_all_of_it_even_with_one_try(site, crowd, operator, releases, refused):
    """It says that it runs 1.0, and what it has of it is not what it was."""
    damaged = runs(crowd, "damaged", releases.runs, refused, "good")
    begin(operator, releases.whole, attempts=1, backoff_s=0, abort=1)
    crowd.play()
    if refused == status.UPDATE_FAIL_BOARD:
        assert targets(operator)["damaged"]["state"] == "confirmed"
    assert urls(site, damaged)[-1] == releases.whole["url"] and urls(site, damaged)[0] == releases.delta["url"]


def test_all_of_it_refused_is_refused(crowd, operator, releases):
    runs(crowd, "wrong-board", OLD, status.UPDATE_FAIL_BOARD)
    begin(operator, releases.whole, attempts=5, backoff_s=0, abort=1)
    crowd.play()
    assert (targets(operator)["wrong-board"]["state"], targets(operator)["wrong-board"]["attempts"]) == ("failed", 1)


def test_a_delta_that_makes_another_release_of_the_same_name_is_not_taken(site, crowd, operator, releases, tmp_path):
    """The same version, built anew with other contents: its delta is no way to this one."""
    one = releases._read("1.0", FIRST)
    other = releases._pack("2.0", {"app.py": FIRST["app.py"] + b"#"}, base=one)
    operator.post("/api/v1/bundles", content=other)
    operator.post("/api/v1/bundles", content=releases._pack("2.0", SECOND, base=one, boards=["ANOTHER"], window=0))
    up_to_date = runs(crowd, "up-to-date", releases.runs)
    begin(operator, releases.whole)
    crowd.play()
    assert urls(site, up_to_date) == [releases.delta["url"]]


def test_all_of_it_for_everybody_if_that_is_asked_for(site, crowd, operator, releases):
    up_to_date = runs(crowd, "up-to-date", releases.runs)
    begin(operator, releases.whole, deltas=False)
    crowd.play()
    assert urls(site, up_to_date) == [releases.whole["url"]]


# A copy for it alone


def copies(site):
    return set(hosting.public(site.fleet).glob("*.sealed.srup"))


def unsealed(path, key, folder):
    private = key.private_numbers().private_value.to_bytes(32, "big")
    list(sealed.unseal(str(path), str(folder / "out"), private))
    return (folder / "out").read_bytes()


def test_each_gets_a_copy_that_it_alone_can_read_for_as_long_as_it_may_want_it(site, crowd, operator, tmp_path):
    keys = {name: keyfiles.generate() for name in ("one", "two")}
    for name, key in keys.items():
        crowd.device(name, sealing_key=signing.public_bytes(key))
    keyless = crowd.device("keyless")
    release = {"digest": crowd.release()}
    begin(operator, release, seal=True)
    crowd.runner.round()
    whole = (
        hosting.public(site.fleet) / operator.get("/api/v1/bundles").json()[0]["url"].rpartition("/")[2]
    ).read_bytes()
    for name, key in keys.items():
        other = next(one for known, one in keys.items() if known != name)
        served = hosting.public(site.fleet) / targets(operator)[name]["sealed"]
        [played] = [one for one in crowd.played.values() if one.fake.device.name == name]
        assert [url.rpartition("/")[2] for url in urls(site, played)] == [served.name]
        assert b"pass" not in served.read_bytes() and unsealed(served, key, tmp_path) == whole
        with pytest.raises(Exception, match="for others|recipient|another"):
            unsealed(served, other, tmp_path)
    assert len(set(hosting.public(site.fleet).iterdir())) == 3
    crowd.play()
    assert {one["state"] for one in targets(operator).values()} == {"confirmed", "left out"}
    assert (
        targets(operator)["keyless"]["why"] == "it has made no key for sealed bundles" and "INITIATE" not in keyless.got
    )
    assert [one.read_bytes() for one in hosting.public(site.fleet).iterdir()] == [whole]  # the copies are gone


def test_a_second_try_makes_a_second_copy_and_leaves_none_behind(site, crowd, operator):
    key = signing.public_bytes(keyfiles.generate())
    flaky = crowd.device("flaky", status.UPDATE_FAIL_SERVER, "good", sealing_key=key)
    begin(operator, {"digest": crowd.release()}, seal=True, backoff_s=0, abort=1)
    crowd.play()
    assert len(set(urls(site, flaky))) == 2 and len(list(hosting.public(site.fleet).iterdir())) == 1


def test_a_copy_that_a_killed_worker_has_left_is_gone_after_an_hour(site, crowd, operator, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    crowd.device("one", sealing_key=signing.public_bytes(keyfiles.generate()))
    begin(operator, {"digest": crowd.release()}, seal=True)
    with monkeypatch.context() as patch:
        patch.setattr(site.c2.ledger, "initiate", killed)
        with pytest.raises(Killed):
            crowd.runner.round()
    [left] = copies(site)
    runner.Runner(site.c2).round()
    [its] = copies(site) - {left}
    for path in (left, its):
        os.utime(path, (0, 0))
    runner.Runner(site.c2).round()
    assert copies(site) == {its}, "what a device may want stays, however old it is"
    assert targets(operator)["one"]["sealed"] == its.name


# In its own night


def at(site, hour, minute=0):
    """It is this time in Greenwich, on a day in winter."""
    site.clock.now = int(datetime(2027, 2, 1, hour, minute, tzinfo=UTC).timestamp() * 1000)


def test_each_begins_in_its_own_night(site, crowd, operator):
    at(site, 0)
    places = {"tokyo": "Asia/Tokyo", "paris": "Europe/Paris", "nowhere": "", "lima": "America/Lima"}
    for name, zone in places.items():
        crowd.device(name)
        assert operator.patch(f"/api/v1/devices/{name}", json={"zone": zone}).json()["zone"] == zone
    begin(operator, {"digest": crowd.release()}, window="02:00-04:00")

    def confirmed(hour):
        at(site, hour)
        crowd.play()
        return {name for name, one in targets(operator).items() if one["state"] == "confirmed"}

    assert confirmed(1) == {"paris"}  # 10:00 in Tokyo, 20:00 in Lima
    assert confirmed(3) == {"paris", "nowhere"}  # UTC, where nobody has said
    assert confirmed(6) == {"paris", "nowhere"}
    assert confirmed(8) == {"paris", "nowhere", "lima"}
    assert confirmed(18) == set(places)
    assert operator.get("/api/v1/rollouts/1").json()["state"] == "done"
    assert "each device's own time" in site.person(Role.VIEWER).get("/rollouts/1").text


def test_what_was_staged_in_its_night_is_not_activated_at_its_noon(site, crowd, operator):
    at(site, 2)
    played = crowd.device("nowhere")
    begin(operator, {"digest": crowd.release()}, window="02:00-04:00")
    crowd.runner.round()
    assert crowd.deliver()
    at(site, 12)
    crowd.play()
    assert targets(operator)["nowhere"]["state"] == "staged" and "ACTIVATE" not in played.got
    site.clock.now += 14 * 3_600_000
    crowd.play()
    assert targets(operator)["nowhere"]["state"] == "confirmed"


def test_one_zone_for_all_of_them_if_that_is_asked_for(site, crowd, operator):
    at(site, 1)
    crowd.device("tokyo")
    operator.patch("/api/v1/devices", json={"devices": ["tokyo"], "zone": "Asia/Tokyo"})
    begin(operator, {"digest": crowd.release()}, window="02:00-04:00", zone="Europe/Paris")
    crowd.play()
    assert targets(operator)["tokyo"]["state"] == "confirmed"


def test_a_zone_that_is_none_is_refused_and_a_person_sets_it_on_the_device_s_page(site, operator):
    fake = site.device()
    for bad in ("Europe", "../../etc/passwd", "Mars/Olympus"):
        assert operator.patch("/api/v1/devices/kitchen", json={"zone": bad}).status_code == 400
    person = site.person(Role.OPERATOR)
    page = person.get(f"/devices/{fake.uuid}").text
    assert "not set" in page
    form = {"csrf": csrf_of(page), "groups": "", "tags": "", "zone": "Europe/Paris"}
    assert person.post(f"/devices/{fake.uuid}/labels", data=form).status_code == 303
    assert operator.get("/api/v1/devices/kitchen").json()["zone"] == "Europe/Paris"
    assert 'value="Europe/Paris"' in person.get(f"/devices/{fake.uuid}").text


def test_the_form_of_a_roll_out_has_all_three(site, crowd, operator):
    crowd.devices(good=1)
    crowd.release()
    person = site.person(Role.OPERATOR)
    page = person.get("/rollouts/new").text
    form = {"csrf": csrf_of(page), "bundle": operator.get("/api/v1/bundles").json()[0]["digest"], "seal": "yes"}
    form |= {"whole": "yes", "window": "02:00-04:00", "zone": "device", "waves": "100%"}
    assert person.post("/rollouts/new", data=form).status_code == 303
    policy = operator.get("/api/v1/rollouts/1").json()["policy"]
    assert (policy["seal"], policy["deltas"], policy["zone"]) == (True, False, "device")
