"""The page on which a person compares six words."""

import re

from srup_host.joins import Joins
from srup_host.server.roles import Role
from tests.host.test_joins import Asking


def asks(site):
    newcomer = Asking()
    Joins(site.fleet, site.c2.ledger, site.clock).received(newcomer.request())
    [waiting] = Joins(site.fleet, site.c2.ledger, site.clock).waiting()
    return waiting


def test_a_device_is_let_in_by_who_has_seen_the_same_words(site):
    waiting = asks(site)
    page = site.person(Role.VIEWER).get("/joins").text
    assert waiting.words in page and "let it in" not in page
    operator = site.person(Role.OPERATOR)
    headers = {"X-CSRF-Token": operator.csrf}
    answer = operator.post(f"/joins/{waiting.uuid}/accept", data={"name": "cellar"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/devices/{waiting.uuid}")
    assert [sent.name for sent in site.published] == ["JOIN_COMMAND"]
    assert "cellar" in operator.get(f"/devices/{waiting.uuid}").text
    assert not re.search(waiting.uuid, operator.get("/joins").text)


def test_one_that_is_in_the_fleet_already_takes_two_persons(site):
    joins, newcomer = Joins(site.fleet, site.c2.ledger, site.clock), Asking()
    joins.received(newcomer.request())
    joins.accept(newcomer.uuid, "cellar")
    joins.received(newcomer.request())
    for person, code in ((site.person(Role.OPERATOR), 400), (site.person(Role.APPROVER), 303)):
        assert "in the fleet already" in person.get("/joins").text and site.published == []
        headers = {"X-CSRF-Token": person.csrf}
        answer = person.post(f"/joins/{newcomer.uuid}/accept", data={"name": "cellar"}, headers=headers)
        assert answer.status_code == code, answer.text
    assert [sent.name for sent in site.published] == ["JOIN_COMMAND"]
    told = site.program(Role.VIEWER).get("/api/v1/audit").json()
    done = [(line["actor"], line["action"]) for line in told if line["subject"] == newcomer.uuid]
    assert ("person:the-operator", "join compared") in done, "although it went no further"
    assert ("person:the-approver", "send JOIN_COMMAND") in done


def test_one_whose_words_differ_is_refused(site):
    waiting = asks(site)
    operator = site.person(Role.OPERATOR)
    headers = {"X-CSRF-Token": operator.csrf}
    assert operator.post(f"/joins/{waiting.uuid}/refuse", headers=headers).status_code == 303
    assert waiting.uuid not in operator.get("/joins").text and site.published == []
    told = site.program(Role.VIEWER).get("/api/v1/audit").json()
    assert [line["actor"] for line in told if line["action"] == "join refused"] == ["person:the-operator"]
