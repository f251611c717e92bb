"""The dashboard, as a browser gets it: what is on the pages, that forms work, that nothing that devices say becomes markup."""

import hashlib
import re
from html.parser import HTMLParser

import pytest

from srup import status
from srup_host.server.roles import Role
from tests.web.crowd import Crowd
from tests.web.site import csrf_of
from tests.web.test_bundles import pack
from tests.web.test_registry import MANIFEST, OLD, update

# As published, in the npm package htmx.org 2.0.4: what is served is what was looked at.
HTMX = ("htmx-2.0.4.min.js", "e209dda5c8235479f3166defc7750e1dbcd5a5c1808b7792fc2e6733768fb447")

VOID = {"meta", "link", "input", "br", "rect"}


class Page(HTMLParser):
    """Checks on the way that elements are closed in their order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.labelled, self.faults = [], [], 0, []
        self.feed(text)
        assert not self.open and not self.faults, (self.open, self.faults)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        self.links += [given[name] for name in ("href", "src", "action", "hx-get") if given.get(name)]
        if "style" in given or any(name.startswith("on") for name in given):
            self.faults.append((tag, given))  # the policy would not let it do anything
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden" and "label" not in self.open:
            self.faults.append(f"{given} has no label")

    def handle_endtag(self, tag):
        if tag not in VOID and self.open.pop() != tag:
            self.faults.append(tag)


def read(client, path, code=200):
    answer = client.get(path)
    assert answer.status_code == code, answer.text
    page = Page(answer.text)
    assert not [link for link in page.links if link.startswith(("http", "//"))], "nothing comes from elsewhere"
    return answer.text


def send(client, path, **fields):
    return client.post(path, data=fields | {"csrf": client.csrf})


@pytest.fixture
def admin(site):
    return site.person(Role.ADMIN, "ada")


def test_every_page_of_an_empty_fleet_says_what_to_do_next(site, admin):
    for path, hint in {
        "/": "srup virtual",
        "/rollouts": "srup bundle build",
        "/rollouts/new": "no bundle",
        "/bundles": "srup bundle build",
        "/joins": "provisioned",
        "/audit": "srup audit verify",
        "/accounts": "ada",
    }.items():
        assert hint in read(admin, path), path
    assert "srup account invite" in read(site.client(), "/log-in")


def test_what_was_published_is_what_is_served(site):
    name, digest = HTMX
    answer = site.client().get(f"/static/{name}")
    assert hashlib.sha256(answer.content).hexdigest() == digest
    assert "immutable" in answer.headers["cache-control"]
    for name in ("style.css", "live.js", "icon.svg"):
        assert site.client().get(f"/static/{name}").status_code == 200
    for name in ("..%2fapp.py", ".hidden", "nothing.js", "%2e%2e"):
        assert site.client().get(f"/static/{name}").status_code == 404


def test_every_link_of_every_page_leads_somewhere(site, admin):
    crowd = Crowd(site)
    crowd.devices(good=2, bad=1)
    admin.post("/api/v1/rollouts", json={"bundle": crowd.release()}, headers={"X-CSRF-Token": admin.csrf})
    crowd.play()
    seen, todo = set(), ["/"]
    while todo:
        path = todo.pop()
        seen.add(path)
        answer = admin.get(path)
        assert answer.status_code in (200, 405), path
        if "text/html" in answer.headers["content-type"]:
            links = [link for link in Page(answer.text).links if link.startswith("/") and link != "/live"]
            todo += [
                link for link in {link.partition("#")[0] for link in links} - seen - set(todo) if link != "/log-out"
            ]
    assert {"/rollouts/1", "/rollouts/new", "/bundles", "/audit", "/accounts"} <= seen
    assert len([path for path in seen if path.startswith("/devices/")]) >= 3


def test_the_fleet_at_a_glance(site, admin):
    for number in range(3):
        fake = site.device(f"board-{number}")
        site.hear(fake, fake.inventory(MANIFEST if number else OLD))
    site.c2.note_state(fake.uuid, True)
    page = read(admin, "/")
    assert "<strong>3</strong> devices" in page and "<strong>1</strong> online" in page
    assert re.search(r"thermometer 2\.0</a>: 2", page)
    assert page.count('<span class="word confirmed">') == 3
    assert "board-1" not in read(admin, "/?search=board-0").split("<tbody>")[1]


def test_a_device_shows_what_it_runs_and_by_which_frame(site, admin):
    fake = site.device()
    site.hear(fake, fake.inventory(OLD))
    update(site, fake, status.UPDATE_SUCCESS, status.ACTIVATE_TRIAL)
    page = read(admin, "/devices/kitchen")
    assert '<span class="word believed">believed</span> thermometer 1.0' in page
    number = re.search(r'<a href="#(frame-from-\d+)">frame', page).group(1)
    assert f'id="{number}"' in page
    for told in ("→ INITIATE", "← UPDATE_SUCCESS", "→ ACTIVATE", "← ACTIVATE_TRIAL", "← DATA inventory"):
        assert told in page, told


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "{{ 7*7 }}", "'; --"])
def test_what_devices_and_people_write_is_text_and_nothing_else(site, admin, evil):
    fake = site.device()
    site.hear(fake, fake.inventory(MANIFEST | {"name": evil, "version": evil}))
    headers = {"X-CSRF-Token": admin.csrf}
    admin.put("/api/v1/devices/kitchen/quarantine", json={"why": evil}, headers=headers)
    for path in ("/", "/devices/kitchen", "/audit", "/?search=" + evil.replace("#", "")):
        page = read(admin, path)
        assert "<script>alert" not in page and "<img" not in page and "49" not in re.findall(r">(\d+)<", page)


def test_dangerous_acts_ask_for_the_name_and_not_for_ok(site, admin):
    site.device()
    for name in ("", "OK", "cellar"):
        assert send(admin, "/devices/kitchen/quarantine", why="smoke", name=name).status_code == 400
    assert "In quarantine" not in read(admin, "/devices/kitchen")
    assert send(admin, "/devices/kitchen/quarantine", why="smoke", name="kitchen").status_code == 303
    assert "smoke" in read(admin, "/devices/kitchen")
    send(admin, "/devices/kitchen/quarantine")
    assert "In quarantine" not in read(admin, "/devices/kitchen")


def test_a_rollout_from_the_upload_to_the_end_by_forms_alone(site, admin):
    crowd = Crowd(site)
    crowd.devices(good=4)
    packed = pack(site.fleet.private_key("release"))
    file = {"file": ("app.srup", packed)}
    assert admin.post("/bundles", files=file, data={"csrf": admin.csrf}).status_code == 303
    assert admin.post("/bundles", files=file).status_code == 403
    form = read(admin, "/rollouts/new")
    assert csrf_of(form) == admin.csrf
    digest = re.search(r'<option value="([0-9a-f]{64})"', form).group(1)
    given = {
        "bundle": digest,
        "waves": "1 100%",
        "success": "90",
        "abort": "10",
        "rate": "0",
        "window": "",
        "zone": "UTC",
    }
    wrong = send(admin, "/rollouts/new", **given | {"waves": "half"})
    assert wrong.status_code == 400 and "no end of a wave" in wrong.text and 'value="half"' in wrong.text
    made = send(admin, "/rollouts/new", **given, activation="automatic")
    assert made.headers["location"] == "/rollouts/1"
    assert "running" in read(admin, "/rollouts/1")
    crowd.manifest = site.program(Role.VIEWER).get("/api/v1/bundles").json()[0]["manifest"]
    crowd.play()
    page = read(admin, "/rollouts/1")
    assert '<span class="word done">done</span>' in page and "Abort" not in page
    assert page.count(">confirmed</span>") == 4
    assert "4 confirmed" in read(admin, "/rollouts")


def test_the_big_red_button(site, admin):
    crowd = Crowd(site)
    crowd.devices(good=4)
    body = {"bundle": crowd.release(), "policy": {"waves": ["2", "100%"]}}
    admin.post("/api/v1/rollouts", json=body, headers={"X-CSRF-Token": admin.csrf})
    crowd.runner.round()
    assert send(admin, "/rollouts/1/pause").status_code == 303
    assert "Resume" in read(admin, "/rollouts/1")
    assert send(admin, "/rollouts/1/resume").status_code == 303
    assert send(admin, "/rollouts/1/abort", why="wrong one").status_code == 303
    page = read(admin, "/rollouts/1")
    assert "aborted" in page and "wrong one" in page and "danger big" not in page
    assert send(admin, "/rollouts/1/resume").status_code == 400


def test_a_bundle_that_is_not_ours_is_refused_in_words(site, admin):
    answer = admin.post("/bundles", files={"file": ("evil.srup", b"SRUP...")}, data={"csrf": admin.csrf})
    assert answer.status_code == 400 and "evil.srup is no good bundle" in answer.text


def test_accounts_are_invited_and_closed_on_a_page(site, admin):
    page = send(admin, "/accounts", role="viewer").text
    link = re.search(r"<code>https://[^/]+(/invitation/[^<]+)</code>", page).group(1)
    assert "viewer" in read(site.client(), link)
    site.person(Role.VIEWER, "bob")
    number = site.people["bob"]
    assert send(admin, f"/accounts/{number}", name="ada").status_code == 400
    assert send(admin, f"/accounts/{number}", name="bob").status_code == 303
    with pytest.raises(Exception, match="closed"):
        site.person(Role.VIEWER, "bob")


def test_viewers_are_shown_no_buttons_that_they_may_not_press(site):
    viewer = site.person(Role.VIEWER)
    site.device()
    for path in ("/", "/devices/kitchen", "/rollouts", "/bundles"):
        page = read(viewer, path)
        actions = set(re.findall(r'action="([^"]+)"', page)) - {"/log-out", "/"}
        assert not actions, path
        assert 'href="/accounts"' not in page


def test_who_is_not_logged_in_is_led_to_the_door_and_after_it_in(site):
    site.person(Role.VIEWER, "ada")
    client = site.client()
    assert client.get("/").headers["location"] == "/log-in"
    from tests.web.site import PASSWORD

    client.post("/log-in", data={"name": "ada", "password": PASSWORD})
    assert "ada, viewer" in read(client, "/")


def test_ten_thousand_devices_are_paged(site, admin):
    """The page of a large fleet has as many rows as that of a small one, and as many questions to the database."""
    from sqlalchemy import event, insert

    from srup_host.server.models import Member

    questions = []

    def count(number):
        rows = [
            {
                "uuid": f"{n:08}-0000-4000-8000-000000000000",
                "name": f"d{n:06}",
                "board": "X",
                "public_key": "",
                "fingerprint": "",
            }
            | {"provisioned": 0, "online": False, "failures": 0}
            for n in range(number[0], number[1])
        ]
        with site.c2.write() as session:
            session.execute(insert(Member), rows)
        questions.clear()
        page = read(admin, "/?page=2")
        return page.count("<tr>"), len(questions)

    event.listen(site.c2.ledger.engine, "before_cursor_execute", lambda *_: questions.append(1))
    small = count((0, 250))
    assert count((250, 10_000)) == small
    assert small[0] == 101
