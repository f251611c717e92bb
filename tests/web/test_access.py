"""Who gets in, and how: the first account, passwords, sessions that end, tokens that are revoked, guesses that are slowed down."""

import sqlite3
import time

import pytest

from srup_host.console import Failure
from srup_host.server import accounts, bodies, bundles
from srup_host.server.errors import TooMany
from srup_host.server.guard import COOKIE
from srup_host.server.rates import Rate
from srup_host.server.roles import Role
from tests.host.shell import failed, srup
from tests.web.site import PASSWORD

DAY = 86_400_000


def path_of(link):
    return "/" + link.split("/", 3)[3]


def accept(client, link, name="ada", password=PASSWORD, again=None):
    return client.post(path_of(link), data={"name": name, "password": password, "again": again or password})


def log_in(client, name, password):
    return client.post("/log-in", data={"name": name, "password": password})


def test_the_first_account_is_made_by_whoever_reads_the_servers_console(site):
    link = site.c2.first_link()
    assert link.startswith("https://localhost:8443/invitation/")
    client = site.client()
    assert "administrator" in client.get(path_of(link)).text or "admin" in client.get(path_of(link)).text
    entered = accept(client, link)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert client.get("/api/v1/me").json() == {"name": "person:ada", "role": "admin"}
    assert site.c2.first_link() is None  # there is one now


def test_an_invitation_works_once_and_for_a_day_and_a_new_first_one_voids_the_last(site):
    old = site.c2.first_link()
    link = site.c2.first_link()
    assert accept(site.client(), old).status_code == 404
    site.clock.now += DAY + 1
    assert accept(site.client(), link).status_code == 404
    link = site.c2.first_link()
    assert accept(site.client(), link).status_code == 303
    assert accept(site.client(), link, "eve").status_code == 404
    assert site.client().get("/invitation/" + "A" * 43).status_code == 404


@pytest.mark.parametrize(
    ("name", "password", "again"),
    [
        ("ada", "short", None),
        ("ada", "x" * 300, None),
        ("ada", PASSWORD, PASSWORD + "!"),
        ("long-name-as-password", "Long-Name-As-Password", None),
        ("<script>", PASSWORD, None),
        ("", PASSWORD, None),
    ],
)
def test_what_makes_no_account_leaves_the_invitation_good(site, name, password, again):
    link = site.c2.first_link()
    assert accept(site.client(), link, name, password, again).status_code in (400, 422)
    assert accept(site.client(), link).status_code == 303


def test_there_is_no_account_and_no_password_by_default(site):
    for name, password in (("admin", "admin"), ("admin", ""), ("root", "root"), ("", ""), ("srup", "srup")):
        assert log_in(site.client(), name, password).status_code in (401, 422)
    with site.c2.read() as session:
        assert session.scalar(accounts.select(accounts.Account.id)) is None


def test_logging_in_and_out(site):
    site.person(Role.OPERATOR, "ada")
    client = site.client()
    assert log_in(client, "ada", PASSWORD + "?").status_code == 401
    assert log_in(client, "ad", PASSWORD).status_code == 401
    entered = log_in(client, "ada", PASSWORD)
    cookie = entered.headers["set-cookie"]
    assert all(word in cookie for word in (f"{COOKIE}=", "HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    assert "Domain" not in cookie
    with site.c2.read() as session:
        csrf = accounts.visitor(session, client.cookies[COOKIE], site.clock())[0].csrf
    kept = client.cookies[COOKIE]
    assert client.post("/log-out", data={"csrf": csrf}).status_code == 303
    client.cookies.set(COOKIE, kept)  # a stolen copy is of no use either
    assert client.get("/api/v1/me").status_code == 401
    told = site.program(Role.VIEWER).get("/api/v1/audit").json()
    assert [line["actor"] for line in told if line["action"] == "logged out"] == ["person:ada"]


def test_a_session_ends_when_nobody_uses_it_and_at_last_in_any_case(site):
    client = site.person(Role.VIEWER)
    for _ in range(14):  # a week, used all the time
        site.clock.now += accounts.IDLE_MS - 1
        assert client.get("/api/v1/me").status_code == 200
    site.clock.now += accounts.IDLE_MS - 1
    assert client.get("/api/v1/me").status_code == 401
    client = site.person(Role.VIEWER)
    site.clock.now += accounts.IDLE_MS + 1
    assert client.get("/api/v1/me").status_code == 401


def test_what_an_administrator_takes_away_is_gone_at_once(site):
    admin, ada = site.program(Role.ADMIN), site.person(Role.OPERATOR, "ada")
    number = site.people["ada"]
    assert admin.patch(f"/api/v1/accounts/{number}", json={"role": "viewer"}).json()["role"] == "viewer"
    assert ada.get("/api/v1/me").status_code == 401  # to come in again as what they now are
    assert site.person(Role.VIEWER, "ada").get("/api/v1/me").json()["role"] == "viewer"
    admin.patch(f"/api/v1/accounts/{number}", json={"closed": True})
    assert log_in(site.client(), "ada", PASSWORD).status_code == 401


@pytest.mark.parametrize("change", [{"closed": True}, {"role": "operator"}])
def test_whoever_is_administrator_no_longer_has_kept_no_way_in(site, change):
    """Made while they could: an API token, one more with that one, and an invitation with each."""
    admin, eve = site.person(Role.ADMIN, "ada"), site.person(Role.ADMIN, "eve")
    links, programs, by = [], [], eve
    for headers in ({"X-CSRF-Token": eve.csrf}, {}):
        links.append(by.post("/api/v1/invitations", json={"role": "admin"}, headers=headers).json()["link"])
        made = by.post("/api/v1/tokens", json={"name": "backdoor", "role": "admin"}, headers=headers).json()
        by = site.client(Authorization=f"Bearer {made['secret']}")
        programs.append(by)
    mine = {"X-CSRF-Token": admin.csrf}
    kept = admin.post("/api/v1/tokens", json={"name": "ci", "role": "admin"}, headers=mine).json()["secret"]
    assert admin.patch(f"/api/v1/accounts/{site.people['eve']}", json=change, headers=mine).status_code == 200
    assert [program.get("/api/v1/me").status_code for program in programs] == [401, 401]
    assert [accept(site.client(), link, "mallory").status_code for link in links] == [404, 404]
    assert site.client(Authorization=f"Bearer {kept}").get("/api/v1/me").status_code == 200
    told = [line for line in admin.get("/api/v1/audit").json() if line["action"] == "API token revoked"]
    assert [(line["subject"], line["actor"]) for line in told] == [("backdoor", "person:ada")] * 2


def test_what_a_stolen_api_token_has_made_ends_with_it(site):
    admin = site.program(Role.ADMIN)
    stolen = admin.post("/api/v1/tokens", json={"name": "ci", "role": "admin"}).json()
    thief = site.client(Authorization=f"Bearer {stolen['secret']}")
    made = thief.post("/api/v1/tokens", json={"name": "spare", "role": "admin"}).json()
    link = thief.post("/api/v1/invitations", json={"role": "admin"}).json()["link"]
    assert admin.delete(f"/api/v1/tokens/{stolen['id']}").status_code == 204
    assert site.client(Authorization=f"Bearer {made['secret']}").get("/api/v1/me").status_code == 401
    assert accept(site.client(), link).status_code == 404
    assert admin.get("/api/v1/me").status_code == 200


def test_the_last_administrator_can_not_be_shut_out(site):
    ada = site.person(Role.ADMIN, "ada")
    change = {"headers": {"X-CSRF-Token": ada.csrf}}
    for body in ({"closed": True}, {"role": "viewer"}):
        answer = ada.patch(f"/api/v1/accounts/{site.people['ada']}", json=body, **change)
        assert answer.status_code == 400 and "last administrator" in answer.json()["error"]
    assert ada.get("/api/v1/me").json()["role"] == "admin"


def test_an_api_token_is_shown_once_expires_and_is_revoked(site):
    admin = site.program(Role.ADMIN)
    made = admin.post("/api/v1/tokens", json={"name": "ci", "role": "operator", "days": 1}).json()
    program = site.client(Authorization=f"Bearer {made['secret']}")
    assert program.get("/api/v1/me").json() == {"name": "token:ci", "role": "operator"}
    assert "secret" not in admin.get("/api/v1/tokens").text
    site.clock.now += DAY + 1
    assert program.get("/api/v1/me").status_code == 401
    again = admin.post("/api/v1/tokens", json={"name": "ci", "role": "operator"}).json()
    program = site.client(Authorization=f"Bearer {again['secret']}")
    assert program.get("/api/v1/me").status_code == 200
    assert admin.delete(f"/api/v1/tokens/{again['id']}").status_code == 204
    assert program.get("/api/v1/me").status_code == 401


def test_whoever_steals_the_database_can_neither_log_in_nor_read_a_password(site):
    site.person(Role.ADMIN, "ada")
    link = site.c2.first_link() or ""
    secret = site.program(Role.ADMIN).headers["authorization"].split()[1]
    dump = "\n".join(sqlite3.connect(site.fleet.directory / "c2.sqlite").iterdump())
    assert "$argon2id$" in dump
    for hidden in (PASSWORD, secret, *[part for part in link.split("/")[-1:] if part]):
        assert hidden not in dump and hidden.encode().hex() not in dump.lower()


def test_guesses_at_one_account_are_slowed_down_wherever_they_come_from(site):
    site.person(Role.VIEWER, "ada")
    site.c2.log_ins = Rate(3, 60, lambda: 0.0)
    codes = [log_in(site.client(), "ada", f"guess number {n}").status_code for n in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    assert log_in(site.client(), "ada", PASSWORD).status_code == 429


def test_a_rate_lets_go_again_in_time_and_does_not_remember_everybody():
    now = [0.0]
    rate = Rate(2, 10, lambda: now[0])
    rate.check("a")
    rate.check("a")
    with pytest.raises(TooMany) as refused:
        rate.check("a")
    assert refused.value.seconds == 10
    rate.check("b")
    now[0] = 10
    rate.check("a")
    for number in range(30_000):
        rate.check(str(number))
    assert len(rate._buckets) <= 10_000


def test_names_and_passwords_that_will_not_do():
    for name, password in (("ada", "eleven char"), ("a b", PASSWORD), ("x" * 65, PASSWORD)):
        with pytest.raises(Failure):
            accounts.hashed(name, password)


def test_what_is_refused_for_its_form_is_not_repeated(site):
    """It may be a password, or half a character, of which no answer can be made."""
    long = "my secret " * 100
    refused = site.client().post("/log-in", data={"name": "ada", "password": long})
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "password"])
    assert "secret" not in refused.text
    kind = {"Content-Type": "application/json"}
    for body in (rb'{"name":"a\ud800","role":"viewer"}', rb'{"name":"a","role":"viewer","\ud800":1}'):
        refused = site.program(Role.ADMIN).post("/api/v1/tokens", content=body, headers=kind)
        assert refused.status_code == 422 and refused.json()["detail"]


def test_log_in_from_another_site_is_not_taken(site):
    """Else somebody could be made to work in an account that another person reads."""
    site.person(Role.VIEWER, "ada")
    client = site.client(Origin="https://evil.example")
    assert log_in(client, "ada", PASSWORD).status_code == 403
    assert COOKIE not in client.cookies


def test_srup_account_beside_the_server(site):
    fleet = ("--fleet", site.fleet.directory)
    secret = srup("account", "token", "ci", "operator", *fleet).text.strip()
    site.c2.now = lambda: time.time_ns() // 1_000_000  # the command's clock
    me = site.client(Authorization=f"Bearer {secret}").get("/api/v1/me").json()
    assert me == {"name": "token:ci", "role": "operator"}
    link = srup("account", "invite", "viewer", *fleet).text.strip()
    client = site.client()
    assert accept(client, link, "bob").status_code == 303
    assert client.get("/api/v1/me").json()["role"] == "viewer"
    assert "is no role" in failed("account", "token", "ci", "god", *fleet)


@pytest.mark.parametrize(
    ("path", "kind", "role"),
    [
        ("/log-in", "application/x-www-form-urlencoded", Role.ANYBODY),
        ("/api/v1/tokens", "application/json", Role.ANYBODY),
        ("/api/v1/bundles", "application/octet-stream", Role.OPERATOR),
    ],
)
def test_a_body_that_is_too_long_is_not_taken_whoever_sends_it(site, path, kind, role, monkeypatch):
    monkeypatch.setattr(bodies, "MOST", 10_000)
    monkeypatch.setattr(bundles, "MOST", 10_000)
    client = site.program(role)
    client.headers["Content-Type"] = kind
    assert client.post(path, content=bytes(100_000)).status_code == 413
    undeclared = iter([b"a" * 5000] * 20)
    assert client.post(path, content=undeclared).status_code == 413
    assert client.post(path, content=b"a").status_code != 413
