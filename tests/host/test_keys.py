"""srup keys: a release key that is made and kept apart from the fleet."""

import stat

import pytest

from srup_host import bundle, keyfiles, signing
from tests.host.shell import failed, srup


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SRUP_FLEET", "SRUP_PASSPHRASE", "SRUP_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_key_with_a_passphrase_signs_what_its_public_key_verifies(here, monkeypatch):
    monkeypatch.setenv("SRUP_PASSPHRASE", "correct horse")
    made = srup("keys", "new", "release.pem", "--json").json
    assert stat.S_IMODE((here / "release.pem").stat().st_mode) == 0o600
    assert b"ENCRYPTED" in (here / "release.pem").read_bytes()
    assert srup("keys", "show", "release.pub.pem", "--json").json["public"] == made["public"]
    assert made["id"] in srup("keys", "show", made["public"]).text
    (here / "app").mkdir()
    (here / "app" / "app.py").write_text("")
    srup("bundle", "build", "app", "--version", "1", "--release-key", "release.pem")
    assert "good" in srup("bundle", "verify", "app-1.srup", "--key", "release.pub.pem").text
    bundle.read(here / "app-1.srup").verify(bytes.fromhex(made["public"]))
    monkeypatch.setenv("SRUP_PASSPHRASE", "wrong")
    assert "does not open" in failed("bundle", "build", "app", "--version", "2", "--release-key", "release.pem")


def test_a_passphrase_is_asked_for_unless_none_is_wanted(here):
    assert "nobody to ask" in failed("keys", "new", "release.pem")
    assert list(here.iterdir()) == []
    srup("keys", "new", "release.pem", "--no-passphrase")
    assert signing.public_bytes(keyfiles.load_private(here / "release.pem")) == keyfiles.load_public("release.pub.pem")


def test_a_key_is_never_written_over(here):
    srup("keys", "new", "release.pem", "--no-passphrase")
    before = (here / "release.pem").read_bytes()
    assert "exists" in failed("keys", "new", "release.pem", "--no-passphrase")
    assert (here / "release.pem").read_bytes() == before
    (here / "release.pem").rename(here / "kept.pem")
    assert "release.pub.pem exists" in failed("keys", "new", "release.pem", "--no-passphrase")
    assert not (here / "release.pem").exists()


def test_another_passphrase(here, monkeypatch):
    srup("keys", "new", "release.pem", "--no-passphrase")
    public = keyfiles.load_public("release.pub.pem")
    monkeypatch.setenv("SRUP_NEW_PASSPHRASE", "second")
    srup("keys", "passphrase", "release.pem")
    assert "nobody to ask" in failed("keys", "show", "release.pem")
    monkeypatch.setenv("SRUP_PASSPHRASE", "second")
    assert signing.public_bytes(keyfiles.load_private(here / "release.pem")) == public
    srup("keys", "passphrase", "release.pem", "--no-passphrase")
    monkeypatch.delenv("SRUP_PASSPHRASE")
    assert srup("keys", "show", "release.pem", "--json").json["public"] == public.hex()
