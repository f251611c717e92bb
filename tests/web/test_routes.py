"""Every route, for every role: the table of routes is the whole of the server, and each of its doors is shut to those below."""

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount

from srup_host.server.roles import Role
from srup_host.server.routes import ROUTES

FILLED = {
    "{device}": "00000000-0000-4000-8000-000000000000",
    "{account}": "999",
    "{token}": "999",
    "{digest}": "ab" * 32,
    "{rollout}": "999",
    "{order}": "999",
    "{secret}": "nothing",
    "{name}": "style.css",
}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
IDS = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.fixture(autouse=True)
def streams_end(site):
    """Else /live is answered for ever."""
    site.c2.news.end()


def path_of(route):
    path = route.path
    for name, value in FILLED.items():
        path = path.replace(name, value)
    assert "{" not in path, "a new parameter: say in FILLED what to put there"
    return path


def ask(client, route, **extra):
    return client.request(route.method, path_of(route), **extra)


def test_what_the_server_answers_is_the_table_and_nothing_else(site):
    served = set()
    for route in site.app.routes:
        assert isinstance(route, APIRoute), f"{route} has not come through the table"
        assert not isinstance(route, Mount)
        served |= {(method, route.path) for method in route.methods}
    assert served == {(route.method, route.path) for route in ROUTES}
    assert len(served) == len(ROUTES), "a route is in the table twice"


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_a_route_is_open_to_its_role_and_those_above_and_shut_to_all_others(site, route):
    for role in Role:
        answer = ask(site.program(role), route)
        refused = answer.status_code in (401, 403) or (
            route.method == "GET" and answer.headers.get("location") == "/log-in"
        )
        assert refused == (role < route.role), f"{role.word}: {answer.status_code} {answer.text}"
        if refused:
            expected = 403 if role else 303 if route.page and route.method == "GET" else 401
            assert answer.status_code == expected


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_a_session_that_is_made_up_opens_nothing(site, route):
    from srup_host.server.guard import COOKIE

    for headers, cookies in (
        ({"Authorization": "Bearer srup_" + "A" * 43}, {}),
        ({"Authorization": "Basic YWRtaW46YWRtaW4="}, {}),
        ({}, {COOKIE: "A" * 43}),
        ({}, {COOKIE: ""}),
    ):
        client = site.client(**headers)
        client.cookies.update(cookies)
        answer = ask(client, route)
        if route.role is not Role.ANYBODY:
            assert answer.status_code == 401 or (answer.status_code, answer.headers["location"]) == (303, "/log-in")


@pytest.mark.parametrize("route", [one for one in ROUTES if one.method in CHANGING and one.role])
def test_another_site_can_not_use_the_session_of_a_browser(site, route):
    """The cookie comes along by itself; the session's secret, and our own origin, do not."""
    admin = site.person(Role.ADMIN)
    good = {"X-CSRF-Token": admin.csrf, "Origin": "https://testserver", "Sec-Fetch-Site": "same-origin"}
    for wrong in (
        {},
        {"X-CSRF-Token": "A" * 43},
        good | {"Origin": "https://evil.example"},
        good | {"Origin": "null"},
        good | {"Sec-Fetch-Site": "cross-site"},
        good | {"Sec-Fetch-Site": "same-site"},
        {"X-CSRF-Token": site.person(Role.ADMIN, "another").csrf},
    ):
        assert ask(admin, route, headers=wrong).status_code == 403, wrong
    assert ask(admin, route, headers=good).status_code not in (401, 403)


def test_a_safe_method_changes_nothing_and_so_needs_no_secret(site):
    assert all(route.method in ("GET", *CHANGING) for route in ROUTES)
    assert site.person(Role.VIEWER).get("/api/v1/me").json() == {"name": "person:the-viewer", "role": "viewer"}


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_every_answer_has_the_headers_that_browsers_heed(site, route):
    for client in (site.client(), site.program(Role.ADMIN)):
        headers = ask(client, route).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert "server" not in headers


def test_no_route_is_answered_twice_or_by_a_method_that_is_not_in_the_table(site):
    admin = site.program(Role.ADMIN)
    for route in ROUTES:
        known = {one.method for one in ROUTES if one.path == route.path}
        for method in {"GET", *CHANGING} - known:
            assert admin.request(method, path_of(route)).status_code in (404, 405)


def test_nobody_asks_without_end(site):
    client = site.program(Role.VIEWER)
    codes = [client.get("/health").status_code for _ in range(320)]
    assert codes[:200] == [200] * 200 and codes[-1] == 429
    refused = client.get("/api/v1/me")
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
