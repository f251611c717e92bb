"""Bundles over the API: what the release key has signed, and nothing else, is offered to devices."""

import pytest

from srup_host import bundle, hosting, keyfiles
from srup_host.server import bundles
from srup_host.server.roles import Role


@pytest.fixture
def packed(site):
    return pack(site.fleet.private_key("release"))


def pack(key, version="2.0"):
    return bundle.pack({"app.py": b"pass\n"}, key, name="thermometer", version=version, counter=1)


def upload(client, data):
    return client.post("/api/v1/bundles", content=data)


def test_a_bundle_is_checked_kept_and_offered(site, packed):
    operator = site.program(Role.OPERATOR)
    added = upload(operator, packed).json()
    assert (added["name"], added["version"], added["size"]) == ("thermometer", "2.0", len(packed))
    name = added["url"].rpartition("/")[2]
    assert (hosting.public(site.fleet) / name).read_bytes() == packed
    assert upload(operator, packed).json() == added  # again: the same
    assert [one["digest"] for one in operator.get("/api/v1/bundles").json()] == [added["digest"]]
    assert operator.get(f"/api/v1/bundles/{added['digest'][:8]}").json() == added
    assert operator.get("/api/v1/bundles/0123").status_code == 404


def test_what_the_release_key_has_not_signed_is_not_offered(site, packed):
    operator = site.program(Role.OPERATOR)
    for bad in (
        pack(keyfiles.generate()),
        packed[:-1],
        packed + b"x",
        b"",
        b"not one",
        packed[:100] + b"?" + packed[101:],
    ):
        answer = upload(operator, bad)
        assert answer.status_code == 400 and answer.json()["error"]
    assert operator.get("/api/v1/bundles").json() == []
    assert not hosting.public(site.fleet).exists() or not list(hosting.public(site.fleet).iterdir())


def test_what_is_no_bundle_is_not_called_as_our_copy_of_it(site):
    answer = upload(site.program(Role.OPERATOR), b"[fleet]").json()
    assert answer["error"].startswith("this is no good bundle: ") and "/tmp" not in answer["error"]


def test_an_upload_has_an_end(site, packed, monkeypatch):
    monkeypatch.setattr(bundles, "MOST", 1000)
    answer = upload(site.program(Role.OPERATOR), bytes(1001))
    assert answer.status_code == 400 and "at most 1000 bytes" in answer.json()["error"]
