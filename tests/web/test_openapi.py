"""The REST API as its OpenAPI describes it: what it says is asked, and what it does not allow, by schemathesis, of a fleet that has something in it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as said

from srup_host import init
from srup_host.server import app
from srup_host.server.rates import Rate
from srup_host.server.roles import Role
from tests.web.crowd import Crowd
from tests.web.site import Site

CHECKS = [
    checks.not_a_server_error,
    said.status_code_conformance,
    said.content_type_conformance,
    said.response_schema_conformance,
    said.negative_data_rejection,
    said.unsupported_method,
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A device, a bundle, a roll-out and an order are there: their names are in `there`."""
    site = Site(init.create(tmp_path_factory.mktemp("described") / "fleet", "home"))
    crowd = Crowd(site)
    crowd.devices(good=2)
    operator = site.program(Role.OPERATOR)
    digest = crowd.release()
    operator.post("/api/v1/rollouts", json={"bundle": digest, "policy": {"approval": True}})
    order = operator.post("/api/v1/devices/d000/actions", json={"action": "SELF_DESTRUCT", "name": "d000"})
    assert order.json()["order"] == 1
    site.there = {"device": "d000", "rollout": 1, "order": 1, "digest": digest, "account": 1, "token": 999}
    site.person(Role.ADMIN)
    site.c2.connected = True
    site.c2.requests = Rate(burst=1_000_000, seconds=0.001)
    site.headers = dict(site.program(Role.ADMIN).headers)
    yield site
    site.close()


schema = schemathesis.openapi.from_dict(app.create(None).openapi())


def ask(site, case):
    answer = case.call(app=site.app, base_url="http://testserver", headers=site.headers)
    if answer.status_code != 413:  # a list that is too long is refused before anything is read
        case.validate_response(answer, checks=CHECKS)


@schema.include(path_regex="^/api/|^/metrics|^/ready|^/health").parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_answers_as_it_says_and_never_falls_over(case, site):
    ask(site, case)
    for name in case.path_parameters or {}:
        case.path_parameters[name] = site.there[name]
    ask(site, case)
